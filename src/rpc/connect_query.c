/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/connect_query.h"

#include "base/base64.h"
#include "base/text.h"

/* "%41+b" is "A b". Decodes in place: the text never grows, and a query may have thousands of parameters. */
static bool decode_percent(struct str *text) {
	char *decoded = (char *)text->ptr;
	size_t len = 0;
	for (size_t i = 0; i < text->len; i++) {
		if (text->ptr[i] != '%') {
			decoded[len++] = (char)(text->ptr[i] == '+' ? ' ' : text->ptr[i]);
			continue;
		}
		int high = i + 2 < text->len ? text_hex_value(text->ptr[i + 1]) : -1;
		int low = i + 2 < text->len ? text_hex_value(text->ptr[i + 2]) : -1;
		if (high < 0 || low < 0)
			return false;
		decoded[len++] = (char)(high << 4 | low);
		i += 2;
	}
	text->len = len;
	return true;
}

int connect_read_query(struct http_stream *http, struct connect_query *ret_query, struct error *err) {
	struct str rest;
	struct connect_query query = {0};
	bool is_base64 = false;
	http->path = str_cut(http->path, '?', &rest);
	while (rest.len > 0) {
		struct str value, name = str_cut(str_cut(rest, '&', &rest), '=', &value);
		value = value.ptr != NULL ? value : STR("");
		if (!decode_percent(&value))
			return error_set(err, CODE_INVALID_ARGUMENT, "the query of the URL is malformed");
		if (str_eq(name, STR("message"))) {
			query.message = value;
			query.has_message = true;
		} else if (str_eq(name, STR("encoding"))) {
			query.encoding = value;
		} else if (str_eq(name, STR("compression"))) {
			query.compression = value;
		} else if (str_eq(name, STR("base64"))) {
			is_base64 = str_eq(value, STR("1"));
		} else if (str_eq(name, STR("connect")) && !str_eq(value, STR("v1"))) {
			return error_set(err, CODE_INVALID_ARGUMENT,
					 "the query names another version of Connect than v1");
		}
	}
	if (is_base64 && !base64_decode_in(&http->arena, query.message, &query.message))
		return error_set(err, CODE_INVALID_ARGUMENT, "the message in the query is not base64");
	*ret_query = query;
	return 0;
}

void connect_write_query(struct rpc_stream *stream, struct str message, bool json, bool gzip) {
	struct arena *arena = &stream->http.arena;
	/* The URL-safe alphabet. */
	size_t size = base64_size(message.len) + 1;
	char *text = arena_alloc(arena, size);
	size_t len = base64_encode(text, message, BASE64_UNPADDED);
	for (size_t i = 0; i < len; i++)
		text[i] = (char)(text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i]);
	stream->http.path = str_from(arena_printf(arena, "%.*s?connect=v1&base64=1%s&encoding=%s&message=%.*s",
						  STR_ARG(stream->http.path), gzip ? "&compression=gzip" : "",
						  json ? "json" : "proto", (int)len, text));
}
