/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backplane/backplane.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/path.h"
#include "cli/cli.h"
#include "cli/output.h"
#include "cli/project/config.h"
#include "cli/project/toolchain.h"
#include "http/cors.h"
#include "net/endpoint.h"
#include "platform/registry.h"

struct serve_options {
	struct common_options common;
	const char *bind, *data, *db, *platform, *port_file;
	bool takeover;
	unsigned threads, warm;
	uint64_t drain_timeout_ms;
	const char *ca;
	const char *allow_origin[ARGS_LIST_MAX + 1];
	uint64_t artefact_max;
	struct error unwritten; /* why the port file could not be written; CODE_OK: it was, or is not wanted */
};

#define OPTION(member) offsetof(struct serve_options, member)

static const struct args_option options[] = {
	{.name = "bind",
	 .letter = 'b',
	 .kind = ARGS_TEXT,
	 .offset = OPTION(bind),
	 .value = "URL",
	 .help = "where to listen: http://HOST:PORT or unix:PATH;\n"
		 "port 0: any that is free (default " CONFIG_ENDPOINT_DEFAULT ")"},
	{.name = "data",
	 .letter = 'd',
	 .kind = ARGS_TEXT,
	 .offset = OPTION(data),
	 .value = "DIR",
	 .help = "where to keep deployments and artefacts (default $XDG_DATA_HOME/ftl,\n"
		 "else ~/.local/share/ftl)"},
	{.name = "takeover",
	 .kind = ARGS_FLAG,
	 .offset = OPTION(takeover),
	 .help = "take over from the Backplane that runs on the data folder\n"
		 "without failing a call; the old one exits when its calls have ended"},
	{.name = "db",
	 .kind = ARGS_TEXT,
	 .offset = OPTION(db),
	 .value = "KIND",
	 .standard = "sqlite",
	 .help = "the database: \"sqlite\", a file in the data folder"},
	{.name = "platform",
	 .kind = ARGS_TEXT,
	 .offset = OPTION(platform),
	 .value = "KIND",
	 .standard = "local",
	 .help = "where Runners live: \"local\", as processes of this machine;\nits options behind a colon: KIND:OPTION=VALUE,..."},
	{.name = "threads",
	 .kind = ARGS_COUNT,
	 .offset = OPTION(threads),
	 .value = "N",
	 .standard = "0",
	 .help = "threads for calls; 0: as many as cores"},
	{.name = "warm",
	 .kind = ARGS_COUNT,
	 .offset = OPTION(warm),
	 .value = "N",
	 .standard = "1",
	 .help = "idle Runners kept for each language in use"},
	{.name = "drain-timeout",
	 .kind = ARGS_DURATION,
	 .offset = OPTION(drain_timeout_ms),
	 .value = "DURATION",
	 .standard = "30s",
	 .help = "time for a replaced deployment to finish its calls"},
	{.name = "max-artefact",
	 .kind = ARGS_SIZE,
	 .offset = OPTION(artefact_max),
	 .value = "SIZE",
	 .standard = "4GiB",
	 .help = "the largest file of a deployment"},
	{.name = "ca",
	 .kind = ARGS_TEXT,
	 .offset = OPTION(ca),
	 .value = "FILE",
	 .help = "authorities (PEM) to trust when a Runner is at https://\n(default: those of the system)"},
	{.name = "allow-origin",
	 .kind = ARGS_LIST,
	 .offset = OPTION(allow_origin),
	 .value = "ORIGIN",
	 .help = "web pages that may call, beside pages of this machine:\n"
		 "https://HOST[:PORT], or * for all; may be given several times"},
	{.name = "port-file",
	 .kind = ARGS_TEXT,
	 .offset = OPTION(port_file),
	 .value = "FILE",
	 .help = "write the endpoint to FILE once the Backplane is ready"},
};

/* Less than a Runner's 48 KiB, as the Backplane adds headers of its own. */
#define HEADER_BYTES_MAX KIB(32)

static void on_taken_over(void *data) {
	struct serve_options *given = data;
	given->port_file = NULL; /* the new process has written it */
}

static void on_ready(void *data, const char *endpoint) {
	struct serve_options *given = data;
	if (given->port_file != NULL &&
	    file_write_whole(given->port_file, str_from(endpoint), 0644, &given->unwritten) < 0) {
		/* Whoever waits for the file would wait for ever: stops in order, and fails. */
		raise(SIGTERM);
		return;
	}
	fprintf(stderr, "FTL serves on %s\n", endpoint);
}

static int check_kinds(struct cli *cli, const struct serve_options *given) {
	if (strcmp(given->db, "sqlite") != 0)
		return cli_usage(cli, "--db is \"%s\"; there is only \"sqlite\" so far", given->db);
	return EXIT_DONE;
}

static int check_origins(struct cli *cli, const struct serve_options *given) {
	for (const char *const *origin = given->allow_origin; *origin != NULL; origin++) {
		if (strcmp(*origin, "*") == 0)
			output_warning(
				"any page that a browser of this network shows may now deploy and run code here");
		else if (!cors_is_origin(str_from(*origin)))
			return cli_usage(
				cli,
				"--allow-origin is \"%s\"; it must be an origin as browsers send it: http[s]://HOST or "
				"http[s]://HOST:PORT, in lower case, without a path, without the default port, or * for all",
				*origin);
	}
	return EXIT_DONE;
}

/* Finds a port file that cannot be written before anything is started. A file of an earlier run goes, as it would look
 * like readiness to a script. */
static int prepare_port_file(const char *path, struct error *err) {
	char *folder = path == NULL ? NULL : mem_strdup(path);
	if (path == NULL)
		return 0;
	struct stat status;
	const char *parent = dirname(folder);
	int result = 0;
	if (stat(path, &status) == 0 && S_ISDIR(status.st_mode))
		result = error_set(err, CODE_INVALID_ARGUMENT, "--port-file: %s is a folder; name a file", path);
	else if (access(parent, W_OK | X_OK) < 0)
		result =
			error_set_errno(err, errno, "--port-file: %s cannot be written in the folder %s", path, parent);
	else
		unlink(path);
	free(folder);
	return result;
}

static int serve(struct cli *cli, struct backplane_options *backplane, struct serve_options *given) {
	struct endpoint endpoint = {.kind = ENDPOINT_UNIX};
	struct error err;
	/* Runners and children get the address, and may work in other folders. */
	if (backplane->bind != NULL && (cli_absolute(cli, &backplane->bind, &err) < 0 ||
					endpoint_parse(str_from(backplane->bind), &endpoint, &err) < 0))
		return cli_usage(cli, "--bind: %s", err.msg);
	struct platform_choice platform;
	if (platform_choose(given->platform, &platform, &err) < 0)
		return cli_usage(cli, "--platform: %s", err.msg);
	backplane->platform = &platform;
	if (!endpoint_is_loopback(&endpoint) && backplane->tls_client_ca == NULL)
		output_warning(
			"%s can be reached from other machines, and FTL does not authenticate callers yet: whoever "
			"reaches it may deploy and run code here",
			backplane->bind);
	if (prepare_port_file(given->port_file, &err) < 0) {
		platform_choice_deinit(&platform);
		return cli_fail(cli, &err);
	}
	log_init(given->common.process.log_level, "backplane");
	int result = backplane_run(backplane, &err);
	platform_choice_deinit(&platform);
	if (given->port_file != NULL)
		unlink(given->port_file);
	if (result == 0 && given->unwritten.code != CODE_OK) {
		err = given->unwritten;
		result = error_wrap(&err, "--port-file");
	}
	return result < 0 ? cli_fail(cli, &err) : EXIT_DONE;
}

/* FTL_FAILPOINT names the place where a crash test ends this process. */
static int arm_failpoint(struct cli *cli) {
	const char *wanted = getenv("FTL_FAILPOINT");
	struct error err;
	if (wanted == NULL || wanted[0] == '\0')
		return EXIT_DONE;
	return failpoint_arm(wanted, &err) < 0 ? cli_usage(cli, "%s", err.msg) : EXIT_DONE;
}

static bool list_failpoints(void) {
	const char *wanted = getenv("FTL_FAILPOINT");
	if (wanted == NULL || strcmp(wanted, "list") != 0)
		return false;
	for (int i = 0; i < FAILPOINT_COUNT; i++)
		puts(failpoint_name((enum failpoint)i));
	return true;
}

static int run(struct cli *cli) {
	struct serve_options *given =
		(struct serve_options *)cli->options; /* not const: on_taken_over clears port_file */
	if (list_failpoints())
		return EXIT_DONE;
	struct rpc_server_options limits;
	int wrong = arm_failpoint(cli);
	if (wrong == EXIT_DONE)
		wrong = check_kinds(cli, given);
	if (wrong == EXIT_DONE)
		wrong = cli_limits(cli, http_limits_default.header_bytes, HEADER_BYTES_MAX, &limits);
	if (wrong == EXIT_DONE)
		wrong = check_origins(cli, given);
	if (wrong != EXIT_DONE)
		return wrong;
	struct backplane_options backplane = {
		.bind = given->bind != NULL || given->takeover ? given->bind : CONFIG_ENDPOINT_DEFAULT,
		.takeover = given->takeover,
		.data_folder = given->data,
		.program = toolchain_program(&cli->arena),
		.threads = given->threads,
		.busy_poll_us = given->common.process.busy_poll_us,
		.warm = given->warm,
		.start_timeout_ms = given->common.process.start_timeout_ms,
		.orphan_timeout_ms = given->common.process.orphan_timeout_ms,
		.child_ping_ms = given->common.process.child_ping_ms,
		.drain_timeout_ms = given->drain_timeout_ms,
		.tls_cert = given->common.tls_cert,
		.tls_key = given->common.tls_key,
		.tls_client_ca = given->common.tls_client_ca,
		.ca = given->ca,
		.origins = given->allow_origin,
		.limits = limits,
		.artefact_max = given->artefact_max,
		.ready = on_ready,
		.taken_over = on_taken_over,
		.data = given,
	};
	if (backplane.data_folder == NULL)
		backplane.data_folder = config_path("XDG_DATA_HOME", ".local/share", NULL, &cli->arena);
	if (backplane.data_folder == NULL)
		return cli_usage(cli, "there is no HOME to keep data in; name a folder with --data DIR");
	if (backplane.program == NULL) {
		output_error(
			"could not find the path of this program, which Runners are started with; is /proc mounted?");
		return EXIT_FAILED;
	}
	return serve(cli, &backplane, given);
}

const struct command command_serve = {
	.name = "serve",
	.summary = "run the Backplane",
	.operands = "",
	.examples = "ftl serve\nftl serve --bind http://127.0.0.1:0 --data /tmp/ftl --port-file /tmp/ftl.endpoint\n"
		    "ftl serve --takeover",
	.notes =
		"Runs until a signal that ends a process by default, such as SIGTERM, SIGINT, or SIGHUP of a terminal that\n"
		"closes; then stops everything that it started. nohup keeps it running when its terminal closes. Or until\n"
		"another Backplane is started with --takeover, which keeps everything running.",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.options_size = sizeof(struct serve_options),
	.common = COMMON_PROCESS | COMMON_TLS | COMMON_LIMITS,
	.run = run,
};
