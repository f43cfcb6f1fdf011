/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/runner.h"

#include "base/log.h"
#include "cli/cli.h"

struct run_options {
	struct common_options common;
	const char *bind, *language, *key, *work_folder;
	bool managed;
	uint64_t kill_timeout_ms;
};

#define OPTION(member) offsetof(struct run_options, member)

static const struct args_option options[] = {
	{.name = "language",
	 .letter = 'l',
	 .kind = ARGS_TEXT,
	 .offset = OPTION(language),
	 .value = "NAME",
	 .help = "host deployments of this language; required"},
	{.name = "bind",
	 .letter = 'b',
	 .kind = ARGS_TEXT,
	 .offset = OPTION(bind),
	 .value = "URL",
	 .standard = "http://127.0.0.1:0",
	 .help = "where to listen: http://HOST:PORT or unix:PATH;\n"
		 "port 0: any that is free"},
	{.name = "key",
	 .kind = ARGS_TEXT,
	 .offset = OPTION(key),
	 .value = "KEY",
	 .help = "the Runner's key at the Backplane (default: the Backplane chooses one)"},
	{.name = "managed",
	 .kind = ARGS_FLAG,
	 .offset = OPTION(managed),
	 .help = "a Backplane has started it, and logs itself what happens to it"},
	{.name = "work-folder",
	 .kind = ARGS_TEXT,
	 .offset = OPTION(work_folder),
	 .value = "DIR",
	 .help = "folder for deployments (default: a new folder in TMPDIR or /tmp)"},
	{.name = "kill-timeout",
	 .kind = ARGS_DURATION,
	 .offset = OPTION(kill_timeout_ms),
	 .value = "DURATION",
	 .standard = "10s",
	 .help = "time between SIGTERM and SIGKILL when a process is ended"},
};

static int run(struct cli *cli) {
	const struct run_options *given = cli->options;
	struct error err;
	struct rpc_server_options limits;
	if (given->language == NULL)
		return cli_usage(cli, "the language is missing: --language NAME");
	int wrong = cli_limits(cli, HTTP_HEADER_BYTES_MAX, HTTP_HEADER_BYTES_MAX, &limits);
	if (wrong != EXIT_DONE)
		return wrong;
	if (given->common.limits.resets == NULL)
		limits.http.resets = HTTP_NEVER; /* the Backplane resets calls that any of its clients gave up */
	struct runner_options runner = {
		.bind = given->bind,
		.limits = limits,
		.language = given->language,
		.key = given->key,
		.managed = given->managed,
		.work_folder = given->work_folder,
		.tls_cert = given->common.tls_cert,
		.tls_key = given->common.tls_key,
		.tls_client_ca = given->common.tls_client_ca,
		.busy_poll_us = given->common.process.busy_poll_us,
		.start_timeout_ms = given->common.process.start_timeout_ms,
		.orphan_timeout_ms = given->common.process.orphan_timeout_ms,
		.kill_timeout_ms = given->kill_timeout_ms,
		.child_ping_ms = given->common.process.child_ping_ms,
	};
	struct tls_options trust;
	if (cli_endpoint(cli, NULL, &runner.backplane, &err) < 0 || cli_trust(cli, runner.backplane, &trust, &err) < 0)
		return cli_fail(cli, &err);
	runner.ca = trust.ca_file;
	/* The child gets the one, and the Backplane the other; either may work in another folder. */
	if (cli_absolute(cli, &runner.backplane, &err) < 0)
		return cli_usage(cli, "the Backplane's endpoint: %s", err.msg);
	if (cli_absolute(cli, &runner.bind, &err) < 0)
		return cli_usage(cli, "--bind: %s", err.msg);
	log_init(given->common.process.log_level, given->key != NULL ? given->key : "runner");
	return runner_run(&runner, &err) < 0 ? cli_fail(cli, &err) : EXIT_DONE;
}

const struct command command_runner = {
	.name = "runner",
	.summary = "run a Runner by hand; a Backplane starts its own",
	.operands = "",
	.examples = "ftl runner --language python\nftl runner --language c --endpoint http://10.0.0.1:8892",
	.notes =
		"Registers with the Backplane and hosts deployments until the Backplane ends it, or until a signal that\n"
		"ends a process by default, such as SIGTERM, SIGINT, or SIGHUP of a terminal that closes.",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.options_size = sizeof(struct run_options),
	.common = COMMON_ENDPOINT | COMMON_PROCESS | COMMON_TLS | COMMON_LIMITS,
	.run = run,
};
