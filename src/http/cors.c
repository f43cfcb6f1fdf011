/* SPDX-License-Identifier: Apache-2.0 */
#include "http/cors.h"

#include "net/endpoint.h"

struct str cors_origin(const struct http_headers *headers) {
	return http_headers_get(headers, STR("origin"));
}

/* "https://example.org:8080" without the port. */
static struct str host_of(struct str origin) {
	const char *slashes = memmem(origin.ptr, origin.len, "://", 3);
	if (slashes == NULL)
		return STR("");
	struct str authority = str_from_offset(origin, (size_t)(slashes - origin.ptr) + 3);
	struct str rest;
	if (authority.len > 0 && authority.ptr[0] == '[')
		return str_cut(str_from_offset(authority, 1), ']', &rest);
	return str_cut(authority, ':', &rest);
}

static bool is_loopback(struct str origin) {
	struct endpoint endpoint = {.kind = ENDPOINT_TCP};
	struct str host = host_of(origin);
	/* "127.0.0.1.example.org" begins as an address of this machine does. */
	bool number = host.len > 0 && strspn(host.ptr, "0123456789.:") >= host.len;
	if (host.len >= sizeof endpoint.host || (!number && !str_eq(host, STR("localhost"))))
		return false;
	memcpy(endpoint.host, host.ptr, host.len);
	return endpoint_is_loopback(&endpoint);
}

bool cors_allows(const char *const *origins, const struct http_headers *headers) {
	struct str origin = cors_origin(headers);
	if (origin.ptr == NULL || is_loopback(origin))
		return true;
	/* An origin that equals the request's own host is not allowed for that: whoever owns a name can point it at
	 * this machine (DNS rebinding). */
	for (size_t i = 0; origins != NULL && origins[i] != NULL; i++)
		if (strcmp(origins[i], "*") == 0 || str_eq_c(origin, origins[i]))
			return true;
	return false;
}

static bool is_host(struct str host) {
	static const char in_name[] = "abcdefghijklmnopqrstuvwxyz0123456789-._";
	bool v6 = host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']';
	struct str inner = v6 ? str_new(host.ptr + 1, host.len - 2) : host;
	for (size_t i = 0; i < inner.len; i++)
		if (inner.ptr[i] == '\0' || strchr(v6 ? "0123456789abcdef:." : in_name, inner.ptr[i]) == NULL)
			return false;
	return inner.len > 0;
}

/* A browser leaves the usual port out. */
static bool is_port(struct str port, bool secure) {
	unsigned number = 0;
	if (port.len == 0 || port.len > 5 || port.ptr[0] == '0')
		return false;
	for (size_t i = 0; i < port.len; i++) {
		if (port.ptr[i] < '0' || port.ptr[i] > '9')
			return false;
		number = number * 10 + (unsigned)(port.ptr[i] - '0');
	}
	return number <= UINT16_MAX && number != (secure ? 443 : 80);
}

bool cors_is_origin(struct str text) {
	bool secure = str_starts_with(text, STR("https://"));
	if (!secure && !str_starts_with(text, STR("http://")))
		return false;
	struct str authority = str_from_offset(text, secure ? 8 : 7);
	size_t colon = authority.len;
	for (size_t i = authority.len; i-- > 0 && authority.ptr[i] != ']';)
		if (authority.ptr[i] == ':')
			colon = i;
	struct str host = str_new(authority.ptr, colon);
	return is_host(host) && (colon == authority.len || is_port(str_from_offset(authority, colon + 1), secure));
}

bool cors_is_preflight(struct str method, const struct http_headers *headers) {
	return str_eq(method, STR("OPTIONS")) && cors_origin(headers).ptr != NULL &&
	       http_headers_find(headers, STR("access-control-request-method")) != NULL;
}

void cors_add_headers(struct http_stream *request, struct http_headers *response) {
	struct arena *arena = &request->arena;
	struct str origin = cors_origin(&request->received);
	if (origin.ptr == NULL)
		return;
	http_headers_add(response, arena, STR("access-control-allow-origin"), origin);
	http_headers_add(response, arena, STR("vary"), STR("Origin"));
	if (!cors_is_preflight(request->method, &request->received)) {
		http_headers_add(response, arena, STR("access-control-expose-headers"),
				 STR("*, Grpc-Status, Grpc-Message, Grpc-Status-Details-Bin"));
		return;
	}
	struct str asked = http_headers_get(&request->received, STR("access-control-request-headers"));
	http_headers_add(response, arena, STR("access-control-allow-methods"), STR("GET, POST"));
	if (asked.ptr != NULL)
		http_headers_add(response, arena, STR("access-control-allow-headers"), asked);
	http_headers_add(response, arena, STR("access-control-max-age"), STR("7200"));
}
