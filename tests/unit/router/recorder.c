/* SPDX-License-Identifier: Apache-2.0 */
#include "recorder.h"

#include <stdio.h>
#include <string.h>

#include "http/http.h"

static struct recorder *recorder_of(const struct call_observer *observer) {
	return CONTAINER_OF(observer, struct recorder, observer);
}

static void on_begin(const struct call_observer *observer, const struct call_info *call,
		     const struct http_headers *received, void **token) {
	struct recorder *recorder = recorder_of(observer);
	pthread_mutex_lock(&recorder->lock);
	ASSERT(*token == NULL && recorder->count < RECORDS_MAX);
	struct record *record = &recorder->records[recorder->count++];
	*record = (struct record){0};
	snprintf(record->verb, sizeof record->verb, "%s", call->verb);
	snprintf(record->request_id, sizeof record->request_id, "%.*s",
		 STR_ARG(http_headers_get(received, STR("ftl-request-id"))));
	*token = record;
	pthread_mutex_unlock(&recorder->lock);
}

static void on_attempt(const struct call_observer *observer, const struct call_info *call,
		       const struct route_replica *replica, const struct http_headers *added, void **token) {
	struct recorder *recorder = recorder_of(observer);
	struct record *record = *token;
	pthread_mutex_lock(&recorder->lock);
	ASSERT(record != NULL && !record->ended && strcmp(record->verb, call->verb) == 0);
	ASSERT(replica >= call->module->replicas && replica < call->module->replicas + call->module->replica_count);
	size_t len = strlen(record->attempts);
	snprintf(record->trace, sizeof record->trace, "%.*s", STR_ARG(http_headers_get(added, STR("traceparent"))));
	snprintf(record->attempts + len, sizeof record->attempts - len, "%s ", replica->runner_key);
	pthread_mutex_unlock(&recorder->lock);
}

static void on_end(const struct call_observer *observer, const struct call_info *call,
		   const struct call_outcome *outcome, void **token) {
	struct recorder *recorder = recorder_of(observer);
	struct record *record = *token;
	pthread_mutex_lock(&recorder->lock);
	ASSERT(record != NULL && !record->ended && strcmp(record->verb, call->verb) == 0);
	record->ended = true;
	record->outcome = *outcome;
	pthread_mutex_unlock(&recorder->lock);
}

void recorder_init(struct recorder *recorder) {
	*recorder = (struct recorder){.observer = {on_begin, on_attempt, on_end}};
	pthread_mutex_init(&recorder->lock, NULL);
}
