/* SPDX-License-Identifier: Apache-2.0 */
/*
 *  CALLING ──answered──▶ gone
 *     │ ▲
 *  failed │ delay over
 *     ▼ │
 *  WAITING ──replaced, dropped──▶ gone
 */
#include "runner/reports.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/text.h"
#include "ftl.pb-c.h"
#include "rpc/unary.h"

enum { DELAY_FIRST_MS = 50, DELAY_LAST_MS = 1000, ANSWER_MAX_MS = 5000 };

struct report {
	struct list link;
	struct reports *reports; /* NULL: dropped while it was being sent */
	struct arena arena;
	Ftl__DeployedRequest message;
	struct rpc_unary_call *call; /* NULL: it waits */
	struct timer delay;
	uint64_t delay_ms;
};

static void free_report(struct report *report) {
	arena_deinit(&report->arena);
	free(report);
}

static void drop(struct report *report) {
	struct reports *reports = report->reports;
	list_remove(&report->link);
	reports->count--;
	timer_stop(reports->loop, &report->delay);
	report->reports = NULL;
	if (report->call != NULL)
		rpc_unary_call_cancel(report->call);
	else
		free_report(report);
}

static bool is_worth_another_try(enum code code) {
	return code == CODE_UNAVAILABLE || code == CODE_DEADLINE_EXCEEDED || code == CODE_CANCELLED ||
	       code == CODE_ABORTED || code == CODE_RESOURCE_EXHAUSTED || code == CODE_UNKNOWN;
}

static void on_answered(void *owner, const ProtobufCMessage *response UNUSED, const struct error *err) {
	struct report *report = owner;
	report->call = NULL;
	if (report->reports == NULL) {
		free_report(report);
	} else if (err != NULL && is_worth_another_try(err->code)) {
		report->delay_ms = MIN(MAX(report->delay_ms * 2, (uint64_t)DELAY_FIRST_MS), (uint64_t)DELAY_LAST_MS);
		timer_start(report->reports->loop, &report->delay, report->delay_ms);
	} else {
		struct reports *reports = report->reports;
		bool unwanted =
			err != NULL && err->code == CODE_FAILED_PRECONDITION && report->message.error[0] == '\0';
		char key[KEY_MAX];
		snprintf(key, sizeof key, "%s", report->message.deployment_key);
		if (err != NULL)
			log_failure(LOG_ERROR, err, "the Backplane did not take the report on %s", key);
		drop(report);
		if (unwanted && reports->unwanted != NULL)
			reports->unwanted(reports, key);
	}
}

static void send_report(struct timer *timer) {
	struct report *report = CONTAINER_OF(timer, struct report, delay);
	report->message.runner_key = (char *)report->reports->runner_key;
	report->call = rpc_unary_call(report->reports->backplane,
				      &(struct rpc_unary_options){
					      .path = "/xyz.block.ftl.v1.BackplaneService/Deployed",
					      .timeout_ms = ANSWER_MAX_MS,
					      .response = &ftl__deployed_response__descriptor,
					      .done = on_answered,
					      .owner = report,
				      },
				      &report->message.base);
}

static void fill_in(struct report *report, const struct report_options *options) {
	struct arena *arena = &report->arena;
	report->message = (Ftl__DeployedRequest)FTL__DEPLOYED_REQUEST__INIT;
	report->message.deployment_key = arena_strdup(arena, str_from(options->deployment_key));
	report->message.attempt = options->attempt;
	report->message.fetch_us = options->fetch_us;
	report->message.start_us = options->start_us;
	if (options->error == NULL)
		return;
	report->message.runner_fault = options->runner_fault;
	/* A text that was cut may end within a character. */
	struct buf text = BUF_INIT(sizeof options->error->msg * 3);
	text_repair(&text, str_from(options->error->msg));
	report->message.error = arena_strdup(arena, buf_view(&text));
	buf_deinit(&text);
	size_t count = options->last_lines->count;
	report->message.last_lines = arena_alloc(arena, MAX(count, (size_t)1) * sizeof(char *));
	report->message.n_last_lines = count;
	for (size_t i = 0; i < count; i++)
		report->message.last_lines[i] = arena_strdup(arena, str_from(last_lines_get(options->last_lines, i)));
}

void reports_send(struct reports *reports, const struct report_options *options) {
	LIST_FOREACH(link, &reports->open) {
		struct report *before = LIST_ENTRY(link, struct report, link);
		if (strcmp(before->message.deployment_key, options->deployment_key) == 0)
			drop(before);
	}
	if (reports->count == REPORTS_MAX)
		drop(LIST_ENTRY(reports->open.next, struct report, link));
	struct report *report = mem_zalloc(sizeof *report);
	report->reports = reports;
	report->arena = ARENA_INIT(KIB(64));
	report->delay.fire = send_report;
	fill_in(report, options);
	list_append(&reports->open, &report->link);
	reports->count++;
	send_report(&report->delay);
}

void reports_init(struct reports *reports, struct loop *loop, struct rpc_channel *backplane, const char *runner_key) {
	*reports = (struct reports){.loop = loop, .backplane = backplane, .runner_key = runner_key};
	list_init(&reports->open);
}

void reports_end(struct reports *reports) {
	LIST_FOREACH(link, &reports->open)
		drop(LIST_ENTRY(link, struct report, link));
}
