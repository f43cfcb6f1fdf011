/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/host.h"

#include "runner/log_line.h"

void host_init(struct host *host, const struct host_ops *ops, const struct host_options *options) {
	*host = (struct host){.ops = ops, .options = *options};
	pthread_mutex_init(&host->shared.lock, NULL);
}

void host_deinit(struct host *host) {
	last_lines_deinit(&host->shared.lines);
	pthread_mutex_destroy(&host->shared.lock);
}

void host_keep_line(struct host *host, struct str line) {
	struct arena arena = ARENA_INIT(LOG_LINE_ARENA_MAX);
	pthread_mutex_lock(&host->shared.lock);
	last_lines_add(&host->shared.lines, log_line_show(line, &arena));
	pthread_mutex_unlock(&host->shared.lock);
	arena_deinit(&arena);
}

void host_on_line(void *data, struct str line) {
	struct host *host = data;
	const struct host_options *options = &host->options;
	host_keep_line(host, line);
	logs_add_printed(options->logs, options->module, options->deployment_key, LOG_INFO, line);
}

void host_tell_ended(struct host *host, const struct error *why, bool stuck) {
	pthread_mutex_lock(&host->shared.lock);
	struct last_lines lines = host->shared.lines;
	host->shared.lines = (struct last_lines){0};
	pthread_mutex_unlock(&host->shared.lock);
	host->options.events->ended(host, why, &lines, stuck);
	last_lines_deinit(&lines);
}
