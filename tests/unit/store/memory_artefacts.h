/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Artefacts in memory, for tests. The place outlives those who open it, as a disk would.
 */
#pragma once

#include "store/artefacts.h"

struct memory_place;

struct memory_place *memory_place_new(void);
void memory_place_free(struct memory_place *place);
/* Flips a bit of a content, or appends a byte to an empty one. */
void memory_place_damage(struct memory_place *place, const struct digest *digest);

struct artefacts *memory_artefacts_open(struct memory_place *place);
