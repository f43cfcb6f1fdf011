/* SPDX-License-Identifier: Apache-2.0 */
/* Greets people and tells them the time. */
#include <ftl/module.h>

static int echo(struct ftl_context *ftl) {
	const char *name = ftl_get_string(ftl, ftl->request, "name");
	if (name == NULL)
		return ftl_refuse(ftl, "request.name: expected String");

	const char *answer = ftl_call(ftl, "time.time", "{}");
	if (answer == NULL)
		return -1;
	const char *time = ftl_get_string(ftl, answer, "time");
	if (time == NULL)
		return ftl_fail(ftl, "time.time answered without a time: %s", answer);

	const char *message = ftl_format(ftl, "Hello, %s! The time is %s.", name, time);
	return ftl_reply(ftl, ftl_format(ftl, "{\"message\":%s}", ftl_quote(ftl, message)));
}

FTL_MODULE("echo", {.name = "echo", .run = echo});
