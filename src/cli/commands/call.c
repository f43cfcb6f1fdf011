/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/nearest.h"
#include "base/path.h"
#include "base/reasons.h"
#include "cli/cli.h"
#include "cli/output.h"
#include "cli/schemas/schemas.h"
#include "ftl.pb-c.h"
#include "rpc/rpc.h"
#include "schema/json_check.h"
#include "schema/print.h"
#include "schema/schema.h"

struct call_options {
	struct common_options common;
	uint64_t timeout_ms;
	bool verbose;
};

static const struct args_option options[] = {
	{.name = "timeout",
	 .letter = 't',
	 .kind = ARGS_DURATION,
	 .offset = offsetof(struct call_options, timeout_ms),
	 .value = "DURATION",
	 .standard = "30s",
	 .help = "deadline of the call and of all calls within it; 0: none"},
	{.name = "verbose",
	 .letter = 'v',
	 .kind = ARGS_FLAG,
	 .offset = offsetof(struct call_options, verbose),
	 .help = "show the headers of the answer on standard error"},
};

enum { VERB_MAX = 2 * SCHEMA_NAME_MAX + 1, SCHEMA_TIMEOUT_MS = 1000 };

/* --- the request -------------------------------------------------------------------------------------------------- */

/* Reads standard input to its end; a pipe has no size to ask for. */
static int read_standard_input(char **ret_bytes, size_t *ret_len, struct error *err) {
	return file_read("/dev/stdin", RPC_MESSAGE_MAX_DEFAULT, ret_bytes, ret_len, err);
}

static int read_body(const char *operand, char **ret_bytes, size_t *ret_len, struct error *err) {
	if (operand != NULL && strcmp(operand, "-") == 0)
		return read_standard_input(ret_bytes, ret_len, err);
	if (operand != NULL && operand[0] == '@')
		return file_read(operand + 1, RPC_MESSAGE_MAX_DEFAULT, ret_bytes, ret_len, err);
	*ret_bytes = mem_strdup(operand == NULL ? "{}" : operand);
	*ret_len = strlen(*ret_bytes);
	return 0;
}

/* Checks the syntax before the call, to show line and column; the verb gets the bytes unchanged. The range of numbers
 * is left to the schema. */
static int check_json(struct str body, struct error *err) {
	static const struct schema_type any = {.kind = SCHEMA_ANY};
	const struct schema_json json = {.root = "the request"};
	return schema_check_json(&json, &any, body, err);
}

/* Fetches the schema of a module. *ret_module NULL: there is none, and the call itself will tell why. Returns -1 when
 * no Backplane answers. */
static int fetch_schema(struct cli *cli, const char *name, const struct schema_module **ret_module, struct error *err) {
	const struct client_call call = {
		.path = "/xyz.block.ftl.v1.BackplaneService/GetSchema",
		.response = &ftl__get_schema_response__descriptor,
		.timeout_ms = SCHEMA_TIMEOUT_MS,
	};
	Ftl__GetSchemaRequest request = FTL__GET_SCHEMA_REQUEST__INIT;
	const ProtobufCMessage *message;
	struct schema_module *module;
	struct error ignored;
	*ret_module = NULL;
	request.module = (char *)name;
	if (client_unary(cli->client, &call, &request.base, &cli->arena, &message, err) < 0)
		return err->code == CODE_UNAVAILABLE || err->code == CODE_CANCELLED ? -1 : 0;
	const Ftl__GetSchemaResponse *response = (const Ftl__GetSchemaResponse *)message;
	if (response->n_modules == 1 && schema_from_message(cli, response->modules[0], &module, &ignored) == 0)
		*ret_module = module;
	return 0;
}

/* --- how to write it ---------------------------------------------------------------------------------------------- */

enum { QUOTED_MAX = 80 };

/* The word as one types it into a shell: in single quotes, and those within it as '\\''. */
static const char *shell_quote(struct arena *arena, const char *word) {
	const char *text = "'";
	for (struct str rest = str_from(word); rest.ptr != NULL;) {
		struct str part = str_cut(rest, '\'', &rest);
		text = arena_printf(arena, "%s%.*s%s", text, STR_ARG(part), rest.ptr != NULL ? "'\\''" : "'");
	}
	return text;
}

/* How the operand is written as a String: "ftl call hello.hello '"Bob"'". NULL: it is too long to be repeated. */
static const char *as_string(struct cli *cli, const char *operand) {
	if (strlen(operand) > QUOTED_MAX)
		return NULL;
	json_t *string = json_string(operand);
	char *text = string != NULL ? json_dumps(string, JSON_ENCODE_ANY) : NULL;
	const char *command = text != NULL ? arena_printf(&cli->arena, "ftl call %.*s %s", VERB_MAX, cli->operands[0],
							  shell_quote(&cli->arena, text))
					   : NULL;
	free(text);
	json_decref(string);
	return command;
}

/* The type of the verb's request, without aliases and "?"; NULL: the schema cannot be had. */
static const struct schema_type *request_type(const struct schema_module *module, const char *verb) {
	const struct schema_decl *decl = module != NULL ? schema_find_verb(module, verb) : NULL;
	const struct schema_type *type = decl != NULL ? schema_resolve(module, &decl->verb.request) : NULL;
	return type != NULL && type->kind == SCHEMA_OPTIONAL ? schema_resolve(module, type->element) : type;
}

/* Asks the Backplane, if it answers. */
static const struct schema_type *ask_for_type(struct cli *cli) {
	const struct schema_module *module;
	struct error ignored;
	struct str verb, name = str_cut(str_from(cli->operands[0]), '.', &verb);
	if (cli_connect(cli, NULL, &ignored) < 0 ||
	    fetch_schema(cli, arena_strdup(&cli->arena, name), &module, &ignored) < 0)
		return NULL;
	return request_type(module, verb.ptr);
}

static bool is_object_or_array(const char *operand) {
	return operand[0] == '{' || operand[0] == '[';
}

/* Whether the request is what the operand says, and not in a file or on standard input. */
static bool is_written_out(const char *operand) {
	return operand != NULL && strcmp(operand, "-") != 0 && operand[0] != '@';
}

/* What to do about an operand that is not JSON: most are a String without its quotes, or an object whose quotes the
 * shell took. */
static const char *json_hint(struct cli *cli, const struct error *err) {
	const char *operand = cli->operands[1];
	if (!is_written_out(operand) || strcmp(err->reason, REASON_NOT_JSON) != 0 || operand[0] == '"')
		return NULL;
	if (is_object_or_array(operand))
		return strchr(operand, '"') != NULL ? NULL
						    : "put the JSON between single quotes, as the shell takes double "
						      "quotes away: '{\"name\":\"Bob\"}'";
	const char *command = as_string(cli, operand);
	const struct schema_type *type = ask_for_type(cli);
	char text[SCHEMA_TYPE_TEXT_MAX];
	if (type != NULL && type->kind != SCHEMA_STRING && type->kind != SCHEMA_ANY)
		return arena_printf(&cli->arena, "the request is JSON of the type %s; see: ftl schema %.*s",
				    schema_type_text(type, text), (int)strcspn(cli->operands[0], "."),
				    cli->operands[0]);
	return command != NULL ? arena_printf(&cli->arena, "the request is JSON; for a String: %s", command) : NULL;
}

/* What to do about a request that is no value of the verb's type, which is a String. */
static const char *string_hint(struct cli *cli) {
	const char *operand = cli->operands[1];
	bool is_text = is_written_out(operand) && !is_object_or_array(operand);
	const char *command = as_string(cli, is_text ? operand : "…");
	return command != NULL ? arena_printf(&cli->arena, "the verb takes a String: %s", command) : NULL;
}

/* --- the answer --------------------------------------------------------------------------------------------------- */

static void print_headers(const struct client_stream *stream) {
	static const char *const names[] = {"ftl-request-id", "ftl-verb", "ftl-deployment", "traceparent"};
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct str value = client_header(stream, names[i]);
		if (value.ptr == NULL)
			continue;
		fprintf(stderr, "%s: ", names[i]);
		output_text(stderr, value);
		putc('\n', stderr);
	}
}

static int print_answer(const Ftl__CallResponse *answer, struct error *err) {
	switch (answer->response_case) {
	case FTL__CALL_RESPONSE__RESPONSE_BODY:
		output_json_text(str_new((const char *)answer->body.data, answer->body.len));
		return 0;
	case FTL__CALL_RESPONSE__RESPONSE_ERROR:
		return error_set(err, CODE_UNKNOWN, "%s", answer->error->message);
	case FTL__CALL_RESPONSE__RESPONSE__NOT_SET:
	case _FTL__CALL_RESPONSE__RESPONSE__CASE_IS_INT_SIZE:
		break;
	}
	return error_set(err, CODE_INTERNAL, "the answer holds neither a body nor an error");
}

/* Adds the nearest verb of all modules to a NotFound, unless the error names one already. */
static void add_hint(struct cli *cli, const char *wanted, struct error *err) {
	const struct client_call call = {
		.path = "/xyz.block.ftl.v1.VerbService/List",
		.response = &ftl__list_response__descriptor,
		.timeout_ms = CLI_TIMEOUT_MS,
	};
	const Ftl__ListRequest request = FTL__LIST_REQUEST__INIT;
	const ProtobufCMessage *response;
	struct error ignored;
	if (client_unary(cli->client, &call, &request.base, &cli->arena, &response, &ignored) < 0)
		return;
	const Ftl__ListResponse *list = (const Ftl__ListResponse *)response;
	struct nearest nearest;
	nearest_init(&nearest, str_from(wanted));
	for (size_t i = 0; i < list->n_verbs; i++)
		nearest_offer(&nearest,
			      arena_printf(&cli->arena, "%s.%s", list->verbs[i]->module, list->verbs[i]->name));
	if (nearest.name == NULL || strstr(err->msg, nearest.name) != NULL || strstr(err->msg, "did you mean") != NULL)
		return;
	size_t used = strlen(err->msg);
	snprintf(err->msg + used, sizeof err->msg - used, "; did you mean \"%s\"?", nearest.name);
}

/* Whether our own --timeout passed, not the deadline of a call that the verb made. The server may notice first, as
 * grpc-timeout is sent in whole units. */
static bool is_our_deadline(const struct call_options *given, uint64_t start_ms, const struct error *err) {
	enum { UNIT_MS = 1 };
	return err->code == CODE_DEADLINE_EXCEEDED && given->timeout_ms > 0 &&
	       clock_ms() - start_ms + UNIT_MS >= given->timeout_ms;
}

static int call_verb(struct cli *cli, Schema__VerbRef *verb, struct str body, struct error *err) {
	const struct call_options *given = cli->options;
	Ftl__CallRequest request = FTL__CALL_REQUEST__INIT;
	request.verb = verb;
	request.body = (ProtobufCBinaryData){.len = body.len, .data = (uint8_t *)body.ptr};
	const struct client_call call = {
		.path = "/xyz.block.ftl.v1.VerbService/Call",
		.response = &ftl__call_response__descriptor,
		.timeout_ms = given->timeout_ms,
	};
	const ProtobufCMessage *response = NULL;
	uint64_t start_ms = clock_ms();
	struct client_stream *stream = client_start(cli->client, &call);
	int result = client_send(stream, &request.base, err);
	if (result == 0) {
		client_half_close(stream);
		result = client_receive(stream, &response, err);
	}
	if (given->verbose)
		print_headers(stream);
	if (result == 0 && response == NULL)
		result = error_set(err, CODE_INTERNAL, "the Backplane answered OK without a message");
	if (result == 0)
		result = print_answer((const Ftl__CallResponse *)response, err);
	client_stream_free(stream);
	if (result < 0 && is_our_deadline(given, start_ms, err))
		error_set(err, err->code, "%s.%s did not answer within %g s; --timeout is how long to wait",
			  verb->module, verb->name, (double)given->timeout_ms / 1000);
	return result;
}

/* Checks the request against the schema of the verb before the call. Types of third modules are left to the verb. */
static int check_request(struct cli *cli, const Schema__VerbRef *verb, struct str body, struct error *err) {
	const struct schema_module *module;
	if (fetch_schema(cli, verb->module, &module, err) < 0)
		return -1;
	const struct schema_decl *decl = module ? schema_find_verb(module, verb->name) : NULL;
	const struct schema_json json = {.module = module, .root = "request"};
	if (decl == NULL || schema_check_json(&json, &decl->verb.request, body, err) == 0)
		return 0;
	if (request_type(module, verb->name)->kind == SCHEMA_STRING && strcmp(err->reason, REASON_WRONG_TYPE) == 0)
		cli->hint = string_hint(cli);
	return -1;
}

static int connect_and_call(struct cli *cli, struct str body) {
	struct str module, name;
	module = str_cut(str_from(cli->operands[0]), '.', &name);
	Schema__VerbRef verb = SCHEMA__VERB_REF__INIT;
	verb.module = arena_strdup(&cli->arena, module);
	verb.name = arena_strdup(&cli->arena, name);
	struct error err;
	if (cli_connect(cli, NULL, &err) < 0)
		return cli_fail(cli, &err);
	if (check_request(cli, &verb, body, &err) < 0)
		return cli_fail(cli, &err);
	if (call_verb(cli, &verb, body, &err) == 0)
		return EXIT_DONE;
	if (err.code == CODE_NOT_FOUND)
		add_hint(cli, cli->operands[0], &err);
	return cli_fail(cli, &err);
}

static int run(struct cli *cli) {
	struct str name;
	struct str module = str_cut(str_from(cli->operands[0]), '.', &name);
	if (module.len == 0 || name.len == 0 || strlen(cli->operands[0]) > VERB_MAX)
		return cli_usage(cli, "\"%.150s\" names no verb; write MODULE.VERB, such as echo.echo",
				 cli->operands[0]);
	char *bytes;
	size_t len;
	struct error err;
	if (read_body(cli->operands[1], &bytes, &len, &err) < 0)
		return cli_fail(cli, &err);
	struct str body = str_new(bytes, len);
	int code;
	if (check_json(body, &err) < 0) {
		const char *hint = json_hint(cli, &err);
		code = cli_usage(cli, "%s%s%s", err.msg, hint != NULL ? "\nhint: " : "", hint != NULL ? hint : "");
	} else {
		code = connect_and_call(cli, body);
	}
	free(bytes);
	return code;
}

const struct command command_call = {
	.name = "call",
	.summary = "call a verb and print its answer",
	.operands = "MODULE.VERB [JSON | - | @FILE]",
	.operands_min = 1,
	.operands_max = 2,
	.examples = "ftl call echo.echo '{\"name\":\"Bob\"}'\n"
		    "ftl call echo.echo @request.json\n"
		    "jq … | ftl call echo.echo -",
	.notes = "The request is JSON: an argument, standard input (-) or a file (@FILE); default {}.\n"
		 "Prints the answer's JSON on standard output, whatever -o says. Exits with 1 if the verb failed or\n"
		 "could not be reached.",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.options_size = sizeof(struct call_options),
	.common = COMMON_ENDPOINT | COMMON_OUTPUT | COMMON_OPERAND_IS_MODULE,
	.run = run,
};
