/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every Platform must do, whatever its Runners are.
 */
#pragma once

#include "platform/platform.h"

/* A driver, and what the suite needs to do behind its back. */
struct platform_suite {
	const char *name;
	const struct platform_driver *driver;
	const char *options; /* as in --platform NAME:…; "": none */
	/* What Runners are started with. The language "stays" runs until it is ended, "ends" exits with status 7. */
	const char *program;
	const char *broken_program; /* with which no Runner can be started */
	void (*end)(const char *folder, const char *key); /* The Runner, which runs, dies of itself. */
	bool (*runs)(const char *folder, const char *key);
	void (*clean_up)(const char *folder); /* ends and frees all that is left */
};

/* Returns the number of tests that failed. */
int platform_suite_run(const struct platform_suite *suite);
