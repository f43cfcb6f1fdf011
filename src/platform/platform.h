/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Platform: where Runners live. One of the three seams: a struct of functions, with an implementation for each kind.
 *
 * A platform lives on one loop and returns at once. What becomes of a Runner is told by `exited`, exactly once for
 * each that was created or found, and never from inside a call. That it is ready is told by itself, when it registers.
 */
#pragma once

#include "base/error.h"
#include "base/last_lines.h"
#include "net/loop.h"

struct platform {
	const struct platform_ops *ops;
};

struct platform_ops {
	/* Starts a Runner that will register with this key. */
	void (*create)(struct platform *platform, const char *runner_key, const char *language);
	/* Ends it without asking; harmless when it is gone. */
	void (*destroy)(struct platform *platform, const char *runner_key);
	/* Walks the Runners that there are: start with *cursor = 0; NULL at the end. */
	const char *(*next)(struct platform *platform, size_t *cursor);
	/* Lets go of the Runners that are left, which go on, but for those that are being destroyed. The memory is gone
	 * when the loop has run on. */
	void (*close)(struct platform *platform);
};

struct platform_options {
	struct loop *loop;
	const char *program; /* the ftl binary */
	const char *backplane; /* the endpoint that Runners register with */
	const char *folder; /* for their sockets, working folders and pids */
	unsigned busy_poll_us; /* passed to Runners, as are these */
	uint64_t start_timeout_ms, orphan_timeout_ms;
	/* Why it ended: "exited with status 1", "could not be started: …"; what was printed last in one that died. */
	void (*exited)(void *owner, const char *runner_key, const char *why, const struct last_lines *lines);
	void *owner;
};

/* Runners as processes of this machine. Those of a process before this one are found by their pid files. */
int platform_local_new(const struct platform_options *options, struct platform **ret_platform, struct error *err);
