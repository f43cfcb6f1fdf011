/* SPDX-License-Identifier: Apache-2.0 */
#include "router/call_headers.h"

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

/* The lowest hexadecimal digits of a number. printf would cost as much as all else that routing does. */
static void put_hex(char *at, uint64_t number, size_t digits) {
	for (; digits-- > 0; number >>= 4)
		at[digits] = "0123456789abcdef"[number & 15];
}

/* "ORIGIN-KEY-HASH", the form that SDKs of 2023 insist on: ORIGIN says where the outermost call came from, and HASH is
 * ten hexadecimal digits. KEY, which has no dash, is random too: ten digits alone would come again after a million. */
static struct str make_request_id(struct arena *arena, uint64_t *random) {
	static const struct str origin = STR_INIT("ingress-"); /* from a client */
	size_t size = origin.len + REQUEST_ID_KEY_DIGITS + 1 + REQUEST_ID_HASH_DIGITS;
	char *id = arena_alloc(arena, size), *key = id + origin.len, *hash = key + REQUEST_ID_KEY_DIGITS + 1;
	uint64_t number = random_next(random);
	memcpy(id, origin.ptr, origin.len);
	put_hex(key, number >> 4 * REQUEST_ID_HASH_DIGITS, REQUEST_ID_KEY_DIGITS);
	hash[-1] = '-';
	put_hex(hash, number, REQUEST_ID_HASH_DIGITS);
	return str_new(id, size);
}

/* W3C trace context: version, trace, span, flags. */
static struct str make_trace(struct arena *arena, uint64_t *random) {
	char *trace = arena_alloc(arena, TRACE_SIZE);
	memcpy(trace, "00-", 3);
	put_hex(trace + 3, random_next(random), 16);
	put_hex(trace + 19, random_next(random) | 1, 16);
	trace[35] = '-';
	put_hex(trace + 36, random_next(random) | 1, 16);
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
