/* SPDX-License-Identifier: Apache-2.0 */
/* The module that is measured: its verb returns the request, or with NEXT calls that module's verb with it. With ON_THREAD
 * the verb runs and waits on a thread of its own, which is the default of verbs. */
#include <ftl/module.h>

#define TEXT_OF(name) #name
#define TEXT(name) TEXT_OF(name)

#ifdef ON_THREAD
#define FLAGS 0
#else
#define FLAGS FTL_VERB_NONBLOCKING
#endif

#if defined NEXT && defined ON_THREAD
static int run(struct ftl_context *ftl) {
	const char *answer = ftl_call(ftl, TEXT(NEXT) ".echo", ftl->request);
	return answer != NULL ? ftl_reply(ftl, answer) : -1;
}
#elif defined NEXT
static int pass_on(struct ftl_context *ftl, const char *answer, void *data) {
	(void)data;
	return answer != NULL ? ftl_reply(ftl, answer) : -1;
}

static int run(struct ftl_context *ftl) {
	return ftl_call_then(ftl, TEXT(NEXT) ".echo", ftl->request, pass_on, NULL);
}
#else
static int run(struct ftl_context *ftl) {
	return ftl_reply(ftl, ftl->request);
}
#endif

FTL_MODULE(TEXT(MODULE_NAME), {.name = "echo", .run = run, .flags = FLAGS});
