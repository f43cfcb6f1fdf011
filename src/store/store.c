/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store.h"

#include <inttypes.h>

int store_set_stale(uint64_t epoch, uint64_t newest, struct error *err) {
	error_set(err, CODE_FAILED_PRECONDITION,
		  "another Backplane has acquired the store: its epoch is %" PRIu64 ", and this one has %" PRIu64,
		  newest, epoch);
	return error_set_reason(err, "STALE_EPOCH");
}

int store_set_no_deployment(const char *key, struct error *err) {
	return error_set(err, CODE_NOT_FOUND, "there is no deployment %s", key);
}

int store_set_no_module(const char *name, struct error *err) {
	return error_set(err, CODE_NOT_FOUND, "there is no module %s", name);
}

int store_set_path_twice(struct str path, struct error *err) {
	return error_set(err, CODE_INVALID_ARGUMENT, "the path %.*s is given to two artefacts of one deployment",
			 STR_ARG(path));
}
