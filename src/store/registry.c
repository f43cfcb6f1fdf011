/* SPDX-License-Identifier: Apache-2.0 */
#include "store/registry.h"

#include <stdio.h>

#include "store/memory.h"
#include "store/sqlite/sqlite.h"

static const struct scheme {
	const char *name;
	int (*open)(const char *rest, struct store **ret_store, struct error *err);
} schemes[] = {
	{"sqlite", store_sqlite_open},
	{"memory", store_memory_open},
};

static const struct scheme *find_scheme(struct str name) {
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
		if (str_eq_c(name, schemes[i].name))
			return &schemes[i];
	return NULL;
}

static int unknown_scheme(const char *url, struct error *err) {
	char known[128] = "";
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
		size_t len = strlen(known);
		snprintf(known + len, sizeof known - len, "%s%s:", i > 0 ? ", " : "", schemes[i].name);
	}
	return error_set(err, CODE_INVALID_ARGUMENT, "\"%s\" is not the URL of a known kind of store; known are: %s",
			 url, known);
}

int store_open(const char *url, struct store **ret_store, struct error *err) {
	struct str rest, name = str_cut(str_from(url), ':', &rest);
	const struct scheme *scheme = rest.ptr != NULL ? find_scheme(name) : NULL;
	if (scheme == NULL)
		return unknown_scheme(url, err);
	return scheme->open(rest.ptr, ret_store, err); /* the rest of a C string is one as well */
}
