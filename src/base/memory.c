/* SPDX-License-Identifier: Apache-2.0 */
#include "base/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *check(void *memory, size_t size) {
	if (memory == NULL && size != 0) {
		fprintf(stderr, "out of memory: could not get %zu bytes\n", size);
		abort();
	}
	return memory;
}

void *mem_alloc(size_t size) {
	return check(malloc(size), size);
}

void *mem_zalloc(size_t size) {
	return check(calloc(1, size), size);
}

void *mem_realloc(void *memory, size_t size) {
	return check(realloc(memory, size), size);
}

char *mem_strdup(const char *text) {
	return mem_strndup(text, strlen(text));
}

char *mem_strndup(const char *text, size_t len) {
	char *copy = mem_alloc(len + 1);
	if (len > 0)
		memcpy(copy, text, len);
	copy[len] = '\0';
	return copy;
}

char *mem_printf(const char *format, ...) {
	va_list args;
	va_start(args, format);
	char *text = NULL;
	int len = vasprintf(&text, format, args);
	va_end(args);
	return check(len < 0 ? NULL : text, 1);
}
