/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>

#include "artefacts_suite.h"
#include "base/memory.h"
#include "place.h"

static void *place_new(void) {
	struct place *place = mem_alloc(sizeof *place);
	place_make(place);
	return place;
}

static void place_free(void *place) {
	place_remove(place);
	free(place);
}

/* Each way to name a folder takes its turn. */
static struct artefacts *open_place(void *place) {
	static const char *const forms[] = {"%s", "file:%s", "file://%s"};
	static unsigned turn;
	char url[128];
	struct artefacts *artefacts;
	struct error err;
	snprintf(url, sizeof url, forms[turn++ % ARRAY_LEN(forms)], ((const struct place *)place)->path);
	if (artefacts_open(url, &artefacts, &err) < 0)
		fail_msg("%s", err.msg);
	return artefacts;
}

static void damage(void *place, const struct digest *digest) {
	struct digest_hex hex = digest_to_hex(digest);
	char *path = mem_printf("%s/%.2s/%s", ((const struct place *)place)->path, hex.text, hex.text), byte = 0;
	int fd = open(path, O_RDWR | O_CLOEXEC);
	free(path);
	assert_true(fd >= 0);
	assert_true(pread(fd, &byte, 1, 0) >= 0);
	byte ^= 4;
	assert_int_equal(pwrite(fd, &byte, 1, 0), 1);
	close(fd);
}

int main(void) {
	static const struct artefacts_backend folder = {"folder", place_new, place_free, open_place, damage};
	return artefacts_suite_run(&folder);
}
