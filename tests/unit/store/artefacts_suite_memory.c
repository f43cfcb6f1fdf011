/* SPDX-License-Identifier: Apache-2.0 */
#include "artefacts_suite.h"
#include "memory_artefacts.h"

static void *place_new(void) {
	return memory_place_new();
}

static void place_free(void *place) {
	memory_place_free(place);
}

static struct artefacts *open_place(void *place) {
	return memory_artefacts_open(place);
}

static void damage(void *place, const struct digest *digest) {
	memory_place_damage(place, digest);
}

int main(void) {
	static const struct artefacts_backend memory = {"memory", place_new, place_free, open_place, damage};
	return artefacts_suite_run(&memory);
}
