/* SPDX-License-Identifier: Apache-2.0 */
/* The module that is measured: its verb gives back the request, or with NEXT asks that module's verb to. It runs on a
 * thread of its own, as verbs do that say nothing else, with NEXT or ON_THREAD. */
#include <ftl/module.h>

#define TEXT_OF(name) #name
#define TEXT(name) TEXT_OF(name)

#ifdef NEXT
static int ask(struct ftl_context *ftl) {
	const char *answer = ftl_call(ftl, TEXT(NEXT) ".echo", ftl->request);
	return answer != NULL ? ftl_reply(ftl, answer) : -1;
}

FTL_MODULE(TEXT(MODULE_NAME), {.name = "echo", .run = ask});
#else
static int echo(struct ftl_context *ftl) {
	return ftl_reply(ftl, ftl->request);
}

#ifdef ON_THREAD
FTL_MODULE(TEXT(MODULE_NAME), {.name = "echo", .run = echo});
#else
FTL_MODULE(TEXT(MODULE_NAME), {.name = "echo", .run = echo, .flags = FTL_VERB_NONBLOCKING});
#endif
#endif
