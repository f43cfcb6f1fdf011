/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/reports.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/text.h"

void report_move(struct report *report, enum report_state next) {
	ASSERT(report->state != next); /* WAITING and SENDING: the two arrows between them are all there are */
	report->state = next;
}

static void drop(struct reports *reports, struct report *report) {
	if (report->state == REPORT_SENDING)
		reports->effects->ops->cancel_report(reports->effects, report);
	list_remove(&report->link);
	reports->count--;
	arena_deinit(&report->arena);
	free(report);
}

static void send_report(struct reports *reports, struct report *report) {
	report_move(report, REPORT_SENDING);
	report->send_id = ++reports->last_send_id;
	reports->effects->ops->send_report(reports->effects, report, REPORT_ANSWER_MAX_MS);
}

static void copy_error(struct report *report, const struct report_options *options) {
	struct arena *arena = &report->arena;
	/* A text that was cut may end within a character. */
	struct buf text = BUF_INIT(sizeof options->error->msg * 3);
	text_repair(&text, str_from(options->error->msg));
	report->error = arena_strdup(arena, buf_view(&text));
	buf_deinit(&text);
	report->line_count = options->last_lines->count;
	report->last_lines = arena_alloc(arena, MAX(report->line_count, (size_t)1) * sizeof(char *));
	for (size_t i = 0; i < report->line_count; i++)
		report->last_lines[i] = arena_strdup(arena, str_from(last_lines_get(options->last_lines, i)));
}

static struct report *new_report(const struct report_options *options) {
	struct report *report = mem_zalloc(sizeof *report);
	report->arena = ARENA_INIT(KIB(64));
	report->deployment_key = arena_strdup(&report->arena, str_from(options->deployment_key));
	report->attempt = options->attempt;
	report->fetch_us = options->fetch_us;
	report->start_us = options->start_us;
	report->runner_fault = options->runner_fault;
	if (options->error != NULL)
		copy_error(report, options);
	return report;
}

void reports_send(struct reports *reports, const struct report_options *options) {
	LIST_FOREACH(link, &reports->open) {
		struct report *before = LIST_ENTRY(link, struct report, link);
		if (strcmp(before->deployment_key, options->deployment_key) == 0)
			drop(reports, before);
	}
	if (reports->count == REPORTS_MAX)
		drop(reports, LIST_ENTRY(reports->open.next, struct report, link));
	struct report *report = new_report(options);
	list_append(&reports->open, &report->link);
	reports->count++;
	send_report(reports, report);
}

static struct report *find_sending(const struct reports *reports, uint64_t send_id) {
	LIST_FOREACH(link, &reports->open) {
		struct report *report = LIST_ENTRY(link, struct report, link);
		if (report->state == REPORT_SENDING && report->send_id == send_id)
			return report;
	}
	return NULL;
}

bool reports_answered(struct reports *reports, uint64_t now_ms, uint64_t send_id, const struct error *err,
		      char ret_unwanted[KEY_MAX]) {
	struct report *report = find_sending(reports, send_id);
	if (report == NULL)
		return false;
	report_move(report, REPORT_WAITING);
	report->sending = NULL;
	if (err != NULL && agent_code_is_passing(err->code)) {
		report->delay_ms =
			MIN(MAX(report->delay_ms * 2, (uint64_t)REPORT_RETRY_FIRST_MS), (uint64_t)REPORT_RETRY_LAST_MS);
		report->due_ms = now_ms + report->delay_ms;
		return false;
	}
	if (err != NULL)
		agent_log(reports->effects, LOG_ERROR, "the Backplane did not take the report on %s: %s",
			  report->deployment_key, err->msg);
	bool is_unwanted = err != NULL && err->code == CODE_FAILED_PRECONDITION && report->error == NULL;
	if (is_unwanted)
		snprintf(ret_unwanted, KEY_MAX, "%s", report->deployment_key);
	drop(reports, report);
	return is_unwanted;
}

void reports_tick(struct reports *reports, uint64_t now_ms) {
	LIST_FOREACH(link, &reports->open) {
		struct report *report = LIST_ENTRY(link, struct report, link);
		if (report->state == REPORT_WAITING && report->due_ms <= now_ms)
			send_report(reports, report);
	}
}

uint64_t reports_due_ms(const struct reports *reports) {
	uint64_t due_ms = UINT64_MAX;
	LIST_FOREACH(link, &reports->open) {
		const struct report *report = LIST_ENTRY(link, struct report, link);
		if (report->state == REPORT_WAITING)
			due_ms = MIN(due_ms, report->due_ms);
	}
	return due_ms;
}

void reports_init(struct reports *reports, struct agent_effects *effects) {
	*reports = (struct reports){.effects = effects};
	list_init(&reports->open);
}

void reports_deinit(struct reports *reports) {
	LIST_FOREACH(link, &reports->open)
		drop(reports, LIST_ENTRY(link, struct report, link));
}
