/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sends log lines to the Backplane: queued by any thread, in batches, over a PublishLogs stream that is opened for the
 * first line.
 *
 * Lines wait while the Backplane is away. Past LOGS_WAITING_MAX bytes the oldest are dropped, and a line that tells how
 * many are missing stands before the next one that is sent.
 */
#pragma once

#include <pthread.h>

#include "rpc/channel.h"
#include "runner/log_line.h"

/* "max-waiting-logs" */
#define LOGS_WAITING_MAX MIB(1)

struct logs {
	struct loop *loop;
	struct rpc_channel *backplane;
	const char *runner_key; /* borrowed */
	struct rpc_stream *stream; /* NULL: none is open */
	struct timer batch; /* the next attempt to send */
	uint64_t retry_ms;
	bool ending;
	bool stopped;
	struct {
		pthread_mutex_t lock;
		struct list waiting; /* of struct entry, oldest first */
		size_t waiting_bytes;
		uint64_t dropped;
		bool posted; /* wake was posted and has not run yet */
		struct task wake;
	} shared;
};

void logs_init(struct logs *logs, struct loop *loop, struct rpc_channel *backplane, const char *runner_key);
/* After the loop has closed the stream. */
void logs_deinit(struct logs *logs);

/* Any thread. Copies its arguments. */
void logs_add(struct logs *logs, const char *module, const char *deployment_key, const struct log_line *line);
/* The same for a line as it was printed. */
void logs_add_printed(struct logs *logs, const char *module, const char *deployment_key, enum log_level level,
		      struct str text);

/* Sends the lines that wait and ends the stream; logs_is_sent tells when the Backplane has them all. */
void logs_end(struct logs *logs);
bool logs_is_sent(struct logs *logs);

/* Sends nothing more. To be called before the channel is closed. */
void logs_stop(struct logs *logs);
