/* SPDX-License-Identifier: Apache-2.0 */
#include "http/probes.h"

#include "http/plain.h"

/* A stored answer would tell of another moment. */
static const struct http_header no_store = {.name = STR_INIT("cache-control"), .value = STR_INIT("no-store")};
static const struct http_header allow = {.name = STR_INIT("allow"), .value = STR_INIT("GET, HEAD")};

static struct http_stream *answer(const struct http_request_head *head, const char *trouble) {
	struct http_plain_answer answer = {.status = trouble != NULL ? 503 : 200,
					   .text = trouble != NULL ? trouble : "ok\n",
					   .headers = &no_store,
					   .header_count = 1};
	if (!str_eq(head->method, STR("GET")) && !str_eq(head->method, STR("HEAD"))) {
		answer.status = 405;
		answer.text = "Ask with GET or HEAD.\n";
		answer.headers = &allow;
	}
	return http_plain_new(&answer);
}

/* An answer at all says that the process is alive. */
static struct http_stream *new_health(void *owner UNUSED, const struct http_request_head *head) {
	return answer(head, NULL);
}

static struct http_stream *new_readiness(void *owner, const struct http_request_head *head) {
	const struct http_probes *probes = owner;
	return answer(head, probes->not_ready(probes->owner));
}

static void ignore(void *owner UNUSED, struct http_stream *stream UNUSED) {
}

/* Not asked: the server knows of its plain answers by itself. */
static bool is_stalled(void *owner UNUSED, const struct http_stream *stream UNUSED) {
	return false;
}

static const struct http_handler health = {.new_stream = new_health, .request = ignore, .is_stalled = is_stalled};
static const struct http_handler readiness = {.new_stream = new_readiness, .request = ignore, .is_stalled = is_stalled};

void http_probes_add(struct http_server *server, struct http_probes *probes) {
	http_server_route(server, "/healthz", &health, probes);
	http_server_route(server, "/readyz", &readiness, probes);
}
