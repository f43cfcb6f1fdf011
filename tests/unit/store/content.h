/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Contents of artefacts that are made up.
 */
#pragma once

#include "base/memory.h"

/* Not compressible, and different for each seed. */
static inline char *make_content(size_t size, unsigned seed) {
	char *content = mem_alloc(size + 1);
	uint64_t state = seed * 2654435761u + 1;
	for (size_t i = 0; i < size; i++) {
		state = state * 6364136223846793005u + 1442695040888963407u;
		content[i] = (char)(state >> 56);
	}
	return content;
}
