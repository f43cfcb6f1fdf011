/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Platform: where Runners live, such as processes of this machine. platform/registry.h finds the drivers by name.
 *
 *        open          start           listed                      close
 *   driver ──▶ platform ──▶ listing ──────────▶ create, destroy ──────────▶ no more events
 *                             │ found              │ found, progress, exited
 *
 * A platform belongs to one loop. Its functions return at once; their results are events on the loop, which never come
 * from inside a call and never after close. Every command is idempotent by the Runner's key, so that repeating one
 * after a broken connection does no harm. The Platform does not report that a Runner is ready: the Runner registers
 * itself.
 */
#pragma once

#include "base/error.h"
#include "base/last_lines.h"
#include "net/loop.h"

struct platform_label {
	const char *name, *value;
};

/* Describes a Runner, with what it needs in order to register. Borrowed during the call. */
struct runner_spec {
	const char *key; /* unique among all Runners of the Backplane; at most KEY_MAX - 1 bytes that a file name may
			    have */
	const char *language;
	const char *backplane; /* the endpoint with which the Runner registers */
	const char *ca; /* PEM file of the authorities to trust at that endpoint; NULL: those of the system */
	const char *token; /* admits the Runner once; NULL: none is needed. Not in use yet */
	uint64_t epoch; /* of the Backplane in its store; a driver for several Backplanes refuses a lower one */
	struct {
		uint64_t memory_bytes;
		unsigned cpu_millis; /* thousandths of a core */
		unsigned pids;
	} limits; /* for all processes of the Runner; 0: no limit. Not in use yet */
	const struct platform_label *labels; /* shown by the Platform's own tools. Not in use yet */
	size_t label_count;
};

struct platform_events {
	/* A Runner that an earlier Backplane created exists. Called once for each: while listing, or later if its
	 * creation took long. */
	void (*found)(void *owner, const char *runner_key);
	/* Called once: every existing Runner was found. With an error the Platform could not look: no Runner is known,
	 * and it accepts no commands. */
	void (*listed)(void *owner, const struct error *err);
	/* A step of a Runner's creation: "pulls the image". */
	void (*progress)(void *owner, const char *runner_key, const char *text);
	/* Called exactly once for each Runner that was created or found, when it ended or could not be created. why:
	 * "exited with status 1", "could not be started: …". lines: the last lines that it printed; may be none. The
	 * key is unknown afterwards. */
	void (*exited)(void *owner, const char *runner_key, const char *why, const struct last_lines *lines);
};

struct platform {
	const struct platform_ops *ops;
};

struct platform_ops {
	/* Starts to list the existing Runners: found …, listed. Called once, before anything else. */
	void (*start)(struct platform *platform);
	/* Creates a Runner; called after `listed`. Does nothing when a Runner with that key exists. */
	void (*create)(struct platform *platform, const struct runner_spec *spec);
	/* Kills the Runner; does nothing when the key is unknown. epoch: as in the spec. */
	void (*destroy)(struct platform *platform, const char *runner_key, uint64_t epoch);
	/* Leaves the Runners running, except those that are being destroyed. The platform is freed in a later turn of
	 * the loop. */
	void (*close)(struct platform *platform);
};

/* Settings of every Runner, whichever Platform creates it. */
struct runner_settings {
	const char *program; /* path of the ftl binary, for Platforms on this machine */
	unsigned busy_poll_us; /* --busy-poll */
	uint64_t start_timeout_ms, orphan_timeout_ms; /* --start-timeout, --orphan-timeout */
	uint64_t child_ping_ms; /* --child-ping */
};

/* Borrowed during open, except loop, events and owner, which outlive the platform. */
struct platform_options {
	struct loop *loop;
	const char *folder; /* in which the driver stores what it needs after a restart; created by the driver */
	struct runner_settings runner;
	const void *values; /* the driver's struct of values, filled by platform_choose */
	const struct platform_events *events;
	void *owner;
};

enum platform_option_kind {
	PLATFORM_TEXT, /* const char *, valid as long as the choice */
	PLATFORM_COUNT, /* unsigned */
	PLATFORM_SIZE, /* uint64_t, bytes: "64MiB" */
};

/* An option of --platform KIND:NAME=VALUE,… */
struct platform_option {
	const char *name;
	enum platform_option_kind kind;
	size_t offset; /* in the driver's struct of values */
	const char *standard; /* the default, written as a value; NULL: 0 or NULL */
	const char *help; /* half a line */
};

enum { PLATFORM_DRIVER_VERSION = 1 };

/* A kind of Platform: a constant that its folder exports. */
struct platform_driver {
	unsigned version; /* PLATFORM_DRIVER_VERSION of the header that it was built with */
	const char *name;
	const char *help; /* half a line */
	const struct platform_option *options;
	size_t option_count;
	size_t values_size; /* bytes of its struct of values; 0 without options */
	/* Fails when the options are wrong; later failures come as the error of `listed`. */
	struct platform *(*open)(const struct platform_options *options, struct error *err);
};
