/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/watch.h"

#include <jansson.h>
#include <stdio.h>

#include "base/clock.h"
#include "cli/json.h"
#include "cli/output.h"
#include "ftl.pb-c.h"

enum { LOST_MAX_MS = 10000, LOST_RETRY_MS = 100 };

static void show_lines(const Ftl__WatchDeploymentResponse *step) {
	progress_clear();
	for (size_t i = 0; i < step->n_last_lines; i++)
		output_lines(stderr, "  | ", str_from(step->last_lines[i]));
}

/* Prints a step with the time since the first one, by the Backplane's clock. */
static void show_step(struct watch *watch, const Ftl__WatchDeploymentResponse *step) {
	char elapsed[TIME_TEXT_MAX], word[ENUM_WORD_MAX];
	if (watch->first_step_ms == 0)
		watch->first_step_ms = step->time_ms;
	duration_format(elapsed, step->time_ms - watch->first_step_ms);
	enum_word(&ftl__deployment_state__descriptor, (int)step->state, word);
	bool is_end = step->state != FTL__DEPLOYMENT_STATE__DEPLOYMENT_STATE_STARTING;
	bool speaks = step->n_last_lines > 0 && !is_end; /* a replica that did not come up, beside others */
	if (output_is_terminal(stderr)) {
		progress_note("%s: %8s  %-8s %s", watch->module, elapsed, word, step->text);
	} else if (watch->verbose || speaks) {
		fprintf(stderr, "%s: %8s  %-8s ", watch->module, elapsed, word);
		output_text(stderr, str_from(step->text));
		putc('\n', stderr);
	}
	if (speaks)
		show_lines(step);
}

static int failed(const struct watch *watch, const Ftl__WatchDeploymentResponse *step, const char *what,
		  struct error *err) {
	show_lines(step);
	return error_set(err, CODE_UNAVAILABLE, "%s: %s %s%s%s", watch->module, watch->key, what,
			 step->text[0] != '\0' ? ": " : "", step->text);
}

/* The stream broke off; the state of the deployment is unknown. */
static int lost_sight(const struct watch *watch, struct error *err) {
	char waited[TIME_TEXT_MAX];
	duration_format(waited, (int64_t)watch->timeout_ms);
	if (err->code == CODE_DEADLINE_EXCEEDED)
		return error_set(err, CODE_DEADLINE_EXCEEDED,
				 "%s: %s is not live after %s; the Backplane goes on, see: ftl ps", watch->module,
				 watch->key, waited);
	return error_wrap(err, "%s: %s could not be watched until it is live", watch->module, watch->key);
}

/* Handles one step; *ret_over: the deployment has reached its end state. */
static int take_step(struct watch *watch, const Ftl__WatchDeploymentResponse *step, bool *ret_over,
		     struct error *err) {
	show_step(watch, step);
	*ret_over = step->state == FTL__DEPLOYMENT_STATE__DEPLOYMENT_STATE_LIVE;
	if (step->state == FTL__DEPLOYMENT_STATE__DEPLOYMENT_STATE_FAILED)
		return failed(watch, step, "failed", err);
	if (step->state == FTL__DEPLOYMENT_STATE__DEPLOYMENT_STATE_STOPPED)
		return failed(watch, step, "was stopped before it was live", err);
	return 0;
}

static int follow(struct watch *watch, struct client_stream *stream, bool *ret_broke, struct error *err) {
	for (bool over = false; !over;) {
		const ProtobufCMessage *message;
		if (client_receive(stream, &message, err) < 0) {
			*ret_broke = err->code == CODE_UNAVAILABLE;
			return lost_sight(watch, err);
		}
		watch->lost_ms = 0;
		if (message == NULL)
			return error_set(err, CODE_INTERNAL, "%s: the Backplane ended the stream before %s was live",
					 watch->module, watch->key);
		if (take_step(watch, (const Ftl__WatchDeploymentResponse *)message, &over, err) < 0)
			return -1;
	}
	return 0;
}

/* *ret_broke: the Backplane closed the stream; the next Backplane may answer. */
static int watch_once(struct cli *cli, struct watch *watch, uint64_t timeout_ms, bool *ret_broke, struct error *err) {
	Ftl__WatchDeploymentRequest request = FTL__WATCH_DEPLOYMENT_REQUEST__INIT;
	request.deployment_key = (char *)watch->key;
	struct client_stream *stream = cli_start(cli, "WatchDeployment",
						 &ftl__watch_deployment_response__descriptor,
						 timeout_ms);
	int result = client_send(stream, &request.base, err);
	if (result == 0) {
		client_half_close(stream);
		progress_show("%s: waiting for %s", watch->module, watch->key);
		result = follow(watch, stream, ret_broke, err);
	}
	client_stream_free(stream);
	return result;
}

/* A created deployment is durable: when the Backplane is replaced or restarts, the next one continues the deployment,
 * so the watch connects again. */
static int watch_on(struct cli *cli, struct watch *watch, struct error *err) {
	uint64_t limit_ms = watch->timeout_ms, begin_ms = clock_ms();
	for (;;) {
		bool broke = false;
		uint64_t gone_ms = clock_ms() - begin_ms;
		uint64_t left_ms = limit_ms == 0 ? 0 : gone_ms < limit_ms ? limit_ms - gone_ms : 1;
		if (watch_once(cli, watch, left_ms, &broke, err) == 0)
			return 0;
		watch->lost_ms = watch->lost_ms ? watch->lost_ms : clock_ms();
		struct error interrupted;
		if (!broke || clock_ms() - watch->lost_ms >= LOST_MAX_MS ||
		    client_sleep(cli->client, LOST_RETRY_MS, &interrupted) < 0)
			return -1;
	}
}

int watch_until_live(struct cli *cli, const struct watch *given, struct error *err) {
	struct watch watch = *given;
	int result = watch_on(cli, &watch, err);
	/* An interrupted command says nothing of itself, and the deployment is not interrupted. */
	if (result < 0 && client_is_interrupted(cli->client))
		output_nothing("%s: %s is not live yet; the Backplane goes on, see: ftl ps", watch.module, watch.key);
	return result;
}

unsigned watch_count_alive(struct cli *cli, const char *deployment_key) {
	const Ftl__StatusRequest request = FTL__STATUS_REQUEST__INIT;
	const ProtobufCMessage *response;
	struct error ignored;
	if (cli_unary(cli, "Status", &request.base, &ftl__status_response__descriptor, &response, &ignored) < 0)
		return 0;
	const Ftl__StatusResponse *status = (const Ftl__StatusResponse *)response;
	for (size_t i = 0; i < status->n_deployments; i++)
		if (strcmp(status->deployments[i]->key, deployment_key) == 0)
			return status->deployments[i]->alive;
	return 0;
}

int watch_and_tell(struct cli *cli, const struct watch *watch, bool wait, const char *otherwise, struct error *err) {
	if (wait && watch_until_live(cli, watch, err) < 0)
		return -1;
	unsigned replicas = wait ? watch_count_alive(cli, watch->key) : 0;
	progress_clear();
	if (cli->common->output == FORMAT_JSON) {
		json_t *told = json_pack("{s:s, s:s, s:b}", "module", watch->module, "deployment_key", watch->key,
					 "live", wait);
		if (wait)
			json_object_set_new(told, "replicas", json_integer(replicas));
		output_json(told, JSON_ONE_LINE);
		return 0;
	}
	printf("%s: ", watch->module);
	output_text(stdout, str_from(watch->key));
	if (!wait)
		printf(" %s\n", otherwise);
	else
		printf(" is live (%u replica%s)\n", replicas, replicas == 1 ? "" : "s");
	return 0;
}
