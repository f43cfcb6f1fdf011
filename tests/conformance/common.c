/* SPDX-License-Identifier: Apache-2.0 */
#include "common.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/memory.h"
#include "conformance_types.h"
#include "pb/wire.h"

void must(int result) {
	ASSERT(result == 0);
}

static bool read_all(int fd, char *bytes, size_t size) {
	for (size_t done = 0; done < size;) {
		ssize_t got = read(fd, bytes + done, size - done);
		if (got <= 0)
			return false;
		done += (size_t)got;
	}
	return true;
}

bool read_frame(int fd, struct buf *buf) {
	unsigned char length[4];
	if (!read_all(fd, (char *)length, sizeof length))
		return false;
	size_t size = (size_t)length[0] << 24 | (size_t)length[1] << 16 | (size_t)length[2] << 8 | length[3];
	char *room = buf_reserve(buf, size);
	ASSERT(room != NULL);
	if (!read_all(fd, room, size))
		return false;
	buf_commit(buf, size);
	return true;
}

static void write_all(int fd, struct str bytes) {
	while (bytes.len > 0) {
		ssize_t sent = write(fd, bytes.ptr, bytes.len);
		ASSERT(sent > 0);
		bytes = str_from_offset(bytes, (size_t)sent);
	}
}

void write_frame(int fd, struct str message) {
	unsigned char length[4] = {(unsigned char)(message.len >> 24), (unsigned char)(message.len >> 16),
				   (unsigned char)(message.len >> 8), (unsigned char)message.len};
	write_all(fd, str_new(length, sizeof length));
	write_all(fd, message);
}

const char *temporary_file(struct str bytes) {
	char *path = mem_strdup("/tmp/conformance-XXXXXX");
	int fd = mkstemp(path);
	ASSERT(fd >= 0);
	write_all(fd, bytes);
	close(fd);
	return path;
}

static bool find_field(struct str message, unsigned number, struct wire_field *ret_field) {
	struct wire_field field;
	bool found = false;
	while (wire_take(&message, &field)) {
		if (field.number == number) {
			*ret_field = field;
			found = true;
		}
	}
	return found;
}

struct str field_bytes(struct str message, unsigned number) {
	struct wire_field field;
	return find_field(message, number, &field) ? field.bytes : STR("");
}

uint64_t field_number(struct str message, unsigned number) {
	struct wire_field field;
	return find_field(message, number, &field) ? field.value : 0;
}

bool has_field(struct str message, unsigned number) {
	struct wire_field field;
	return find_field(message, number, &field);
}

static struct str lower(struct arena *arena, struct str text) {
	struct str copy = arena_copy(arena, text);
	for (size_t i = 0; i < copy.len; i++)
		if (copy.ptr[i] >= 'A' && copy.ptr[i] <= 'Z')
			((char *)copy.ptr)[i] |= 0x20;
	return copy;
}

void add_header_fields(struct http_headers *headers, struct arena *arena, struct str message, unsigned number) {
	struct wire_field field, value;
	while (wire_take(&message, &field)) {
		if (field.number != number)
			continue;
		struct str name = lower(arena, field_bytes(field.bytes, 1)), rest = field.bytes;
		while (wire_take(&rest, &value))
			if (value.number == 2)
				http_headers_add(headers, arena, name, arena_copy(arena, value.bytes));
	}
}

void put_header_fields(struct buf *message, unsigned number, const struct http_headers *headers) {
	for (size_t i = 0; i < headers->count; i++) {
		struct str name = headers->items[i].name;
		size_t offset = buf_len(message);
		bool is_repeated = false;
		for (size_t k = 0; k < i; k++)
			is_repeated |= str_eq(headers->items[k].name, name);
		if (is_repeated)
			continue;
		must(wire_put_bytes(message, 1, name));
		for (size_t k = i; k < headers->count; k++)
			if (str_eq(headers->items[k].name, name))
				must(wire_put_bytes(message, 2, headers->items[k].value));
		must(wire_wrap(message, offset, number));
	}
}

void put_any(struct buf *message, unsigned number, struct str type, struct str value) {
	size_t offset = buf_len(message);
	char url[200];
	int len = snprintf(url, sizeof url, "type.googleapis.com/%.*s", STR_ARG(type));
	must(wire_put_bytes(message, 1, str_new(url, (size_t)len)) | wire_put_bytes(message, 2, value) |
	     wire_wrap(message, offset, number));
}

struct types *conformance_types_new(void) {
	struct types *types;
	struct error err;
	if (types_new(&conformance_types, 1, &types, &err) < 0) {
		fprintf(stderr, "%s\n", err.msg);
		abort();
	}
	return types;
}
