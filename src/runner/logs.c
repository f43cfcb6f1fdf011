/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/logs.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "ftl.pb-c.h"
#include "pb/pb.h"

enum {
	BATCH_DELAY_MS = 10, /* so that the lines of a burst travel in one message */
	BATCH_LINES_MAX = 256,
	RETRY_FIRST_MS = 50,
	RETRY_LAST_MS = 1000,
};

#define BATCH_BYTES_MAX KIB(256)

/* One piece of memory: the texts follow the struct. */
struct entry {
	struct list link;
	size_t size;
	Ftl__LogEntry message;
	char texts[];
};

static void send_batch(struct timer *timer);
static void on_wake(struct task *task);

/* --- the queue ---------------------------------------------------------------------------------------------------- */

static char *put_text(char **at, const char *text) {
	size_t size = strlen(text) + 1;
	char *copy = memcpy(*at, text, size);
	*at += size;
	return copy;
}

static struct entry *make_entry(const struct logs *logs, const char *module, const char *deployment_key,
				const struct log_line *line) {
	size_t texts = strlen(line->message) + strlen(line->attributes) + strlen(module) + strlen(deployment_key) + 4;
	struct entry *entry = mem_alloc(sizeof *entry + texts);
	*entry = (struct entry){.size = sizeof *entry + texts, .message = FTL__LOG_ENTRY__INIT};
	char *at = entry->texts;
	entry->message.time_ms = line->time_ms;
	entry->message.level = (char *)log_level_name(line->level);
	entry->message.message = put_text(&at, line->message);
	entry->message.attributes = put_text(&at, line->attributes);
	entry->message.module = put_text(&at, module);
	entry->message.deployment_key = put_text(&at, deployment_key);
	entry->message.runner_key = (char *)logs->runner_key;
	return entry;
}

/* With shared.lock held. */
static struct entry *take_oldest(struct logs *logs) {
	if (list_is_empty(&logs->shared.waiting))
		return NULL;
	struct entry *entry = LIST_ENTRY(logs->shared.waiting.next, struct entry, link);
	list_remove(&entry->link);
	logs->shared.waiting_bytes -= entry->size;
	return entry;
}

void logs_add(struct logs *logs, const char *module, const char *deployment_key, const struct log_line *line) {
	struct entry *entry = make_entry(logs, module, deployment_key, line);
	pthread_mutex_lock(&logs->shared.lock);
	list_append(&logs->shared.waiting, &entry->link);
	logs->shared.waiting_bytes += entry->size;
	while (logs->shared.waiting_bytes > LOGS_WAITING_MAX) {
		free(take_oldest(logs));
		logs->shared.dropped++;
	}
	bool post = !logs->shared.posted;
	logs->shared.posted = true;
	pthread_mutex_unlock(&logs->shared.lock);
	if (post)
		loop_post(logs->loop, &logs->shared.wake);
}

/* --- the stream --------------------------------------------------------------------------------------------------- */

void logs_add_printed(struct logs *logs, const char *module, const char *deployment_key, enum log_level level,
		      struct str text) {
	struct arena arena = ARENA_INIT(LOG_LINE_ARENA_MAX);
	struct log_line line;
	log_line_read(text, clock_wall_ms(), level, &arena, &line);
	logs_add(logs, module, deployment_key, &line);
	arena_deinit(&arena);
}

static void schedule(struct logs *logs, uint64_t ms) {
	if (!logs->stopped)
		timer_start(logs->loop, &logs->batch, ms);
}

static void on_wake(struct task *task) {
	struct logs *logs = CONTAINER_OF(task, struct logs, shared.wake);
	pthread_mutex_lock(&logs->shared.lock);
	logs->shared.posted = false;
	pthread_mutex_unlock(&logs->shared.lock);
	if (!timer_is_running(&logs->batch))
		schedule(logs, BATCH_DELAY_MS);
}

static void on_message(struct rpc_stream *stream UNUSED, size_t size UNUSED) {
}

static void on_data(struct rpc_stream *stream, struct str bytes) {
	rpc_consume(stream, bytes.len);
}

static void on_writable(struct rpc_stream *stream) {
	struct logs *logs = stream->owner;
	logs->retry_ms = 0;
	if (!timer_is_running(&logs->batch))
		schedule(logs, BATCH_DELAY_MS);
}

static bool is_empty(struct logs *logs) {
	pthread_mutex_lock(&logs->shared.lock);
	bool empty = list_is_empty(&logs->shared.waiting);
	pthread_mutex_unlock(&logs->shared.lock);
	return empty;
}

static void on_closed(struct rpc_stream *stream) {
	struct logs *logs = stream->owner;
	logs->stream = NULL;
	logs->retry_ms = MIN(MAX(logs->retry_ms * 2, (uint64_t)RETRY_FIRST_MS), (uint64_t)RETRY_LAST_MS);
	if (!is_empty(logs))
		schedule(logs, logs->retry_ms);
}

static const struct rpc_events stream_events = {
	.message = on_message,
	.data = on_data,
	.writable = on_writable,
	.closed = on_closed,
};

static void open_stream(struct logs *logs) {
	logs->stream = rpc_call(logs->backplane, &(struct rpc_call_options){
							 .path = STR("/xyz.block.ftl.v1.BackplaneService/PublishLogs"),
							 .events = &stream_events,
							 .owner = logs,
						 });
}

/* A line that stands for those that were dropped before `next`. */
static struct entry *make_gap(const struct logs *logs, const struct entry *next, uint64_t dropped) {
	char text[128];
	snprintf(text, sizeof text, "%llu lines before this one were dropped: the Backplane did not take them in time",
		 (unsigned long long)dropped);
	struct log_line line = {.time_ms = next->message.time_ms, .level = LOG_WARN, .message = text, .attributes = ""};
	return make_entry(logs, next->message.module, next->message.deployment_key, &line);
}

static size_t take_batch(struct logs *logs, struct entry *entries[BATCH_LINES_MAX]) {
	size_t count = 0, bytes = 0;
	pthread_mutex_lock(&logs->shared.lock);
	while (count + 2 <= BATCH_LINES_MAX && bytes < BATCH_BYTES_MAX) {
		struct entry *entry = take_oldest(logs);
		if (entry == NULL)
			break;
		if (logs->shared.dropped > 0)
			entries[count++] = make_gap(logs, entry, logs->shared.dropped);
		logs->shared.dropped = 0;
		entries[count++] = entry;
		bytes += entry->size;
	}
	pthread_mutex_unlock(&logs->shared.lock);
	return count;
}

static void send_entries(struct logs *logs, struct entry **entries, size_t count) {
	Ftl__LogEntry *messages[BATCH_LINES_MAX];
	Ftl__PublishLogsRequest request = FTL__PUBLISH_LOGS_REQUEST__INIT;
	for (size_t i = 0; i < count; i++)
		messages[i] = &entries[i]->message;
	request.entries = messages;
	request.n_entries = count;
	struct arena arena = ARENA_INIT(protobuf_c_message_get_packed_size(&request.base) + 64);
	rpc_send(logs->stream, pb_pack(&request.base, &arena));
	arena_deinit(&arena);
}

static void send_batch(struct timer *timer) {
	struct logs *logs = CONTAINER_OF(timer, struct logs, batch);
	if (logs->stream != NULL && (rpc_unsent(logs->stream) > 0 || !rpc_can_send(logs->stream)))
		return; /* on_writable or on_closed calls again */
	struct entry *entries[BATCH_LINES_MAX];
	size_t count = take_batch(logs, entries);
	if (count > 0 && logs->stream == NULL)
		open_stream(logs);
	if (count > 0)
		send_entries(logs, entries, count);
	else if (logs->ending && logs->stream != NULL)
		rpc_half_close(logs->stream);
	for (size_t i = 0; i < count; i++)
		free(entries[i]);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

void logs_init(struct logs *logs, struct loop *loop, struct rpc_channel *backplane, const char *runner_key) {
	*logs = (struct logs){
		.loop = loop,
		.backplane = backplane,
		.runner_key = runner_key,
		.batch.fire = send_batch,
		.shared.wake.run = on_wake,
	};
	pthread_mutex_init(&logs->shared.lock, NULL);
	list_init(&logs->shared.waiting);
}

void logs_deinit(struct logs *logs) {
	timer_stop(logs->loop, &logs->batch);
	for (struct entry *entry; (entry = take_oldest(logs)) != NULL;)
		free(entry);
	pthread_mutex_destroy(&logs->shared.lock);
}

void logs_end(struct logs *logs) {
	logs->ending = true;
	schedule(logs, 0);
}

void logs_stop(struct logs *logs) {
	logs->stopped = true;
	timer_stop(logs->loop, &logs->batch);
}

bool logs_is_sent(struct logs *logs) {
	return logs->stream == NULL && is_empty(logs);
}
