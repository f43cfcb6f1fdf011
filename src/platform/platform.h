/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Platform: where Runners live, such as processes of this machine. platform/registry.h finds the drivers by name.
 *
 *        open          start           listed                      close
 *   driver ──▶ platform ──▶ listing ──────────▶ create, destroy ──────────▶ nothing more is told
 *                             │ found              │ found, progress, exited
 *
 * A platform lives on one loop. Its functions return at once; what comes of them is told by events, on the loop, never
 * from inside a call and never after close. Everything is idempotent by the Runner's key, so that an order that is
 * repeated after a broken connection does no harm. That a Runner is ready is told by itself, when it registers.
 */
#pragma once

#include "base/error.h"
#include "base/last_lines.h"
#include "net/loop.h"

struct platform_label {
	const char *name, *value;
};

/* What a Runner is to be, and what it needs in order to register. Borrowed during the call. */
struct runner_spec {
	const char *key; /* unique among all Runners of the Backplane; at most KEY_MAX - 1 bytes that a file name may
			    have */
	const char *language;
	const char *backplane; /* endpoint to register with */
	const char *ca; /* PEM file of the authorities that vouch for it; NULL: those of the system */
	const char *token; /* admits the Runner once; NULL: none is asked for. Nobody sets it yet */
	uint64_t epoch; /* of the Backplane in its store; a driver that several may order refuses a lower one */
	struct {
		uint64_t memory_bytes;
		unsigned cpu_millis; /* thousandths of a core */
		unsigned pids;
	} limits; /* of all that runs in it; 0: no limit. Nobody sets them yet */
	const struct platform_label *labels; /* for whoever looks at the Platform. Nobody sets them yet */
	size_t label_count;
};

struct platform_events {
	/* A Runner that an earlier Backplane asked for is there. Told while listing, and later if its order took long.
	 * Once for each. */
	void (*found)(void *owner, const char *runner_key);
	/* Once: all that runs has been found. With an error, the Platform could not look: nothing is known of what
	 * runs, and it takes no orders. */
	void (*listed)(void *owner, const struct error *err);
	/* A Runner that was asked for is on its way: "pulls the image". */
	void (*progress)(void *owner, const char *runner_key, const char *text);
	/* Exactly once for each Runner that was created or found: it ended, or could not be made. why: "exited with
	 * status 1", "could not be started: …". lines: what was printed last in one that died; may be none. After that
	 * the key is unknown again. */
	void (*exited)(void *owner, const char *runner_key, const char *why, const struct last_lines *lines);
};

struct platform {
	const struct platform_ops *ops;
};

struct platform_ops {
	/* Looks for what runs: found …, listed. Called once, before anything else. */
	void (*start)(struct platform *platform);
	/* Makes a Runner, once `listed` was told. A key that is there already is the same order again: nothing happens.
	 */
	void (*create)(struct platform *platform, const struct runner_spec *spec);
	/* Ends it without asking; harmless when it is unknown. epoch: as in the spec. */
	void (*destroy)(struct platform *platform, const char *runner_key, uint64_t epoch);
	/* Leaves the Runners running, but for those that are being destroyed. The memory is gone when the loop has run
	 * on. */
	void (*close)(struct platform *platform);
};

/* How each Runner is run, whichever Platform makes it. */
struct runner_settings {
	const char *program; /* the ftl binary, for Platforms of this machine */
	unsigned busy_poll_us; /* --busy-poll */
	uint64_t start_timeout_ms, orphan_timeout_ms; /* --start-timeout, --orphan-timeout */
};

/* Borrowed during open, but for loop, events and owner, which outlive the platform. */
struct platform_options {
	struct loop *loop;
	const char *folder; /* for the driver alone: what it must know after a restart. It makes it */
	struct runner_settings runner;
	const void *values; /* of the driver's options: its struct, filled by platform_choose */
	const struct platform_events *events;
	void *owner;
};

enum platform_option_kind {
	PLATFORM_TEXT, /* const char *, valid as long as the choice */
	PLATFORM_COUNT, /* unsigned */
	PLATFORM_SIZE, /* uint64_t, bytes: "64MiB" */
};

/* One that is given as --platform KIND:NAME=VALUE,… */
struct platform_option {
	const char *name;
	enum platform_option_kind kind;
	size_t offset; /* in the driver's struct of values */
	const char *standard; /* the default, as one would write it; NULL: 0 or NULL */
	const char *help; /* half a line */
};

enum { PLATFORM_DRIVER_VERSION = 1 };

/* A kind of Platform: one constant, which its folder exports. */
struct platform_driver {
	unsigned version; /* PLATFORM_DRIVER_VERSION of the header that it was built with */
	const char *name;
	const char *help; /* half a line */
	const struct platform_option *options;
	size_t option_count;
	size_t values_size; /* of its struct of values; 0 without options */
	/* What can be known to be wrong at once is an error; what shows later is told by `listed`. */
	struct platform *(*open)(const struct platform_options *options, struct error *err);
};
