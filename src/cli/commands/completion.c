/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ftl completion bash|zsh|fish prints a script for the shell. The script asks "ftl completion words -- WORD…" for what
 * may stand in place of the last word, which is answered from the tables of commands and options, and from the
 * Backplane for modules, verbs and deployments.
 *
 * Each line of an answer is a word, and what it means behind a tab; ":files" and ":folders" leave it to the shell.
 */
#include <stdio.h>

#include "base/map.h"
#include "cli/cli.h"
#include "cli/output.h"
#include "ftl.pb-c.h"

enum { ANSWER_MAX_MS = 1000 }; /* a person waits at the prompt */

static const char bash_script[] =
	"_ftl() {\n"
	"    local word text\n"
	"    COMPREPLY=()\n"
	"    while IFS=$'\\t' read -r word text; do\n"
	"        case $word in\n"
	"            :files) compopt -o default ;;\n"
	"            :folders) compopt -o dirnames ;;\n"
	"            *) COMPREPLY+=(\"$word\") ;;\n"
	"        esac\n"
	"    done < <(ftl completion words -- \"${COMP_WORDS[@]:1:COMP_CWORD}\" 2>/dev/null)\n"
	"}\n"
	"complete -F _ftl ftl\n";

static const char zsh_script[] = "#compdef ftl\n"
				 "_ftl() {\n"
				 "    local word text\n"
				 "    local -a found\n"
				 "    while IFS=$'\\t' read -r word text; do\n"
				 "        case $word in\n"
				 "            :files) _files ;;\n"
				 "            :folders) _files -/ ;;\n"
				 "            *) found+=(\"${word//:/\\\\:}:${text}\") ;;\n"
				 "        esac\n"
				 "    done < <(ftl completion words -- \"${(@)words[2,CURRENT]}\" 2>/dev/null)\n"
				 "    (( ${#found} )) && _describe ftl found\n"
				 "}\n"
				 "if [ \"$funcstack[1]\" = _ftl ]; then _ftl; else compdef _ftl ftl; fi\n";

static const char fish_script[] =
	"function __ftl_complete\n"
	"    set -l before (commandline -opc)\n"
	"    set -l word (commandline -ct)\n"
	"    set -e before[1]\n"
	"    for line in (ftl completion words -- $before \"$word\" 2>/dev/null)\n" /* one word, though it be empty */
	"        switch $line\n"
	"            case ':files'\n"
	"                __fish_complete_path (commandline -ct)\n"
	"            case ':folders'\n"
	"                __fish_complete_directories (commandline -ct)\n"
	"            case '*'\n"
	"                echo $line\n"
	"        end\n"
	"    end\n"
	"end\n"
	"complete -c ftl -f -a '(__ftl_complete)'\n";

/* --- candidates --------------------------------------------------------------------------------------------------- */

/* What stands before the word that is completed. */
struct completing {
	struct cli *cli;
	const char *word;
	const struct command *command; /* NULL: none stands there yet */
	char **words; /* those before the word */
	size_t count;
	size_t operands; /* among them */
	const char *first; /* the first operand; NULL: none */
};

static void offer(const struct completing *completing, const char *word, const char *text) {
	size_t len = strlen(completing->word);
	if (strncmp(word, completing->word, len) != 0)
		return;
	output_text(stdout, str_from(word));
	putchar('\t');
	output_text(stdout, str_cut(str_from(text), '\n', &(struct str){0}));
	putchar('\n');
}

static void offer_all(const struct completing *completing, const char *const *words) {
	for (; *words != NULL; words++)
		offer(completing, *words, "");
}

static void offer_commands(const struct completing *completing) {
	for (size_t i = 0; commands[i] != NULL; i++) {
		offer(completing, commands[i]->name, commands[i]->summary);
		for (const char *const *alias = commands[i]->aliases; alias != NULL && *alias != NULL; alias++)
			offer(completing, *alias,
			      arena_printf(&completing->cli->arena, "the same as %s", commands[i]->name));
	}
	offer(completing, "help", "explain a command");
}

static void offer_options(const struct completing *completing) {
	static const struct command any = {.common = COMMON_ENDPOINT | COMMON_OUTPUT};
	struct args_option options[ARGS_OPTIONS_MAX];
	size_t count = args_options(completing->command != NULL ? completing->command : &any, options);
	for (size_t i = 0; i < count; i++)
		offer(completing, arena_printf(&completing->cli->arena, "--%s", options[i].name), options[i].help);
}

static void offer_value(const struct completing *completing, const struct args_option *option) {
	static const char *const formats[] = {"table", "wide", "json", NULL};
	static const char *const levels[] = {"debug", "info", "warn", "error", NULL};
	if (option->kind == ARGS_FORMAT)
		offer_all(completing, formats);
	else if (option->kind == ARGS_LEVEL)
		offer_all(completing, levels);
	else if (strcmp(option->value, "FILE") == 0)
		puts(":files");
	else if (strcmp(option->value, "DIR") == 0)
		puts(":folders");
}

/* --- from the Backplane ------------------------------------------------------------------------------------------- */

/* Answers NULL when there is no Backplane, or none that answers in time. */
static const ProtobufCMessage *ask(const struct completing *completing, const char *path,
				   const ProtobufCMessage *request, const ProtobufCMessageDescriptor *descriptor) {
	const struct client_call call = {.path = path, .response = descriptor, .timeout_ms = ANSWER_MAX_MS};
	const ProtobufCMessage *response;
	struct cli *cli = completing->cli;
	struct error ignored;
	if (cli_connect(cli, NULL, &ignored) < 0 ||
	    client_unary(cli->client, &call, request, &cli->arena, &response, &ignored) < 0)
		return NULL;
	return response;
}

static void offer_modules(const struct completing *completing) {
	const Ftl__StatusRequest request = FTL__STATUS_REQUEST__INIT;
	const Ftl__StatusResponse *status =
		(const Ftl__StatusResponse *)ask(completing, "/xyz.block.ftl.v1.BackplaneService/Status", &request.base,
						 &ftl__status_response__descriptor);
	struct map seen;
	map_init(&seen);
	for (size_t i = 0; status != NULL && i < status->n_deployments; i++)
		if (map_put(&seen, str_from(status->deployments[i]->module), status->deployments[i]) == NULL)
			offer(completing, status->deployments[i]->module, status->deployments[i]->language);
	map_deinit(&seen);
}

static void offer_verbs(const struct completing *completing) {
	const Ftl__ListRequest request = FTL__LIST_REQUEST__INIT;
	const Ftl__ListResponse *list = (const Ftl__ListResponse *)ask(completing, "/xyz.block.ftl.v1.VerbService/List",
								       &request.base, &ftl__list_response__descriptor);
	for (size_t i = 0; list != NULL && i < list->n_verbs; i++)
		offer(completing,
		      arena_printf(&completing->cli->arena, "%s.%s", list->verbs[i]->module, list->verbs[i]->name), "");
}

static void offer_deployments(const struct completing *completing) {
	Ftl__ListDeploymentsRequest request = FTL__LIST_DEPLOYMENTS_REQUEST__INIT;
	request.module = (char *)completing->first;
	const Ftl__ListDeploymentsResponse *list =
		(const Ftl__ListDeploymentsResponse *)ask(completing,
							  "/xyz.block.ftl.v1.BackplaneService/ListDeployments",
							  &request.base, &ftl__list_deployments_response__descriptor);
	for (size_t i = 0; list != NULL && i < list->n_deployments; i++)
		offer(completing, list->deployments[i]->key, list->deployments[i]->detail);
}

/* --- operands ----------------------------------------------------------------------------------------------------- */

/* The part of "MODULE [DEPLOYMENT]" for the operand of that number; the last one repeats if it ends in "…". */
static struct str operand_name(const struct command *command, size_t number) {
	struct str rest = str_from(command->operands), part = str_cut(rest, ' ', &rest);
	while (number-- > 0 && rest.ptr != NULL)
		part = str_cut(rest, ' ', &rest);
	return part;
}

static bool names(struct str part, const char *what) {
	struct str name = str_from(what);
	part = part.len > 0 && part.ptr[0] == '[' ? str_from_offset(part, 1) : part;
	return str_starts_with(part, name) && (part.len == name.len || strchr(" ]\xE2", part.ptr[name.len]) != NULL);
}

/* ftl schema has words of its own before its operands. */
static void offer_of_schema(const struct completing *completing) {
	static const char *const words[] = {"get", "diff", "openapi", NULL};
	if (completing->operands == 0)
		offer_all(completing, words);
	else if (strcmp(completing->first, "diff") == 0)
		puts(":folders");
	else
		offer_modules(completing);
}

static void offer_operand(const struct completing *completing) {
	static const char *const shells[] = {"bash", "zsh", "fish", NULL};
	struct str part = operand_name(completing->command, completing->operands);
	if (completing->command == &command_schema)
		offer_of_schema(completing);
	else if (completing->operands >= completing->command->operands_max)
		return;
	else if (names(part, "MODULE.VERB"))
		offer_verbs(completing);
	else if (names(part, "MODULE"))
		offer_modules(completing);
	else if (names(part, "DEPLOYMENT"))
		offer_deployments(completing);
	else if (names(part, "DIR"))
		puts(":folders");
	else if (names(part, "SHELL"))
		offer_all(completing, shells);
}

/* --- the words before --------------------------------------------------------------------------------------------- */

static const struct args_option *find_option(const struct args_option *options, size_t count, const char *word) {
	for (size_t i = 0; i < count; i++)
		if ((strncmp(word, "--", 2) == 0 && strcmp(word + 2, options[i].name) == 0) ||
		    (options[i].letter != 0 && word[0] == '-' && word[1] == options[i].letter && word[2] == '\0'))
			return &options[i];
	return NULL;
}

/* Where a person who completes "ftl --endpoint URL ps" wants the Backplane to be asked. */
static void take_endpoint(struct cli *cli, const struct args_option *option, const char *value) {
	/* The struct is this command's own, in cli's arena. */
	struct common_options *common = (struct common_options *)cli->common;
	if (strcmp(option->name, "endpoint") == 0)
		common->endpoint = value;
	else if (strcmp(option->name, "ca") == 0)
		common->ca = value;
	else if (strcmp(option->name, "cert") == 0)
		common->cert = value;
	else if (strcmp(option->name, "key") == 0)
		common->key = value;
}

/* Reads the words before the last. Returns the option whose value the last word is; NULL: it is no value. */
static const struct args_option *read_words(struct completing *completing) {
	static const struct command any = {.common = COMMON_ENDPOINT | COMMON_OUTPUT};
	static struct args_option options[ARGS_OPTIONS_MAX];
	size_t count = args_options(&any, options);
	for (size_t i = 0; i < completing->count; i++) {
		const char *word = completing->words[i];
		const struct args_option *option = find_option(options, count, word);
		if (option != NULL && option->kind != ARGS_FLAG) {
			if (++i == completing->count)
				return option;
			take_endpoint(completing->cli, option, completing->words[i]);
		} else if (word[0] == '-' && word[1] != '\0') {
			continue;
		} else if (completing->command == NULL && (completing->command = command_find(word)) != NULL) {
			count = args_options(completing->command, options);
		} else {
			completing->first = completing->operands++ == 0 ? word : completing->first;
		}
	}
	return NULL;
}

static void complete(struct cli *cli, char **words, size_t count) {
	static char empty[] = "";
	struct completing completing = {.cli = cli, .word = count > 0 ? words[count - 1] : empty, .words = words};
	completing.count = count > 0 ? count - 1 : 0;
	const struct args_option *option = read_words(&completing);
	if (option != NULL)
		offer_value(&completing, option);
	else if (completing.word[0] == '-')
		offer_options(&completing);
	else if (completing.command == NULL && (completing.operands == 0 || strcmp(completing.first, "help") == 0))
		offer_commands(&completing);
	else if (completing.command != NULL)
		offer_operand(&completing);
}

static int run(struct cli *cli) {
	static const struct {
		const char *shell, *script;
	} scripts[] = {{"bash", bash_script}, {"zsh", zsh_script}, {"fish", fish_script}};
	const char *what = cli->operands[0];
	for (size_t i = 0; i < ARRAY_LEN(scripts); i++) {
		if (strcmp(what, scripts[i].shell) == 0 && cli->operand_count == 1) {
			fputs(scripts[i].script, stdout);
			return EXIT_DONE;
		}
	}
	if (strcmp(what, "words") != 0)
		return cli_usage(cli, "there is no completion for \"%.80s\"; there is bash, zsh and fish", what);
	complete(cli, cli->operands + 1, cli->operand_count - 1);
	return EXIT_DONE;
}

const struct command command_completion = {
	.name = "completion",
	.summary = "print a script that completes commands, options, modules and verbs in a shell",
	.operands = "SHELL",
	.operands_min = 1,
	.operands_max = ARGS_OPERANDS_ANY,
	.examples = "ftl completion bash >~/.local/share/bash-completion/completions/ftl\n"
		    "ftl completion fish >~/.config/fish/completions/ftl.fish\n"
		    "source <(ftl completion zsh)",
	.notes =
		"SHELL is bash, zsh or fish. Modules, verbs and deployments are those of the Backplane, at the time when\n"
		"one completes.",
	.options_size = sizeof(struct common_options),
	.run = run,
};
