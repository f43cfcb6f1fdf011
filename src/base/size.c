/* SPDX-License-Identifier: Apache-2.0 */
#include "base/size.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

struct unit {
	const char *name;
	uint64_t bytes;
};

void size_format(char ret_text[SIZE_TEXT_MAX], uint64_t bytes) {
	static const struct unit units[] = {{"TB", 1000000000000}, {"GB", 1000000000}, {"MB", 1000000}, {"KB", 1000}};
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (bytes < units[i].bytes)
			continue;
		uint64_t tenths = bytes / (units[i].bytes / 10);
		if (tenths < 100 && tenths % 10 != 0)
			snprintf(ret_text, SIZE_TEXT_MAX, "%" PRIu64 ".%" PRIu64 " %s", tenths / 10, tenths % 10,
				 units[i].name);
		else
			snprintf(ret_text, SIZE_TEXT_MAX, "%" PRIu64 " %s", tenths / 10, units[i].name);
		return;
	}
	snprintf(ret_text, SIZE_TEXT_MAX, "%" PRIu64 " byte%s", bytes, bytes == 1 ? "" : "s");
}

_Bool size_parse(const char *text, uint64_t *ret_bytes) {
	static const struct unit units[] = {
		{"", 1},
		{"B", 1},
		{"KiB", 1 << 10},
		{"MiB", 1 << 20},
		{"GiB", 1 << 30},
		{"TiB", 1LL << 40},
		{"KB", 1000},
		{"MB", 1000 * 1000},
		{"GB", 1000000000},
		{"TB", 1000000000000},
	};
	size_t digits = strspn(text, "0123456789");
	uint64_t number;
	if (!str_to_u64(str_new(text, digits), &number))
		return 0;
	const char *name = text + digits;
	if (name[0] == ' ' && name[1] != '\0')
		name++;
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (strcmp(name, units[i].name) != 0)
			continue;
		if (number > UINT64_MAX / units[i].bytes)
			return 0;
		*ret_bytes = number * units[i].bytes;
		return 1;
	}
	return 0;
}
