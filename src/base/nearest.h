/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds the name that was probably meant: offer all candidates, then read the nearest.
 */
#pragma once

#include "base/str.h"

struct nearest {
	struct str wanted; /* borrowed */
	const char *name; /* the nearest candidate so far, borrowed; NULL: none is near */
	size_t distance;
};

void nearest_init(struct nearest *nearest, struct str wanted);
void nearest_offer(struct nearest *nearest, const char *name);

enum { NEAREST_HINT_MAX = 160 };

/* Writes "did you mean "NAME"?" into ret_hint and returns it; NULL when nothing is near. */
const char *nearest_hint(const struct nearest *nearest, char ret_hint[NEAREST_HINT_MAX]);
