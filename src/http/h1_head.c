/* SPDX-License-Identifier: Apache-2.0 */
#include "http/h1_head.h"

size_t h1_head_size(struct str bytes) {
	const char *end = bytes.len > 0 ? memmem(bytes.ptr, bytes.len, "\r\n\r\n", 4) : NULL;
	return end ? (size_t)(end - bytes.ptr) + 4 : 0;
}

static bool is_token(struct str text) {
	static const char others[] = "!#$%&'*+-.^_`|~";
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		bool plain = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
		if (!plain && (c == 0 || strchr(others, c) == NULL))
			return false;
	}
	return text.len > 0;
}

/* Visible characters, blanks, tabs and bytes above 127. */
static bool is_value(struct str text) {
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];
		if ((c < ' ' && c != '\t') || c == 0x7F)
			return false;
	}
	return true;
}

static bool has_no_blank(struct str text) {
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.ptr[i] <= ' ' || text.ptr[i] == 0x7F)
			return false;
	return true;
}

static struct str trim_blanks(struct str text) {
	while (text.len > 0 && (text.ptr[0] == ' ' || text.ptr[0] == '\t'))
		text = str_from_offset(text, 1);
	while (text.len > 0 && (text.ptr[text.len - 1] == ' ' || text.ptr[text.len - 1] == '\t'))
		text.len--;
	return text;
}

static void lower(struct str text) {
	char *bytes = (char *)text.ptr;
	for (size_t i = 0; i < text.len; i++)
		if (bytes[i] >= 'A' && bytes[i] <= 'Z')
			bytes[i] |= 0x20;
}

/* Cuts a line off the front. It ends in CR LF, and contains neither CR nor LF. */
static int take_line(struct str *rest, struct str *ret_line, struct error *err) {
	const char *end = memchr(rest->ptr, '\n', rest->len);
	size_t len = end ? (size_t)(end - rest->ptr) : rest->len;
	if (end == NULL || len == 0 || rest->ptr[len - 1] != '\r' || memchr(rest->ptr, '\r', len) != end - 1)
		return error_set(err, CODE_INVALID_ARGUMENT, "a line of the head does not end in CR LF");
	*ret_line = str_new(rest->ptr, len - 1);
	*rest = str_from_offset(*rest, len + 1);
	return 0;
}

/* Reads the headers up to the empty line. */
static int read_fields(struct str rest, struct arena *arena, struct http_headers *headers, struct error *err) {
	for (;;) {
		struct str line, value;
		if (take_line(&rest, &line, err) < 0)
			return -1;
		if (line.len == 0)
			return rest.len == 0
				       ? 0
				       : error_set(err, CODE_INVALID_ARGUMENT, "the head has an empty line in it");
		struct str name = str_cut(line, ':', &value);
		if (value.ptr == NULL || !is_token(name))
			return error_set(err, CODE_INVALID_ARGUMENT, "a header is not NAME: VALUE");
		value = trim_blanks(value);
		if (!is_value(value))
			return error_set(err, CODE_INVALID_ARGUMENT, "the header %.*s has a control character",
					 STR_ARG(str_new(name.ptr, MIN(name.len, (size_t)60))));
		name = arena_copy(arena, name);
		lower(name);
		http_headers_add(headers, arena, name, arena_copy(arena, value));
	}
}

/* Whether a list as in "Connection: keep-alive, close" names word. */
static bool lists(const struct http_headers *headers, struct str name, struct str word) {
	for (size_t i = 0; i < headers->count; i++) {
		struct str rest = headers->items[i].value;
		while (str_eq(headers->items[i].name, name) && rest.len > 0)
			if (str_eq_nocase(trim_blanks(str_cut(rest, ',', &rest)), word))
				return true;
	}
	return false;
}

static size_t count_of(const struct http_headers *headers, struct str name) {
	size_t count = 0;
	for (size_t i = 0; i < headers->count; i++)
		count += str_eq(headers->items[i].name, name);
	return count;
}

/* RFC 9112 section 6.3, without its leniencies. */
static int find_body(struct h1_head *head, enum h1_body otherwise, struct error *err) {
	const struct http_headers *headers = &head->headers;
	size_t lengths = count_of(headers, STR("content-length")),
	       codings = count_of(headers, STR("transfer-encoding"));
	if (lengths + codings > 1)
		return error_set(
			err, CODE_INVALID_ARGUMENT,
			"the message has %zu Content-Length and %zu Transfer-Encoding; one of either is allowed",
			lengths, codings);
	if (codings == 1 && !str_eq_nocase(http_headers_get(headers, STR("transfer-encoding")), STR("chunked")))
		return error_set(err, CODE_INVALID_ARGUMENT, "the only Transfer-Encoding that is known is \"chunked\"");
	if (lengths == 1 && !str_to_u64(http_headers_get(headers, STR("content-length")), &head->length))
		return error_set(err, CODE_INVALID_ARGUMENT, "the Content-Length is not a decimal number");
	head->body = codings            ? H1_BODY_CHUNKED
		     : !lengths         ? otherwise
		     : head->length > 0 ? H1_BODY_LENGTH
					: H1_BODY_NONE;
	return 0;
}

/* "http://HOST/PATH" is "/PATH": a server must take both (RFC 9112 section 3.2.2). Without a path it is "/", with the
 * query if there is one. */
static struct str path_of(struct str target, struct arena *arena) {
	if (!str_starts_with_nocase(target, STR("http://")) && !str_starts_with_nocase(target, STR("https://")))
		return target;
	const char *slashes = memmem(target.ptr, target.len, "://", 3);
	struct str after = str_from_offset(target, (size_t)(slashes - target.ptr) + 3);
	size_t host = 0;
	while (host < after.len && after.ptr[host] != '/' && after.ptr[host] != '?')
		host++;
	struct str path = str_from_offset(after, host);
	if (path.len > 0 && path.ptr[0] == '/')
		return path;
	return str_from(arena_printf(arena, "/%.*s", STR_ARG(path)));
}

static int read_request_line(struct str line, struct arena *arena, struct h1_head *head, unsigned *ret_http_status,
			     struct error *err) {
	struct str rest, version;
	head->method = arena_copy(arena, str_cut(line, ' ', &rest));
	head->target = path_of(arena_copy(arena, str_cut(rest, ' ', &version)), arena);
	if (!is_token(head->method) || head->target.len == 0 || version.len != 8 || !has_no_blank(version) ||
	    !has_no_blank(head->target) || !str_starts_with(version, STR("HTTP/"))) {
		*ret_http_status = 0; /* the peer does not speak HTTP, so no answer in HTTP is sent */
		return error_set(err, CODE_INVALID_ARGUMENT, "the first line is not METHOD PATH HTTP/1.1");
	}
	head->is_http10 = str_eq(version, STR("HTTP/1.0"));
	if (!head->is_http10 && !str_eq(version, STR("HTTP/1.1"))) {
		*ret_http_status = 505;
		return error_set(err, CODE_INVALID_ARGUMENT,
				 "the request is %.*s; HTTP/1.0, HTTP/1.1 and HTTP/2 are served here",
				 STR_ARG(version));
	}
	if (head->target.ptr[0] != '/' && !str_eq(head->target, STR("*")))
		return error_set(err, CODE_INVALID_ARGUMENT, "the path of the request does not begin with /");
	return 0;
}

/* HTTP/1.0 keeps a connection only when both sides say so (RFC 9112 section 9.3), and knows no 100 Continue. */
static void read_persistence(struct h1_head *head) {
	const struct http_headers *headers = &head->headers;
	struct str connection = STR("connection");
	head->close = lists(headers, connection, STR("close")) ||
		      (head->is_http10 && !lists(headers, connection, STR("keep-alive")));
	head->expects_continue = !head->is_http10 && lists(headers, STR("expect"), STR("100-continue"));
}

int h1_read_request(struct str head, struct arena *arena, struct h1_head *ret_head, unsigned *ret_http_status,
		    struct error *err) {
	struct h1_head result = {0};
	struct str line;
	*ret_http_status = 400;
	if (take_line(&head, &line, err) < 0 || read_request_line(line, arena, &result, ret_http_status, err) < 0 ||
	    read_fields(head, arena, &result.headers, err) < 0 || find_body(&result, H1_BODY_NONE, err) < 0)
		return -1;
	if (result.is_http10 && result.body == H1_BODY_CHUNKED)
		return error_set(err, CODE_INVALID_ARGUMENT, "HTTP/1.0 has no Transfer-Encoding");
	size_t hosts = count_of(&result.headers, STR("host"));
	if (hosts > 1 || (hosts == 0 && !result.is_http10))
		return error_set(err, CODE_INVALID_ARGUMENT, "a request has one Host, and this one has %zu", hosts);
	result.host = http_headers_get(&result.headers, STR("host"));
	read_persistence(&result);
	*ret_head = result;
	return 0;
}

int h1_read_response(struct str head, struct arena *arena, struct h1_head *ret_head, struct error *err) {
	struct h1_head result = {0};
	struct str line, rest;
	uint64_t status;
	if (take_line(&head, &line, err) < 0)
		return -1;
	struct str version = str_cut(line, ' ', &rest);
	struct str digits = str_cut(rest, ' ', &rest);
	bool old = str_eq(version, STR("HTTP/1.0"));
	if ((!old && !str_eq(version, STR("HTTP/1.1"))) || digits.len != 3 || !str_to_u64(digits, &status) ||
	    status < 100)
		return error_set(err, CODE_UNAVAILABLE, "the peer's first line is not HTTP/1.1 and a status");
	result.status = (unsigned)status;
	if (read_fields(head, arena, &result.headers, err) < 0 || find_body(&result, H1_BODY_UNTIL_CLOSE, err) < 0)
		return -1;
	if (status < 200 || status == 204 || status == 304)
		result.body = H1_BODY_NONE;
	result.close =
		old || result.body == H1_BODY_UNTIL_CLOSE || lists(&result.headers, STR("connection"), STR("close"));
	*ret_head = result;
	return 0;
}

int h1_read_trailers(struct str lines, struct arena *arena, struct http_headers *ret_headers, struct error *err) {
	return read_fields(lines, arena, ret_headers, err);
}

bool h1_read_chunk_size(struct str line, uint64_t *ret_size) {
	/* Extensions are refused: nobody uses them, and readers differ about them. */
	uint64_t size = 0;
	if (line.len == 0 || line.len > 15)
		return false;
	for (size_t i = 0; i < line.len; i++) {
		char c = line.ptr[i];
		int digit = c >= '0' && c <= '9'                     ? c - '0'
			    : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
								     : -1;
		if (digit < 0)
			return false;
		size = size << 4 | (unsigned)digit;
	}
	*ret_size = size;
	return true;
}
