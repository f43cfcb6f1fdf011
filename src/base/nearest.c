/* SPDX-License-Identifier: Apache-2.0 */
#include "base/nearest.h"

#include <stdio.h>

void nearest_init(struct nearest *nearest, struct str wanted) {
	/* A third of the letters may differ, at least one; a single letter has no near name. */
	size_t most = wanted.len < 2 ? 0 : MAX(wanted.len / 3, (size_t)1);
	*nearest = (struct nearest){.wanted = wanted, .distance = most + 1};
}

void nearest_offer(struct nearest *nearest, const char *name) {
	size_t distance = str_distance(nearest->wanted, str_from(name), nearest->distance);
	if (distance < nearest->distance) {
		nearest->distance = distance;
		nearest->name = name;
	}
}

const char *nearest_hint(const struct nearest *nearest, char ret_hint[NEAREST_HINT_MAX]) {
	if (nearest->name == NULL)
		return NULL;
	snprintf(ret_hint, NEAREST_HINT_MAX, "did you mean \"%s\"?", nearest->name);
	return ret_hint;
}
