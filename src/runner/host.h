/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a deployment's code: in a child process (host_process.h) or as a shared object in this process (host_library.h).
 *
 * A host is started once, comes alive at most once, and ends exactly once; its owner learns of both by events. It takes
 * calls while it is alive. When it has ended nothing of it runs any more, and it frees itself.
 */
#pragma once

#include <pthread.h>

#include "base/last_lines.h"
#include "rpc/server.h"
#include "rpc/unary.h"
#include "runner/logs.h"

struct host;

struct host_events {
	void (*alive)(struct host *host);
	/* The last call was answered; comes as often as that happens. */
	void (*idle)(struct host *host);
	/* The host is over: why says how, also after host_stop. The last lines that it printed may be taken. The host
	 * is gone when this returns. stuck: some of it still runs, until this process ends. */
	void (*ended)(struct host *host, const struct error *why, struct last_lines *last_lines, bool stuck);
};

struct host_ops {
	/* Takes over a stream whose method is VerbService.Call. */
	void (*call)(struct host *host, struct rpc_stream *stream);
	/* The same for VerbService.List. */
	void (*list)(struct host *host, struct rpc_stream *stream);
	void (*stop)(struct host *host);
	size_t (*calls)(const struct host *host);
	/* Why calls may go unanswered, as the host sees it; "": it sees no reason. NULL: it never does. */
	const char *(*trouble)(const struct host *host);
};

struct host_options {
	struct loop *loop;
	const char *deployment_key;
	const char *module;
	const char *folder; /* of the deployment's files; absolute */
	const char *working_dir; /* private to the deployment; exists */
	const char *work_folder; /* the Runner's: a fault of a shared object leaves LAST_WORDS_FILE there */
	const char *entry; /* path within folder; exists */
	bool unix_socket; /* the child can listen on a Unix socket */
	const char *backplane_endpoint;
	struct rpc_channel *backplane;
	struct logs *logs;
	uint64_t start_timeout_ms;
	uint64_t kill_timeout_ms;
	uint64_t child_ping_ms; /* between two pings of a child that is alive; 0: none */
	const struct host_events *events;
	void *owner;
};

struct host {
	const struct host_ops *ops;
	struct host_options options; /* its texts are the owner's and outlive the host */
	struct {
		pthread_mutex_t lock;
		struct last_lines lines; /* until the end */
	} shared;
};

/* Calls in progress. */
static inline size_t host_calls(const struct host *host) {
	return host->ops->calls(host);
}

static inline const char *host_trouble(const struct host *host) {
	return host->ops->trouble != NULL ? host->ops->trouble(host) : "";
}

/* Ends the host, whatever calls are in progress. `ended` follows. A second call does nothing. */
static inline void host_stop(struct host *host) {
	host->ops->stop(host);
}

/* --- for hosts ---------------------------------------------------------------------------------------------------- */

void host_init(struct host *host, const struct host_ops *ops, const struct host_options *options);
void host_deinit(struct host *host);

/* Any thread: a line that the code printed goes to the log, at level info unless it says another (log_line.h), and is
 * kept for the case that it ends. A line_function; data is the host. */
void host_on_line(void *data, struct str line);

/* Any thread: keeps a line that is in the log already. */
void host_keep_line(struct host *host, struct str line);

/* Calls `ended`. Lines that are printed later go to the log alone. */
void host_tell_ended(struct host *host, const struct error *why, bool stuck);
