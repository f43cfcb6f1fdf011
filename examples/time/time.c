/* SPDX-License-Identifier: Apache-2.0 */
/* Tells the time. */
#include <stdio.h>
#include <time.h>

#include <ftl/module.h>

static int tell(struct ftl_context *ftl) {
	struct timespec now;
	struct tm parts;
	char seconds[32], text[64];
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &parts);
	strftime(seconds, sizeof seconds, "%Y-%m-%dT%H:%M:%S", &parts);
	snprintf(text, sizeof text, "{\"time\":\"%s.%03ldZ\"}", seconds, now.tv_nsec / 1000000);
	return ftl_reply(ftl, text);
}

FTL_MODULE("time", {.name = "time", .run = tell, .flags = FTL_VERB_NONBLOCKING});
