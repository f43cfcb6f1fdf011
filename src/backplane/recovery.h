/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads the rows of the store into the control side when a Backplane starts, and corrects states that a crash left
 * behind.
 */
#pragma once

#include "control/control.h"
#include "store/store.h"

/* Blocks on the store. A deployment whose state contradicts what is wanted of its module (wanted_state) gets the right
 * state in the store before it is loaded. */
int recovery_load(struct store *store, uint64_t epoch, struct control *control, struct error *err);
