/* SPDX-License-Identifier: Apache-2.0 */
#include "router/call_headers.h"

#include <endian.h>

#include "base/random.h"
#include "base/reasons.h"
#include "router/route.h"

enum {
	/* "max-call-depth": calls that wait for each other. */
	CHAIN_MAX = 64,
	CHAIN_TEXT_MAX = ERROR_TEXT_MAX - 200,
	REQUEST_ID_KEY_DIGITS = 6,
	REQUEST_ID_HASH_DIGITS = 10,
	TRACE_SIZE = 55,
};

static const struct str header_verb = STR_INIT("ftl-verb");
static const struct str header_request_id = STR_INIT("ftl-request-id");
static const struct str header_deployment = STR_INIT("ftl-deployment");
static const struct str header_trace = STR_INIT("traceparent");

/* --- the chain of calls ------------------------------------------------------------------------------------------- */

bool call_headers_are_nested(const struct http_headers *received) {
	return http_headers_find(received, header_verb) != NULL;
}

struct str call_headers_caller(const struct http_headers *received) {
	struct str caller = {0};
	for (size_t i = 0; i < received->count; i++)
		if (str_eq(received->items[i].name, header_verb))
			caller = received->items[i].value;
	return caller;
}

/* The calls that led to this one, oldest first, as "a.b → c.d"; "…" stands for those that do not fit. */
static void print_chain(const struct http_headers *received, const char *last, struct buf *ret_text) {
	static const char arrow[] = " \xE2\x86\x92 ", more[] = "\xE2\x80\xA6";
	size_t tail = strlen(more) + strlen(arrow) + strlen(last);
	int over = 0;
	for (size_t i = 0; i < received->count; i++) {
		struct str verb = received->items[i].value;
		if (!str_eq(received->items[i].name, header_verb))
			continue;
		if (buf_len(ret_text) + verb.len + strlen(arrow) + tail > CHAIN_TEXT_MAX) {
			over |= buf_printf(ret_text, "%s%s", more, arrow);
			break;
		}
		over |= buf_printf(ret_text, "%.*s%s", STR_ARG(verb), arrow);
	}
	over |= buf_printf(ret_text, "%s", last);
	ASSERT(over == 0);
}

int call_headers_check_chain(const struct http_headers *received, const char *verb, struct error *err) {
	size_t depth = 0;
	bool loops = false;
	for (size_t i = 0; i < received->count; i++) {
		if (!str_eq(received->items[i].name, header_verb))
			continue;
		depth++;
		loops |= str_eq_c(received->items[i].value, verb);
	}
	if (!loops && depth < CHAIN_MAX)
		return 0;
	struct buf text = BUF_INIT(CHAIN_TEXT_MAX);
	print_chain(received, verb, &text);
	struct str chain = buf_view(&text);
	if (loops)
		error_set(err, CODE_FAILED_PRECONDITION, "the call closes a loop of calls: %.*s", STR_ARG(chain));
	else
		error_set(err, CODE_FAILED_PRECONDITION, "%zu calls are nested, and max-call-depth is %d: %.*s",
			  depth + 1, CHAIN_MAX, STR_ARG(chain));
	buf_deinit(&text);
	return error_set_reason(err, loops ? REASON_CALL_LOOP : REASON_CALL_TOO_DEEP);
}

/* --- headers for the Runner --------------------------------------------------------------------------------------- */

/* Eight hexadecimal digits, worked on as the bytes of one number: a call from outside takes eighty digits, and a loop
 * over them as many instructions as all else that is done here. */
static void put_hex8(char *at, uint32_t number) {
	uint64_t bytes = number; /* each four bits move to a byte of their own, the highest to the lowest */
	bytes = bytes >> 16 | (bytes & 0xFFFF) << 32;
	bytes = (bytes & 0x0000FF000000FF00) >> 8 | (bytes & 0x000000FF000000FF) << 16;
	bytes = (bytes & 0x00F000F000F000F0) >> 4 | (bytes & 0x000F000F000F000F) << 8;
	uint64_t is_letter = (bytes + 0x0606060606060606) >> 4 & 0x0101010101010101;
	bytes = htole64(bytes + 0x3030303030303030 + is_letter * ('a' - '0' - 10));
	memcpy(at, &bytes, sizeof bytes);
}

static void put_hex16(char *at, uint64_t number) {
	put_hex8(at, (uint32_t)(number >> 32));
	put_hex8(at + 8, (uint32_t)number);
}

/* "ORIGIN-KEY-HASH", the form that SDKs of 2023 insist on: ORIGIN says where the outermost call came from, and HASH is
 * ten hexadecimal digits. KEY, which has no dash, is random too: ten digits alone would come again after a million. */
static struct str make_request_id(struct arena *arena, uint64_t *random) {
	static const struct str origin = STR_INIT("ingress-"); /* from a client */
	char digits[REQUEST_ID_KEY_DIGITS + REQUEST_ID_HASH_DIGITS];
	size_t size = origin.len + sizeof digits + 1;
	char *id = arena_alloc(arena, size), *key = id + origin.len, *hash = key + REQUEST_ID_KEY_DIGITS + 1;
	put_hex16(digits, random_next(random));
	memcpy(id, origin.ptr, origin.len);
	memcpy(key, digits, REQUEST_ID_KEY_DIGITS);
	hash[-1] = '-';
	memcpy(hash, digits + REQUEST_ID_KEY_DIGITS, REQUEST_ID_HASH_DIGITS);
	return str_new(id, size);
}

/* W3C trace context: version, trace, span, flags. */
static struct str make_trace(struct arena *arena, uint64_t *random) {
	char *trace = arena_alloc(arena, TRACE_SIZE);
	memcpy(trace, "00-", 3);
	put_hex16(trace + 3, random_next(random));
	put_hex16(trace + 19, random_next(random) | 1);
	trace[35] = '-';
	put_hex16(trace + 36, random_next(random) | 1);
	memcpy(trace + 52, "-01", 3);
	return str_new(trace, TRACE_SIZE);
}

static void drop_header(struct http_headers *headers, struct str name) {
	size_t kept = 0;
	for (size_t i = 0; i < headers->count; i++)
		if (!str_eq(headers->items[i].name, name))
			headers->items[kept++] = headers->items[i];
	headers->count = kept;
}

void call_headers_add(struct rpc_stream *from, const char *verb, uint64_t *random, struct http_headers *ret_headers) {
	struct arena *arena = &from->http.arena;
	struct http_headers *received = &from->http.received;
	drop_header(received, header_deployment);
	struct str id = http_headers_get(received, header_request_id);
	if (id.ptr == NULL) {
		id = make_request_id(arena, random);
		http_headers_add(ret_headers, arena, header_request_id, id)->never_indexed = true;
	}
	if (http_headers_find(received, header_trace) == NULL)
		http_headers_add(ret_headers, arena, header_trace, make_trace(arena, random))->never_indexed = true;
	http_headers_add(ret_headers, arena, header_verb, str_from(verb));
	/* The last one; call_headers_address sets its value for each replica. */
	http_headers_add(ret_headers, arena, header_deployment, STR(""));
	http_headers_add(&from->response_headers, arena, header_request_id, id)->never_indexed = true;
}

void call_headers_address(struct http_headers *headers, const struct route_replica *replica) {
	headers->items[headers->count - 1].value = str_from(replica->deployment_key);
}

void call_headers_pass_on(const struct http_headers *headers, struct arena *arena, struct http_headers *ret_headers) {
	for (size_t i = 0; i < headers->count; i++)
		if (!str_eq(headers->items[i].name, header_verb) && !str_eq(headers->items[i].name, header_deployment))
			http_headers_pass(ret_headers, arena, &headers->items[i]);
}
