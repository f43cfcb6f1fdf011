/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/json_keys.h"

#include <stdlib.h>

#include "base/map.h"
#include "base/memory.h"

static bool put_hash(struct json_keys *set, uint64_t hash) {
	for (size_t i = hash & (set->capacity - 1);; i = (i + 1) & (set->capacity - 1)) {
		if (set->hashes[i] == hash)
			return false;
		if (set->hashes[i] == 0) {
			set->hashes[i] = hash;
			return true;
		}
	}
}

bool json_keys_add(struct json_keys *set, uint64_t object, struct str key) {
	if (set->len * 2 >= set->capacity) {
		struct json_keys old = *set;
		set->capacity = MAX(old.capacity * 2, (size_t)64);
		set->hashes = mem_zalloc(set->capacity * sizeof *set->hashes);
		for (size_t i = 0; i < old.capacity; i++)
			if (old.hashes[i] != 0)
				(void)put_hash(set, old.hashes[i]);
		free(old.hashes);
	}
	uint64_t parts[] = {object, str_hash(key)};
	uint64_t hash = str_hash(str_new(parts, sizeof parts));
	bool is_new = put_hash(set, hash == 0 ? 1 : hash);
	set->len += is_new;
	return is_new;
}

void json_keys_deinit(struct json_keys *set) {
	free(set->hashes);
}
