/* SPDX-License-Identifier: Apache-2.0 */
/* A module whose verbs use the SDK, and fail in the ways that a module can fail. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ftl/module.h>

/* Functions of FTL have these names too. */
int str_distance(void);
void log_write(const char *text);

int str_distance(void) {
	return 42;
}

void log_write(const char *text) {
	printf("own %s\n", text);
	fflush(stdout);
}

static int echo(struct ftl_context *ftl) {
	return ftl_reply(ftl, ftl->request);
}

static int greet(struct ftl_context *ftl) {
	const char *name = ftl_get_string(ftl, ftl->request, "name");
	if (name == NULL)
		return ftl_refuse(ftl, "request.name: expected String");
	return ftl_reply(ftl, ftl_format(ftl, "{\"message\":%s}", ftl_quote(ftl, ftl_format(ftl, "Hello, %s!", name))));
}

/* Starts a program, and answers with what it prints. */
static int run_program(struct ftl_context *ftl) {
	FILE *program = popen(ftl_get_string(ftl, ftl->request, "command"), "r");
	char *printed = ftl_alloc(ftl, 4096);
	if (program == NULL)
		return ftl_fail(ftl, "popen");
	printed[fread(printed, 1, 4095, program)] = '\0';
	pclose(program);
	return ftl_reply(ftl, ftl_quote(ftl, printed));
}

static int fail(struct ftl_context *ftl) {
	return ftl_fail(ftl, "no luck with %s\xFF", "this");
}

static int say_nothing(struct ftl_context *ftl) {
	(void)ftl;
	return 0;
}

static int give_up(struct ftl_context *ftl) {
	(void)ftl;
	return -1;
}

static int changed_its_mind(struct ftl_context *ftl) {
	ftl_fail(ftl, "not now");
	return ftl_reply(ftl, "\"after all\"");
}

/* {"verb":…,"request":…}: calls the verb and answers with its answer. */
static int call(struct ftl_context *ftl) {
	const char *verb = ftl_get_string(ftl, ftl->request, "verb");
	const char *request = ftl_get_string(ftl, ftl->request, "request");
	const char *answer = ftl_call(ftl, verb ? verb : "none", request ? request : "{}");
	return answer == NULL ? -1 : ftl_reply(ftl, answer);
}

static int call_and_tell(struct ftl_context *ftl) {
	const char *answer = ftl_call(ftl, ftl_get_string(ftl, ftl->request, "verb"), "{}");
	if (answer != NULL)
		return ftl_reply(ftl, answer);
	return ftl_reply(
		ftl, ftl_format(ftl, "{\"code\":%d,\"error\":%s}", (int)ftl->error_code, ftl_quote(ftl, ftl->error)));
}

static int answer_with(struct ftl_context *ftl, const char *answer, void *data) {
	if (answer != NULL)
		return ftl_reply(ftl, ftl_format(ftl, "{\"answer\":%s,\"data\":%s}", answer, (const char *)data));
	return ftl_reply(
		ftl, ftl_format(ftl, "{\"code\":%d,\"error\":%s}", (int)ftl->error_code, ftl_quote(ftl, ftl->error)));
}

static int call_then(struct ftl_context *ftl) {
	const char *verb = ftl_get_string(ftl, ftl->request, "verb");
	return ftl_call_then(ftl, verb, ftl->request, answer_with, (void *)ftl_quote(ftl, ftl->verb));
}

static int or_fail(struct ftl_context *ftl, const char *answer, void *data) {
	(void)data;
	return answer == NULL ? -1 : ftl_reply(ftl, answer);
}

static int call_then_fail(struct ftl_context *ftl) {
	return ftl_call_then(ftl, ftl_get_string(ftl, ftl->request, "verb"), "{}", or_fail, NULL);
}

/* Makes as many calls, one after the other, as the request says. */
static int count_down(struct ftl_context *ftl, const char *answer, void *data) {
	int *left = data;
	if (answer == NULL)
		return -1;
	if (--*left == 0)
		return ftl_reply(ftl, "\"counted\"");
	return ftl_call_then(ftl, "time.time", "{}", count_down, left);
}

static int call_many(struct ftl_context *ftl) {
	int *left = ftl_alloc(ftl, sizeof *left);
	*left = atoi(ftl->request) + 1;
	return count_down(ftl, "", left);
}

static int call_twice(struct ftl_context *ftl) {
	int later = ftl_call_then(ftl, "time.time", "{}", or_fail, NULL);
	if (ftl_call_then(ftl, "time.time", "{}", or_fail, NULL) != -1 || strstr(ftl->error, "already") == NULL)
		abort();
	return later;
}

/* Promises to answer later, and nothing ever does. */
static int promise(struct ftl_context *ftl) {
	(void)ftl;
	return FTL_LATER;
}

static int tell(struct ftl_context *ftl) {
	const char *text = ftl_format(ftl, "%s|%s|%s|%s|%s|%zu|%d|%d", ftl->module, ftl->verb, ftl->deployment,
				      ftl->working_dir, ftl->request_id, ftl->request_size,
				      ftl_time_left_ms(ftl) <= 60000, ftl_time_left_ms(ftl) == UINT64_MAX);
	return ftl_reply(ftl, ftl_quote(ftl, text));
}

static int wait_for_the_end(struct ftl_context *ftl) {
	ftl_log(ftl, FTL_INFO, "waiting");
	for (int i = 0; i < 2000 && !ftl_is_cancelled(ftl); i++)
		usleep(10000);
	ftl_log(ftl, FTL_WARN, "%s", ftl_is_cancelled(ftl) ? "the caller has gone" : "nobody told me");
	return ftl_reply(ftl, "{}");
}

static int sleep_ms(struct ftl_context *ftl) {
	ftl_log(ftl, FTL_INFO, "sleeping");
	usleep((useconds_t)atoi(ftl->request) * 1000);
	return ftl_reply(ftl, "\"slept\"");
}

static int use_memory(struct ftl_context *ftl) {
	for (size_t size = 1 << 20; size > 0; size /= 2)
		while (ftl_alloc(ftl, size) != NULL)
			;
	return ftl_reply(ftl, ftl_format(ftl, "%s", "{}"));
}

static int use_stack(struct ftl_context *ftl) {
	volatile char bytes[512 << 10];
	for (size_t i = 0; i < sizeof bytes; i += 1024)
		bytes[i] = 1;
	return ftl_reply(ftl, "{}");
}

static int use_own_names(struct ftl_context *ftl) {
	log_write("line");
	return ftl_reply(ftl, ftl_format(ftl, "%d", str_distance()));
}

/* Prints its request on standard output and standard error. */
static int print(struct ftl_context *ftl) {
	printf("%s\n", ftl->request);
	fprintf(stderr, "%s\n", ftl->request);
	return ftl_reply(ftl, "{}");
}

/* Prints as many lines as the request says, which are more than a pipe holds. */
/* Without the end of the line. */
static int print_part(struct ftl_context *ftl) {
	printf("%s", ftl->request);
	fflush(stdout);
	return ftl_reply(ftl, "{}");
}

static int print_much(struct ftl_context *ftl) {
	for (int i = atoi(ftl->request); i > 0; i--)
		printf("%d bottles of beer on the wall\n", i);
	return ftl_reply(ftl, "{}");
}

static int count(struct ftl_context *ftl) {
	return ftl_reply(ftl, ftl_format(ftl, "%d", *(int *)ftl->user));
}

static int crash(struct ftl_context *ftl) {
	(void)ftl;
	printf("about to crash");
	fflush(stdout);
	abort();
}

static long go_deep(volatile long *above) {
	volatile long here[100] = {*above};
	return *above < 0 ? 0 : go_deep(here) + here[99];
}

static int recurse(struct ftl_context *ftl) {
	(void)ftl;
	printf("going deep\n");
	fflush(stdout);
	volatile long top = 1;
	return go_deep(&top) > 0;
}

static const struct ftl_verb verbs[] = {
	{.name = "echo", .run = echo},
	{.name = "echoDirectly", .run = echo, .flags = FTL_VERB_NONBLOCKING},
	{.name = "greet", .run = greet},
	{.name = "runProgram", .run = run_program},
	{.name = "runProgramDirectly", .run = run_program, .flags = FTL_VERB_NONBLOCKING},
	{.name = "fail", .run = fail},
	{.name = "failDirectly", .run = fail, .flags = FTL_VERB_NONBLOCKING},
	{.name = "sayNothing", .run = say_nothing},
	{.name = "giveUp", .run = give_up},
	{.name = "changedItsMind", .run = changed_its_mind},
	{.name = "call", .run = call},
	{.name = "callDirectly", .run = call, .flags = FTL_VERB_NONBLOCKING},
	{.name = "callAndTell", .run = call_and_tell},
	{.name = "callThen", .run = call_then},
	{.name = "callThenDirectly", .run = call_then, .flags = FTL_VERB_NONBLOCKING},
	{.name = "callThenFail", .run = call_then_fail},
	{.name = "callThenFailDirectly", .run = call_then_fail, .flags = FTL_VERB_NONBLOCKING},
	{.name = "callMany", .run = call_many},
	{.name = "callManyDirectly", .run = call_many, .flags = FTL_VERB_NONBLOCKING},
	{.name = "callTwice", .run = call_twice},
	{.name = "callTwiceDirectly", .run = call_twice, .flags = FTL_VERB_NONBLOCKING},
	{.name = "promise", .run = promise},
	{.name = "promiseDirectly", .run = promise, .flags = FTL_VERB_NONBLOCKING},
	{.name = "tell", .run = tell},
	{.name = "waitForTheEnd", .run = wait_for_the_end},
	{.name = "sleep", .run = sleep_ms},
	{.name = "useMemory", .run = use_memory},
	{.name = "useStack", .run = use_stack},
	{.name = "useOwnNames", .run = use_own_names},
	{.name = "print", .run = print},
	{.name = "printPart", .run = print_part},
	{.name = "printMuch", .run = print_much},
	{.name = "printMuchDirectly", .run = print_much, .flags = FTL_VERB_NONBLOCKING},
	{.name = "count", .run = count},
	{.name = "crash", .run = crash},
	{.name = "recurse", .run = recurse},
	{.name = "recurseDirectly", .run = recurse, .flags = FTL_VERB_NONBLOCKING},
};

static int started = 7;

static int start(struct ftl_context *ftl) {
	ftl_log(ftl, FTL_INFO, "starting");
	const char *how = getenv("PROBE_START");
	if (how != NULL && strcmp(how, "fail") == 0 && printf("looking for") > 0 && fprintf(stderr, "no route\n") > 0)
		return ftl_fail(ftl, "the database is not there");
	if (how != NULL && strcmp(how, "hang") == 0)
		sleep(60);
	ftl->user = &started;
	return 0;
}

static void stop(struct ftl_context *ftl) {
	ftl_log(ftl, FTL_INFO, "stopping with %d", *(int *)ftl->user);
	printf("good bye"); /* without the end of the line */
}

#ifndef PROBE_VERSION
#define PROBE_VERSION FTL_MODULE_VERSION
#endif

const struct ftl_module ftl_module = {
	.version = PROBE_VERSION,
	.verb_count = sizeof verbs / sizeof verbs[0],
	.name = "probe",
	.verbs = verbs,
	.start = start,
	.stop = stop,
};
