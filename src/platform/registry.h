/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kinds of Platforms that this program has, and the one place that reads --platform KIND[:option=value,…].
 */
#pragma once

#include "platform/platform.h"

/* A driver and the values of its options. */
struct platform_choice {
	const struct platform_driver *driver;
	char *text; /* what texts among the values point into */
	void *values; /* NULL: the driver has no options */
};

/* Reads KIND[:option=value,…]. An error names the drivers or options that exist, and the nearest. */
int platform_choose(const char *text, struct platform_choice *ret_choice, struct error *err);
/* The same among other drivers. */
int platform_choose_among(const struct platform_driver *const *drivers, size_t count, const char *text,
			  struct platform_choice *ret_choice, struct error *err);
void platform_choice_deinit(struct platform_choice *choice); /* harmless when zeroed */

/* options->values are set by this. */
struct platform *platform_open(const struct platform_choice *choice, struct platform_options options,
			       struct error *err);
