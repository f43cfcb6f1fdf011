/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/local/run_folder.h"

#include <stdio.h>

#include "base/memory.h"

char *run_folder_path(const char *folder, const char *key, const char *suffix) {
	return mem_printf("%s/%s%s", folder, key, suffix);
}

bool run_folder_key(struct str name, const char *suffix, char ret_key[KEY_MAX]) {
	size_t len = strlen(suffix);
	if (!str_ends_with(name, str_from(suffix)) || name.len == len || name.len - len >= KEY_MAX)
		return false;
	snprintf(ret_key, KEY_MAX, "%.*s", (int)(name.len - len), name.ptr);
	return true;
}

bool run_folder_owner(const char *folder, struct str path, char ret_key[KEY_MAX]) {
	size_t len = strlen(folder);
	if (!str_starts_with(path, str_from(folder)) || path.len <= len || path.ptr[len] != '/')
		return false;
	return run_folder_key(str_cut(str_from_offset(path, len + 1), '/', &(struct str){0}), RUN_WORK_FOLDER, ret_key);
}
