/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <stdio.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/output.h"
#include "ftl.pb-c.h"

struct ping_options {
	struct common_options common;
	uint64_t wait_ms;
};

static const struct args_option options[] = {
	{.name = "wait",
	 .letter = 'w',
	 .kind = ARGS_DURATION,
	 .offset = offsetof(struct ping_options, wait_ms),
	 .value = "DURATION",
	 .standard = "0",
	 .help = "retry for this long until the Backplane is ready"},
};

/* Pause between two attempts: short at first, as a Backplane starts within milliseconds. */
enum { PAUSE_FIRST_MS = 20, PAUSE_MAX_MS = 500 };

/* One attempt. Unavailable: not ready, and the text says why. */
static int ping(struct cli *cli, uint64_t timeout_ms, uint64_t *ret_us, struct error *err) {
	const struct client_call call = {
		.path = "/xyz.block.ftl.v1.BackplaneService/Ping",
		.response = &ftl__ping_response__descriptor,
		.timeout_ms = MAX(timeout_ms, (uint64_t)1),
	};
	const Ftl__PingRequest request = FTL__PING_REQUEST__INIT;
	const ProtobufCMessage *response;
	uint64_t start_us = clock_us();
	struct arena arena = ARENA_INIT(CLI_ARENA_MAX);
	int result = client_unary(cli->client, &call, &request.base, &arena, &response, err);
	if (result == 0) {
		const Ftl__PingResponse *pong = (const Ftl__PingResponse *)response;
		*ret_us = clock_us() - start_us;
		if (pong->not_ready[0] != '\0')
			result = error_set(err, CODE_UNAVAILABLE, "%s is not ready: %s", client_endpoint(cli->client),
					   pong->not_ready);
	}
	arena_deinit(&arena);
	return result;
}

static bool is_worth_waiting(const struct error *err) {
	return err->code == CODE_UNAVAILABLE || err->code == CODE_DEADLINE_EXCEEDED;
}

static int ping_until_ready(struct cli *cli, uint64_t wait_ms, uint64_t *ret_us, struct error *err) {
	uint64_t end_ms = clock_ms() + wait_ms, pause_ms = PAUSE_FIRST_MS;
	for (;;) {
		uint64_t now_ms = clock_ms();
		uint64_t left_ms = end_ms > now_ms ? end_ms - now_ms : 0;
		if (ping(cli, wait_ms == 0 ? CLI_TIMEOUT_MS : left_ms, ret_us, err) == 0)
			return 0;
		if (!is_worth_waiting(err) || wait_ms == 0)
			return -1;
		now_ms = clock_ms();
		if (now_ms + pause_ms >= end_ms)
			return error_wrap(err, "gave up after %llu ms", (unsigned long long)wait_ms);
		progress_show("waiting for %s: %s", client_endpoint(cli->client), err->msg);
		struct error stop;
		if (client_sleep(cli->client, pause_ms, &stop) < 0)
			return -1;
		pause_ms = MIN(pause_ms * 2, (uint64_t)PAUSE_MAX_MS);
	}
}

static int run(struct cli *cli) {
	const struct ping_options *given = cli->options;
	struct error err;
	uint64_t took_us = 0;
	if (cli_connect(cli, NULL, &err) < 0 || ping_until_ready(cli, given->wait_ms, &took_us, &err) < 0)
		return cli_fail(cli, &err);
	progress_clear();
	const char *endpoint = client_endpoint(cli->client);
	if (cli->common->output == FORMAT_JSON)
		output_json(json_pack("{s:s, s:f}", "endpoint", endpoint, "took_ms", (double)took_us / 1000),
			    JSON_ONE_LINE);
	else
		printf("%s is ready (%.1f ms)\n", endpoint, (double)took_us / 1000);
	return EXIT_DONE;
}

const struct command command_ping = {
	.name = "ping",
	.summary = "ask the Backplane whether it is ready, or wait until it is",
	.operands = "",
	.examples = "ftl ping\nftl ping --wait 30s",
	.notes = "Exits with 0 when the Backplane is ready for calls, else with 1.",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.options_size = sizeof(struct ping_options),
	.common = COMMON_ENDPOINT | COMMON_OUTPUT,
	.run = run,
};
