/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keys of all objects of a JSON text so far, as 64-bit hashes of object and key under a random seed. A collision
 * would report a false duplicate; it is less likely than a hardware fault.
 */
#pragma once

#include <stdbool.h>

#include "base/str.h"

/* Begins zeroed. */
struct json_keys {
	uint64_t *hashes; /* 0: free slot */
	size_t len, capacity;
};

void json_keys_deinit(struct json_keys *set);

/* Adds a key of the object with this number; false: a duplicate. */
bool json_keys_add(struct json_keys *set, uint64_t object, struct str key);
