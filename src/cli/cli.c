/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/hints.h"
#include "cli/output.h"
#include "cli/project/config.h"
#include "cli/project/project.h"
#include "net/endpoint.h"

/* The module that the command is about, as most commands name it first. */
static const char *module_of(struct cli *cli) {
	if (cli->operand_count == 0 || (cli->command->common & COMMON_OPERAND_IS_MODULE) == 0)
		return NULL;
	return arena_strdup(&cli->arena, str_cut(str_from(cli->operands[0]), '.', &(struct str){0}));
}

int cli_fail(struct cli *cli, const struct error *err) {
	if (cli->interrupted || (cli->client != NULL && client_is_interrupted(cli->client))) {
		progress_clear();
		return EXIT_INTERRUPTED;
	}
	const char *hint = hint_for(err, module_of(cli), &cli->arena);
	hint = cli->hint != NULL ? cli->hint : hint;
	output_failure(code_name(err->code), err->reason, hint, err->msg);
	return EXIT_FAILED;
}

int cli_usage(const struct cli *cli, const char *format, ...) {
	char text[ERROR_TEXT_MAX];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	output_misuse(text, cli->command->name);
	return EXIT_USAGE;
}

/* Reads "endpoint" from the ftl.toml of the current folder. Called only when no flag and no variable gives an endpoint,
 * so that a broken ftl.toml does not fail commands that need none. */
static int read_project(struct cli *cli, const char **ret_endpoint, struct error *err) {
	struct project project;
	if (project_read(".", &cli->arena, &project, err) < 0)
		return err->code == CODE_NOT_FOUND ? 0 : -1;
	*ret_endpoint = project.endpoint;
	return 0;
}

static const char *user_config(struct cli *cli) {
	return config_path("XDG_CONFIG_HOME", ".config", "config.toml", &cli->arena);
}

int cli_endpoint(struct cli *cli, const char *project_endpoint, const char **ret_endpoint, struct error *err) {
	struct config_sources sources = {
		.flag = cli->common->endpoint,
		.environment = getenv("FTL_ENDPOINT"),
		.project = project_endpoint,
		.file = user_config(cli),
	};
	bool settled = sources.flag != NULL || (sources.environment != NULL && sources.environment[0] != '\0');
	if (!settled && project_endpoint == NULL && read_project(cli, &sources.project, err) < 0)
		return -1;
	return config_endpoint(&sources, &cli->arena, ret_endpoint, err);
}

int cli_absolute(struct cli *cli, const char **endpoint, struct error *err) {
	struct endpoint parsed;
	char text[ENDPOINT_MAX];
	if (endpoint_parse(str_from(*endpoint), &parsed, err) < 0 || endpoint_make_absolute(&parsed, err) < 0)
		return -1;
	if (parsed.kind != ENDPOINT_UNIX)
		return 0;
	endpoint_format(&parsed, text);
	*endpoint = arena_strdup(&cli->arena, str_from(text));
	return 0;
}

char *const *cli_folders(const struct cli *cli, size_t *ret_count) {
	static char here[] = ".";
	static char *const only_here[] = {here, NULL};
	*ret_count = MAX(cli->operand_count, (size_t)1);
	return cli->operand_count == 0 ? only_here : cli->operands;
}

static const char *variable(const char *name) {
	const char *value = getenv(name);
	return value != NULL && value[0] != '\0' ? value : NULL;
}

int cli_trust(struct cli *cli, const char *endpoint, struct tls_options *ret_trust, struct error *err) {
	const struct common_options *given = cli->common;
	struct config_file file = {0};
	const char *ca = given->ca != NULL ? given->ca : variable("FTL_CA");
	struct tls_options trust = {.cert_file = given->cert, .key_file = given->key, .ca_file = ca};
	if (trust.cert_file == NULL && trust.key_file == NULL) {
		trust.cert_file = variable("FTL_CERT");
		trust.key_file = variable("FTL_KEY");
	}
	bool has_own = trust.cert_file != NULL || trust.key_file != NULL;
	bool is_tls = strncmp(endpoint, "https:", strlen("https:")) == 0;
	if (is_tls && (ca == NULL || !has_own) && config_read(user_config(cli), &cli->arena, &file, err) < 0)
		return -1;
	trust.ca_file = ca != NULL ? ca : file.ca;
	trust.cert_file = has_own ? trust.cert_file : file.cert;
	trust.key_file = has_own ? trust.key_file : file.key;
	if ((trust.cert_file == NULL) != (trust.key_file == NULL))
		return error_set(
			err, CODE_INVALID_ARGUMENT,
			"a certificate and its key go together, and only the %s is given; name both by --cert and "
			"--key, by FTL_CERT and FTL_KEY, or by \"cert\" and \"key\" in config.toml",
			trust.cert_file != NULL ? "certificate" : "key");
	*ret_trust = trust;
	return 0;
}

/* A message in JSON is held whole while it is transcoded; past this size the process would not stay small. */
#define MESSAGE_BYTES_MAX MIB(64)
#define HELD_BYTES_MIN MIB(1)
#define HEADER_BYTES_MIN KIB(4)
#define LIMIT_MS_MAX (24 * 3600 * (uint64_t)1000)

static int check_sizes(const struct cli *cli, size_t header_bytes, size_t header_bytes_max) {
	const struct limit_options *limits = &cli->common->limits;
	if (limits->message_bytes == 0 || limits->message_bytes > MESSAGE_BYTES_MAX)
		return cli_usage(cli, "--max-message is %llu bytes; it must be from 1 byte to 64MiB",
				 (unsigned long long)limits->message_bytes);
	if (limits->held_bytes < HELD_BYTES_MIN)
		return cli_usage(cli, "--max-held is %llu bytes; it must be at least 1MiB",
				 (unsigned long long)limits->held_bytes);
	if (header_bytes < HEADER_BYTES_MIN || header_bytes > header_bytes_max)
		return cli_usage(cli, "--max-header-bytes is %zu; it must be from 4KiB to %zuKiB", header_bytes,
				 header_bytes_max / KIB(1));
	return EXIT_DONE;
}

static int check_counts(const struct cli *cli) {
	const struct limit_options *limits = &cli->common->limits;
	if (limits->streams == 0)
		return cli_usage(cli, "--max-streams is 0; it must be at least 1");
	if (limits->connections == 0)
		return cli_usage(cli, "--max-connections is 0; it must be at least 1");
	return EXIT_DONE;
}

/* A number of frames in a second, or "none". */
static int read_frames(const struct cli *cli, const char *name, const char *text, uint32_t *ret_frames) {
	uint64_t frames = 0;
	if (text == NULL)
		return EXIT_DONE; /* the default stays */
	bool is_none = strcmp(text, "none") == 0;
	if (!is_none && (!str_to_u64(str_from(text), &frames) || frames == 0 || frames >= HTTP_NEVER))
		return cli_usage(cli, "--%s is \"%s\"; it must be a number from 1 to %u, or none", name, text,
				 HTTP_NEVER - 1);
	*ret_frames = is_none ? HTTP_NEVER : (uint32_t)frames;
	return EXIT_DONE;
}

static int read_time(const struct cli *cli, const char *name, uint64_t ms, uint32_t *ret_ms) {
	if (ms == 0 || ms > LIMIT_MS_MAX)
		return cli_usage(cli, "--%s is %llu ms; it must be from 1ms to 24h", name, (unsigned long long)ms);
	*ret_ms = (uint32_t)ms;
	return EXIT_DONE;
}

int cli_limits(const struct cli *cli, size_t header_bytes, size_t header_bytes_max,
	       struct rpc_server_options *ret_server) {
	const struct limit_options *limits = &cli->common->limits;
	struct rpc_server_options server = rpc_server_options_default;
	header_bytes = limits->header_bytes > 0 ? limits->header_bytes : header_bytes;
	int code = check_sizes(cli, header_bytes, header_bytes_max);
	if (code == EXIT_DONE)
		code = check_counts(cli);
	if (code == EXIT_DONE)
		code = read_frames(cli, "max-resets", limits->resets, &server.http.resets);
	if (code == EXIT_DONE)
		code = read_frames(cli, "max-control-frames", limits->control_frames, &server.http.control_frames);
	if (code == EXIT_DONE)
		code = read_time(cli, "header-timeout", limits->header_ms, &server.http.header_ms);
	if (code == EXIT_DONE)
		code = read_time(cli, "stall-timeout", limits->stall_ms, &server.http.stall_ms);
	if (code == EXIT_DONE)
		code = read_time(cli, "idle-timeout", limits->idle_ms, &server.http.idle_ms);
	if (code != EXIT_DONE)
		return code;
	server.http.header_bytes = (uint32_t)header_bytes;
	server.http.streams = limits->streams;
	server.message_max = limits->message_bytes;
	server.held_max = limits->held_bytes;
	server.connections_max = limits->connections;
	*ret_server = server;
	return EXIT_DONE;
}

int cli_connect(struct cli *cli, const char *project_endpoint, struct error *err) {
	const char *endpoint;
	if (cli_endpoint(cli, project_endpoint, &endpoint, err) < 0)
		return -1;
	if (cli->client != NULL && strcmp(client_endpoint(cli->client), endpoint) == 0)
		return 0;
	cli_disconnect(cli);
	struct tls_options trust;
	if (cli_trust(cli, endpoint, &trust, err) < 0)
		return -1;
	return client_open(endpoint, &trust, &cli->client, err);
}

void cli_disconnect(struct cli *cli) {
	client_close(cli->client);
	cli->client = NULL;
}

int cli_unary(struct cli *cli, const char *method, const ProtobufCMessage *request,
	      const ProtobufCMessageDescriptor *response, const ProtobufCMessage **ret_response, struct error *err) {
	const struct client_call call = {
		.path = arena_printf(&cli->arena, "/xyz.block.ftl.v1.BackplaneService/%s", method),
		.response = response,
		.timeout_ms = CLI_TIMEOUT_MS,
	};
	return client_unary(cli->client, &call, request, &cli->arena, ret_response, err);
}

struct client_stream *cli_start(struct cli *cli, const char *method, const ProtobufCMessageDescriptor *response,
				uint64_t timeout_ms) {
	const struct client_call call = {
		.path = arena_printf(&cli->arena, "/xyz.block.ftl.v1.BackplaneService/%s", method),
		.response = response,
		.timeout_ms = timeout_ms,
	};
	return client_start(cli->client, &call);
}

static int print_all(struct cli *cli, struct client_stream *stream, cli_print_function *print, void *state,
		     struct error *err) {
	while (!ferror(stdout)) {
		const ProtobufCMessage *message;
		if (client_receive(stream, &message, err) < 0)
			return -1;
		if (message == NULL)
			return 0;
		if (print(cli, message, state, err) < 0)
			return -1;
		fflush(stdout);
	}
	return 0;
}

int cli_print_stream(struct cli *cli, const char *method, const ProtobufCMessage *request,
		     const ProtobufCMessageDescriptor *response, cli_print_function *print, void *state,
		     struct error *err) {
	struct client_stream *stream = cli_start(cli, method, response, 0);
	int result = client_send(stream, request, err);
	if (result == 0) {
		client_half_close(stream);
		result = print_all(cli, stream, print, state, err);
	}
	client_stream_free(stream);
	return result;
}
