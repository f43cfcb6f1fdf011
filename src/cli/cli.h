/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One run of one command: its options, its operands, its connection to the Backplane, and how it fails.
 */
#pragma once

#include "base/arena.h"
#include "cli/args.h"
#include "cli/client.h"
#include "net/tls.h"
#include "rpc/server.h"

enum exit_code {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_BREAKING = 3, /* a change is unsafe, or its deploy would be refused */
	EXIT_INTERRUPTED = 130, /* as a shell says of a process that SIGINT ended */
};

struct cli {
	const struct command *command;
	const void *options; /* the command's own struct */
	const struct common_options *common;
	char **operands; /* NULL at the end */
	size_t operand_count;
	struct arena arena; /* until the command ends */
	struct client *client; /* opened by cli_connect; NULL before */
	const char *hint; /* of the next failure, in place of that of its reason; NULL: none */
	bool interrupted; /* SIGINT ended a child process, such as a build */
};

/* The arena of a run holds every answer of the Backplane, the schemas of thousands of modules among them. */
#define CLI_ARENA_MAX ((size_t)4 << 30)
/* Deadline of calls that the Backplane answers from memory. */
enum { CLI_TIMEOUT_MS = 30000 };

extern const struct command command_build, command_call, command_completion, command_deploy, command_describe,
	command_events, command_generate, command_history, command_kill, command_logs, command_ping, command_ps,
	command_restart, command_rollback, command_runner, command_scale, command_schema, command_serve, command_stats,
	command_status, command_version;

/* The command of that name or alias; NULL: there is none. "help" is no command in this table. */
const struct command *command_find(const char *name);

/* All of them in the order of help, NULL at the end. */
extern const struct command *const commands[];

/* The folders that the operands name: "." when there are none. */
char *const *cli_folders(const struct cli *cli, size_t *ret_count);

/* What is shown to an endpoint at https:// and which authorities are trusted: by the options, else the environment,
 * else the user's config.toml, which is not read for another endpoint. Certificate and key come from the same place. */
int cli_trust(struct cli *cli, const char *endpoint, struct tls_options *ret_trust, struct error *err);

/* Checks the limits that were given (COMMON_LIMITS) and fills the options of a server with them, the rest with
 * defaults. Returns the exit code. header_bytes: the default of max-header-bytes, and its maximum. */
int cli_limits(const struct cli *cli, size_t header_bytes, size_t header_bytes_max,
	       struct rpc_server_options *ret_server);

/* Prints the error and, on a line of its own, the hint for its reason, unless SIGINT brought it about. Returns the exit
 * code. */
int cli_fail(struct cli *cli, const struct error *err);

/* Prints a usage error and how to get help; returns the exit code. */
int cli_usage(const struct cli *cli, const char *format, ...) PRINTF_LIKE(2, 3);

/* The endpoint of the Backplane, by the precedence of config.h. project_endpoint: from the ftl.toml of the module at
 * hand; NULL: from that of the current folder, if there is one. */
int cli_endpoint(struct cli *cli, const char *project_endpoint, const char **ret_endpoint, struct error *err);
/* Makes the path of a unix: endpoint absolute, in the command's arena, as another process will get the endpoint. */
int cli_absolute(struct cli *cli, const char **endpoint, struct error *err);

/* Opens cli->client to the Backplane of cli_endpoint; a client that is open to that endpoint stays. */
int cli_connect(struct cli *cli, const char *project_endpoint, struct error *err);

/* Closes cli->client. Without a client SIGINT ends the process by its default action, as it should during a build. */
void cli_disconnect(struct cli *cli);

/* Calls a method of the BackplaneService: "Status". */
int cli_unary(struct cli *cli, const char *method, const ProtobufCMessage *request,
	      const ProtobufCMessageDescriptor *response, const ProtobufCMessage **ret_response, struct error *err);
struct client_stream *cli_start(struct cli *cli, const char *method, const ProtobufCMessageDescriptor *response,
				uint64_t timeout_ms);

/* Prints one message of a stream. Returns -1 to end it. */
typedef int cli_print_function(struct cli *cli, const ProtobufCMessage *message, void *state, struct error *err);

/* Calls a method that streams its answers, and prints each as it comes, until the stream ends or nobody reads. */
int cli_print_stream(struct cli *cli, const char *method, const ProtobufCMessage *request,
		     const ProtobufCMessageDescriptor *response, cli_print_function *print, void *state,
		     struct error *err);

void help_print(void);
void help_print_project(void); /* ftl.toml */
void help_print_command(const struct command *command);
