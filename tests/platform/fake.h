/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Platform that is made up: its Runners are entries of a list, which outlives the platforms that are opened on it, as
 * a cluster outlives a Backplane. Each folder names a cluster of its own.
 *
 * Creating takes `latency-ms`. The language of a Runner says what it does: "stays" runs until it is ended, "ends" exits
 * with status 7 by itself. With the program FAKE_BROKEN_PROGRAM no Runner can be started.
 */
#pragma once

#include "platform/platform.h"

#define FAKE_BROKEN_PROGRAM "/nowhere/ftl"

extern const struct platform_driver platform_fake;

/* The values of its options, which show each kind. */
struct fake_values {
	unsigned latency_ms;
	const char *zone;
	uint64_t disk_bytes;
};

/* The next listing on the folder fails with this; NULL: it does not. Borrowed. */
void fake_fail_listing(const char *folder, const char *why);
/* The next listing never ends. */
void fake_hold_listing(const char *folder);
/* A Runner that nobody here asked for appears, as by a late order of an earlier Backplane. */
void fake_appear(const char *folder, const char *key);
/* The Runner dies of itself. */
void fake_end(const char *folder, const char *key);
bool fake_runs(const char *folder, const char *key);
/* Frees the cluster, on which no platform may be open. */
void fake_free(const char *folder);
