/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/content.h"

enum { SHOWN_MAX = 80 /* bytes of a peer's text in an error */ };

static struct str shown(struct str text) {
	return str_new(text.ptr != NULL ? text.ptr : "", MIN(text.len, (size_t)SHOWN_MAX));
}

bool content_is_type(struct str type, struct str wanted) {
	if (!str_starts_with_nocase(type, wanted))
		return false;
	struct str rest = str_from_offset(type, wanted.len);
	if (str_starts_with_nocase(rest, STR("+proto")) && memchr(wanted.ptr, '+', wanted.len) == NULL)
		rest = str_from_offset(rest, 6);
	rest = str_trim(rest);
	return rest.len == 0 || rest.ptr[0] == ';';
}

bool content_read_encoding(struct str name, bool *ret_gzip) {
	bool gzip = str_eq_nocase(name, STR("gzip"));
	if (!gzip && name.len > 0 && !str_eq_nocase(name, STR("identity")))
		return false;
	*ret_gzip = gzip;
	return true;
}

/* "q=0" excludes an encoding. */
static bool has_weight_zero(struct str parameters) {
	while (parameters.len > 0) {
		struct str value, name = str_trim(str_cut(str_cut(parameters, ';', &parameters), '=', &value));
		value = str_trim(value);
		if (!str_eq_nocase(name, STR("q")))
			continue;
		size_t zeros = 0;
		while (zeros < value.len && (value.ptr[zeros] == '0' || value.ptr[zeros] == '.'))
			zeros++;
		return value.len > 0 && zeros == value.len;
	}
	return false;
}

bool content_accepts_gzip(struct str list) {
	bool others = false;
	while (list.len > 0) {
		struct str parameters, name = str_trim(str_cut(str_cut(list, ',', &list), ';', &parameters));
		if (str_eq_nocase(name, STR("gzip")))
			return !has_weight_zero(parameters);
		if (str_eq(name, STR("*")))
			others = !has_weight_zero(parameters);
	}
	return others;
}

static const struct {
	const char *word;
	unsigned status;
} codes[CODE_COUNT] = {
	[CODE_OK] = {"ok", 200},
	[CODE_CANCELLED] = {"canceled", 499},
	[CODE_UNKNOWN] = {"unknown", 500},
	[CODE_INVALID_ARGUMENT] = {"invalid_argument", 400},
	[CODE_DEADLINE_EXCEEDED] = {"deadline_exceeded", 504},
	[CODE_NOT_FOUND] = {"not_found", 404},
	[CODE_ALREADY_EXISTS] = {"already_exists", 409},
	[CODE_PERMISSION_DENIED] = {"permission_denied", 403},
	[CODE_RESOURCE_EXHAUSTED] = {"resource_exhausted", 429},
	[CODE_FAILED_PRECONDITION] = {"failed_precondition", 400},
	[CODE_ABORTED] = {"aborted", 409},
	[CODE_OUT_OF_RANGE] = {"out_of_range", 400},
	[CODE_UNIMPLEMENTED] = {"unimplemented", 501},
	[CODE_INTERNAL] = {"internal", 500},
	[CODE_UNAVAILABLE] = {"unavailable", 503},
	[CODE_DATA_LOSS] = {"data_loss", 500},
	[CODE_UNAUTHENTICATED] = {"unauthenticated", 401},
};

const char *content_code_word(enum code code) {
	return codes[code].word;
}

enum code content_code_from_word(const char *word, enum code otherwise) {
	for (size_t i = 1; i < CODE_COUNT && word != NULL; i++)
		if (strcmp(word, codes[i].word) == 0)
			return (enum code)i;
	return otherwise;
}

unsigned content_http_status(enum code code) {
	return codes[code].status;
}

enum code content_code_from_http(unsigned status) {
	switch (status) {
	case 400:
		return CODE_INTERNAL;
	case 401:
		return CODE_UNAUTHENTICATED;
	case 403:
		return CODE_PERMISSION_DENIED;
	case 404:
		return CODE_UNIMPLEMENTED;
	case 429:
	case 502:
	case 503:
	case 504:
		return CODE_UNAVAILABLE;
	default:
		return CODE_UNKNOWN;
	}
}

int content_check_type(const struct rpc_stream *stream, struct str wanted, struct str family, struct error *err) {
	struct str type = http_headers_get(&stream->http.received, STR("content-type"));
	if (content_is_type(type, wanted))
		return 0;
	return error_set(err, str_starts_with_nocase(type, family) ? CODE_INTERNAL : CODE_UNKNOWN,
			 "the peer answered with content of type \"%.*s\", which is not %.*s", STR_ARG(shown(type)),
			 STR_ARG(wanted));
}

int content_check_response(const struct rpc_stream *stream, struct str wanted, struct str family, struct error *err) {
	unsigned status = stream->http.status;
	if (status != 200)
		return error_set(err, content_code_from_http(status), "the peer answered with HTTP status %u", status);
	return content_check_type(stream, wanted, family, err);
}

int content_read_response_encoding(const struct rpc_stream *stream, struct str header, bool *ret_gzip,
				   struct error *err) {
	struct str encoding = http_headers_get(&stream->http.received, header);
	if (content_read_encoding(encoding, ret_gzip))
		return 0;
	return error_set(err, CODE_INTERNAL, "the peer answered with the encoding \"%.*s\", which it was not offered",
			 STR_ARG(shown(encoding)));
}
