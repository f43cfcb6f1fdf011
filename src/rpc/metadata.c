/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/metadata.h"

#include "base/base64.h"

enum { SHOWN_MAX = 60 /* bytes of a header's name in an error */ };

/* --- which ones --------------------------------------------------------------------------------------------------- */

static bool is_of_grpc(struct str name) {
	/* gRPC reserves this prefix; only these two are end to end. */
	return str_starts_with(name, STR("grpc-")) && !str_eq(name, STR("grpc-trace-bin")) &&
	       !str_eq(name, STR("grpc-tags-bin"));
}

bool metadata_is_of_one_hop(struct str name) {
	switch (name.len > 0 ? name.ptr[0] : '\0') {
	case 'a':
		return str_eq(name, STR("accept")) || str_eq(name, STR("accept-encoding")) ||
		       str_starts_with(name, STR("access-control-"));
	case 'c':
		return str_eq(name, STR("content-type")) || str_eq(name, STR("content-length")) ||
		       str_eq(name, STR("content-encoding")) || str_eq(name, STR("connection")) ||
		       str_starts_with(name, STR("connect-"));
	case 'e':
		return str_eq(name, STR("expect"));
	case 'g':
		return is_of_grpc(name);
	case 'h':
		return str_eq(name, STR("host")) || str_eq(name, STR("http2-settings"));
	case 'k':
		return str_eq(name, STR("keep-alive"));
	case 'o':
		return str_eq(name, STR("origin"));
	case 'p':
		return str_starts_with(name, STR("proxy-"));
	case 't':
		return str_eq(name, STR("te")) || str_eq(name, STR("trailer")) ||
		       str_eq(name, STR("transfer-encoding"));
	case 'u':
		return str_eq(name, STR("upgrade"));
	case 'x':
		return str_eq(name, STR("x-grpc-web"));
	default:
		return false;
	}
}

bool metadata_is_named(struct str connection, struct str name) {
	while (connection.ptr != NULL && connection.len > 0) {
		struct str option = str_trim(str_cut(connection, ',', &connection));
		if (str_eq_nocase(option, name))
			return true;
	}
	return false;
}

static bool is_known_name(struct str name) {
	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];
		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '_' && c != '-' && c != '.')
			return false;
	}
	return true;
}

void metadata_drop_foreign(struct http_headers *headers) {
	size_t kept = 0;
	for (size_t i = 0; i < headers->count; i++)
		if (is_known_name(headers->items[i].name))
			headers->items[kept++] = headers->items[i];
	headers->count = kept;
}

/* --- binary values ------------------------------------------------------------------------------------------------ */

static size_t size_of(const struct http_header *header) {
	return header->name.len + header->value.len + HTTP_HEADER_COST;
}

/* What is left of that for binary headers. */
size_t metadata_room(const struct http_headers *headers) {
	size_t all = 0, others = 0;
	for (size_t i = 0; i < headers->count; i++) {
		all += size_of(&headers->items[i]);
		others += metadata_is_binary(headers->items[i].name) ? 0 : size_of(&headers->items[i]);
	}
	return MAX(all, (size_t)HTTP_HEADER_BYTES_DEFAULT) - others;
}

static int refuse(const struct http_header *header, enum code code, const char *why, struct error *err) {
	return error_set(err, code, "the header %.*s is binary, as its name ends in -bin, %s",
			 STR_ARG(str_new(header->name.ptr, MIN(header->name.len, (size_t)SHOWN_MAX))), why);
}

static int add_values(struct http_headers *headers, struct arena *arena, const struct http_header *header, size_t *room,
		      struct error *err) {
	struct str rest = header->value, name = arena_copy(arena, header->name);
	do {
		struct str bytes, value = str_trim(str_cut(rest, ',', &rest));
		size_t size = name.len + value.len + HTTP_HEADER_COST;
		if (size > *room)
			return refuse(
				header, CODE_RESOURCE_EXHAUSTED,
				"and has more values than there is room for; max-header-bytes counts each of them",
				err);
		*room -= size;
		if (!base64_decode_in(arena, value, &bytes))
			return refuse(header, CODE_INVALID_ARGUMENT, "so its value must be base64", err);
		http_headers_add(headers, arena, name, base64_encode_in(arena, bytes, BASE64_UNPADDED))->never_indexed =
			header->never_indexed;
	} while (rest.ptr != NULL);
	return 0;
}

int metadata_add_binary(struct http_headers *headers, struct arena *arena, const struct http_header *header,
			size_t *room, struct error *err) {
	size_t before = headers->count;
	if (add_values(headers, arena, header, room, err) == 0)
		return 0;
	headers->count = before;
	return -1;
}

static bool is_passed_on_in_binary(struct str name) {
	return metadata_is_binary(name) && !metadata_is_of_one_hop(name);
}

int metadata_normalise(struct http_headers *headers, struct arena *arena, struct error *err) {
	size_t first = 0;
	while (first < headers->count && !is_passed_on_in_binary(headers->items[first].name))
		first++;
	if (first == headers->count)
		return 0;
	struct http_headers made = {0};
	size_t room = metadata_room(headers);
	for (size_t i = 0; i < headers->count; i++) {
		const struct http_header *header = &headers->items[i];
		if (!is_passed_on_in_binary(header->name))
			http_headers_pass(&made, arena, header);
		else if (metadata_add_binary(&made, arena, header, &room, err) < 0)
			return -1;
	}
	*headers = made;
	return 0;
}
