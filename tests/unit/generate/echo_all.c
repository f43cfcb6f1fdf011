/* SPDX-License-Identifier: Apache-2.0 */
#include "echo_all.h"

#include <stdio.h>
#include <string.h>

#include "m.ftl.h"

#define ECHO_VALUE(verb, type)                                                \
	int m_##verb(struct ftl_context *ftl, type request, type *response) { \
		(void)ftl;                                                    \
		*response = request;                                          \
		return 0;                                                     \
	}
#define ECHO_STRUCT(verb, type)                                                      \
	int m_##verb(struct ftl_context *ftl, const type *request, type *response) { \
		(void)ftl;                                                           \
		*response = *request;                                                \
		return 0;                                                            \
	}

ECHO_VALUE(v_int, int64_t)
ECHO_VALUE(v_float, double)
ECHO_VALUE(v_bool, bool)
ECHO_VALUE(v_string, const char *)
ECHO_STRUCT(v_time, struct ftl_time)
ECHO_STRUCT(v_bytes, struct ftl_bytes)
ECHO_STRUCT(v_any, struct ftl_any)
ECHO_STRUCT(v_maybe_int, struct ftl_optional_int)
ECHO_STRUCT(v_maybe_items, struct m_list_of_optional_Item)
ECHO_STRUCT(v_ints, struct m_list_of_Int)
ECHO_STRUCT(v_lists, struct m_list_of_list_of_Int)
ECHO_STRUCT(v_map, struct m_map_of_Int)
ECHO_STRUCT(v_map_keys, m_Ints)
ECHO_STRUCT(v_levels, m_Levels)
ECHO_STRUCT(v_moods, m_Moods)
ECHO_STRUCT(v_foreign, m_Foreign)
ECHO_STRUCT(v_item, struct m_Item)
ECHO_STRUCT(v_alias, m_Alias)
ECHO_STRUCT(v_order, struct m_Order)
ECHO_STRUCT(v_page, struct m_Page_of_Int)
ECHO_STRUCT(v_box, struct m_Box_of_Maybe)
ECHO_STRUCT(v_both, struct m_Both_of_Int_and_list_of_Mood)
ECHO_VALUE(v_mood, enum m_Mood)
ECHO_VALUE(v_level, enum m_Level)
ECHO_STRUCT(v_shape, struct m_Shape)
ECHO_STRUCT(v_expr, struct m_Expr)
ECHO_STRUCT(v_tree, struct m_Tree)
ECHO_STRUCT(v_refs, struct m_Refs)
ECHO_STRUCT(v_words, struct m_Words)
ECHO_STRUCT(v_options, struct m_Options)
ECHO_STRUCT(v_empty, struct m_Empty)
ECHO_STRUCT(v_plain, struct m_Plain)

int m_v_unit(struct ftl_context *ftl) {
	(void)ftl;
	return 0;
}

int m_start(struct ftl_context *ftl) {
	ftl->user = ftl;
	return 0;
}

void m_stop(struct ftl_context *ftl) {
	ftl->user = NULL;
}

/* What it answers with follows from the request, for what a verb may do wrong. */
int m_asks(struct ftl_context *ftl, int64_t request, struct m_Item *response) {
	static const char latin[] = "caf\xE9";
	static struct m_Item circle = {.name = "round", .next = &circle};
	struct other_Thing things[] = {{"one"}, {"two"}};
	struct m_list_of_other_Thing deep = {things, 2};
	struct other_Thing thing;
	response->name = "set";
	if (request == 1)
		response->name = NULL;
	else if (request == 2)
		response->name = latin;
	else if (request == 3)
		response->price = ftl_some_float(1.0 / (double)(request - 3));
	else if (request == 4)
		*response = circle;
	else if (request == 5)
		return ftl_fail(ftl, "no");
	else {
		const struct other_Ask ask = {.id = request, .deep = request > 10 ? &deep : NULL};
		if (call_other_ask(ftl, &ask, &thing) < 0)
			return -1;
		response->name = thing.of;
	}
	return 0;
}

/* Answers with a text that is no Any. */
int m_writes(struct ftl_context *ftl, int64_t request, struct ftl_any *response) {
	static const char *const texts[] = {" {\"a\": {\"b\": 1, \"b\": 2}}", "[0, 1e400]", "[1", "{} x", " [1] "};
	(void)ftl;
	response->json = texts[request];
	return 0;
}

int m_asks_again(struct ftl_context *ftl, struct m_list_of_Int *response) {
	if (call_other_nothing(ftl) < 0)
		return -1;
	return call_other_plain(ftl, "why?", response);
}

/* --- the host ----------------------------------------------------------------------------------------------------- */

static void *allocate(struct ftl_context *ftl, size_t size) {
	struct echo *echo = (struct echo *)(void *)ftl;
	if (echo->allowed != SIZE_MAX && size > echo->allowed)
		return NULL;
	if (echo->allowed != SIZE_MAX)
		echo->allowed -= size;
	void *memory = arena_try_alloc(&echo->arena, size);
	return memory ? memset(memory, 0, size) : NULL;
}

static const char *format(struct ftl_context *ftl, const char *text, va_list args) {
	char *copy = allocate(ftl, 2048);
	if (copy != NULL)
		vsnprintf(copy, 2048, text, args);
	return copy;
}

static int reply(struct ftl_context *ftl, const char *json) {
	struct echo *echo = (struct echo *)(void *)ftl;
	echo->reply = json;
	echo->code = json ? 0 : FTL_RESOURCE_EXHAUSTED;
	return json ? 0 : -1;
}

static int fail(struct ftl_context *ftl, enum ftl_code code, const char *text, va_list args) {
	struct echo *echo = (struct echo *)(void *)ftl;
	vsnprintf(echo->failure, sizeof echo->failure, text, args);
	echo->code = code;
	return -1;
}

static const char *call(struct ftl_context *ftl, const char *verb, const char *request) {
	struct echo *echo = (struct echo *)(void *)ftl;
	snprintf(echo->called, sizeof echo->called, "%s %s", verb, request);
	if (echo->answer == NULL) {
		ftl->error_code = FTL_UNAVAILABLE;
		ftl->error = "other.ask: nothing of it is alive";
	}
	return echo->answer;
}

static const struct ftl_host host = {
	.allocate = allocate, .format = format, .reply = reply, .fail = fail, .call = call};

void echo_init(struct echo *echo) {
	*echo = (struct echo){.allowed = SIZE_MAX};
	arena_init(&echo->arena, MIB(64));
}

void echo_deinit(struct echo *echo) {
	arena_deinit(&echo->arena);
}

const struct ftl_verb *echo_verb(const char *name) {
	for (size_t i = 0; i < ftl_module.verb_count; i++)
		if (strcmp(ftl_module.verbs[i].name, name) == 0)
			return &ftl_module.verbs[i];
	return NULL;
}

int echo_run(struct echo *echo, const struct ftl_verb *verb, const char *request) {
	arena_deinit(&echo->arena);
	arena_init(&echo->arena, MIB(64));
	echo->reply = NULL;
	echo->code = 0;
	echo->failure[0] = echo->called[0] = '\0';
	echo->context = (struct ftl_context){
		.host = &host, .module = "m", .verb = verb->name, .request = request, .request_size = strlen(request)};
	return verb->run(&echo->context);
}
