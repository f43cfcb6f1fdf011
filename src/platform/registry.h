/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kinds of Platforms that this program has, and the parser of --platform KIND[:option=value,…].
 */
#pragma once

#include "platform/platform.h"

/* A driver and the values of its options. */
struct platform_choice {
	const struct platform_driver *driver;
	char *text; /* owns the texts among the values */
	void *values; /* NULL: the driver has no options */
};

/* Reads KIND[:option=value,…]. An error lists the drivers or options that exist, and names the nearest one. */
int platform_choose(const char *text, struct platform_choice *ret_choice, struct error *err);
/* The same with a given list of drivers. */
int platform_choose_among(const struct platform_driver *const *drivers, size_t count, const char *text,
			  struct platform_choice *ret_choice, struct error *err);
void platform_choice_deinit(struct platform_choice *choice); /* takes a zeroed choice as well */

/* Sets options.values, and opens the platform. */
struct platform *platform_open(const struct platform_choice *choice, struct platform_options options,
			       struct error *err);
