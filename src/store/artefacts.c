/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds the implementation for a URL.
 */
#include "store/artefacts.h"

#include "store/folder_artefacts.h"

static const struct {
	const char *scheme;
	int (*open)(const char *place, struct artefacts **ret_artefacts, struct error *err);
} places[] = {
	{"file:", folder_artefacts_open},
};

/* "file:///srv/a" and "file:/srv/a" are the folder /srv/a; "file:a" is relative. */
static const char *skip_authority(const char *place) {
	return str_starts_with(str_from(place), STR("///")) ? place + 2 : place;
}

static bool has_scheme(struct str place) {
	size_t len = strspn(place.ptr, "abcdefghijklmnopqrstuvwxyz0123456789+.-");
	return len > 0 && len < place.len && place.ptr[len] == ':';
}

int artefacts_open(const char *place, struct artefacts **ret_artefacts, struct error *err) {
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		struct str scheme = str_from(places[i].scheme);
		if (str_starts_with(str_from(place), scheme))
			return places[i].open(skip_authority(place + scheme.len), ret_artefacts, err);
	}
	if (has_scheme(str_from(place)))
		return error_set(err, CODE_INVALID_ARGUMENT,
				 "artefacts cannot be kept at \"%s\": give file:FOLDER, or the path of a folder",
				 place);
	return folder_artefacts_open(place, ret_artefacts, err);
}
