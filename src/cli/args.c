/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/args.h"

#include <getopt.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/nearest.h"
#include "base/size.h"

static const struct args_option option_endpoint = {
	.name = "endpoint",
	.kind = ARGS_TEXT,
	.offset = offsetof(struct common_options, endpoint),
	.value = "URL",
	.help = "the Backplane: http[s]://HOST:PORT or unix:PATH (else FTL_ENDPOINT,\n"
		"else \"endpoint\" in ftl.toml or in ~/.config/ftl/config.toml,\n"
		"else http://127.0.0.1:8892)",
};
static const struct args_option option_ca = {
	.name = "ca",
	.kind = ARGS_TEXT,
	.offset = offsetof(struct common_options, ca),
	.value = "FILE",
	.help = "authorities (PEM) to trust when it is at https:// (else FTL_CA,\n"
		"else \"ca\" in config.toml, else those of the system)",
};
static const struct args_option options_own_certificate[] = {
	{.name = "cert",
	 .kind = ARGS_TEXT,
	 .offset = offsetof(struct common_options, cert),
	 .value = "FILE",
	 .help = "certificate and chain (PEM) to show at https:// (else FTL_CERT,\n"
		 "else \"cert\" in config.toml)"},
	{.name = "key",
	 .kind = ARGS_TEXT,
	 .offset = offsetof(struct common_options, key),
	 .value = "FILE",
	 .help = "its key (PEM) (else FTL_KEY, else \"key\" in config.toml)"},
};
static const struct args_option options_process[] = {
	{.name = "busy-poll",
	 .kind = ARGS_COUNT,
	 .offset = offsetof(struct common_options, process.busy_poll_us),
	 .value = "MICROSECONDS",
	 .standard = "0",
	 .help = "after each turn of work look for more for so long before\n"
		 "sleeping: quicker answers at low load for more CPU;\n"
		 "a Backplane passes it on to its Runners"},
	{.name = "start-timeout",
	 .kind = ARGS_DURATION,
	 .offset = offsetof(struct common_options, process.start_timeout_ms),
	 .value = "DURATION",
	 .standard = "30s",
	 .help = "the time in which a deployment must come alive"},
	{.name = "orphan-timeout",
	 .kind = ARGS_DURATION,
	 .offset = offsetof(struct common_options, process.orphan_timeout_ms),
	 .value = "DURATION",
	 .standard = "2m",
	 .help = "a Runner that has no Backplane for this long stops itself"},
	{.name = "child-ping",
	 .kind = ARGS_DURATION,
	 .offset = offsetof(struct common_options, process.child_ping_ms),
	 .value = "DURATION",
	 .standard = "2s",
	 .help = "a Runner pings its child so often; a child that misses three\n"
		 "in a row is replaced, unless calls keep it busy; 0s: never"},
	{.name = "log-level",
	 .kind = ARGS_LEVEL,
	 .offset = offsetof(struct common_options, process.log_level),
	 .value = "LEVEL",
	 .standard = "info",
	 .help = "\"debug\", \"info\", \"warn\" or \"error\", on standard error"},
};
static const struct args_option options_tls[] = {
	{.name = "tls-cert",
	 .kind = ARGS_TEXT,
	 .offset = offsetof(struct common_options, tls_cert),
	 .value = "FILE",
	 .help = "certificate and chain (PEM), for https://; read again when it changes"},
	{.name = "tls-key",
	 .kind = ARGS_TEXT,
	 .offset = offsetof(struct common_options, tls_key),
	 .value = "FILE",
	 .help = "its key (PEM)"},
	{.name = "tls-client-ca",
	 .kind = ARGS_TEXT,
	 .offset = offsetof(struct common_options, tls_client_ca),
	 .value = "FILE",
	 .help = "take only clients whose certificate this authority signed"},
};
static const struct args_option options_limits[] = {
	{.name = "max-message",
	 .kind = ARGS_SIZE,
	 .offset = offsetof(struct common_options, limits.message_bytes),
	 .value = "SIZE",
	 .standard = "64MiB",
	 .help = "the largest request or answer of a verb"},
	{.name = "max-held",
	 .kind = ARGS_SIZE,
	 .offset = offsetof(struct common_options, limits.held_bytes),
	 .value = "SIZE",
	 .standard = "256MiB",
	 .help = "what the messages that wait in one thread, to be whole or to be\n"
		 "read, may take together"},
	{.name = "max-header-bytes",
	 .kind = ARGS_SIZE,
	 .offset = offsetof(struct common_options, limits.header_bytes),
	 .value = "SIZE",
	 .help = "names and values of a request's headers, and 32 for each of them\n"
		 "(default 16KiB; of a Runner 48KiB, as a Backplane adds its own)"},
	{.name = "max-streams",
	 .kind = ARGS_COUNT,
	 .offset = offsetof(struct common_options, limits.streams),
	 .value = "N",
	 .standard = "256",
	 .help = "calls at a time on one connection"},
	{.name = "max-connections",
	 .kind = ARGS_COUNT,
	 .offset = offsetof(struct common_options, limits.connections),
	 .value = "N",
	 .standard = "20000",
	 .help = "connections at a time in one thread"},
	{.name = "max-resets",
	 .kind = ARGS_TEXT,
	 .offset = offsetof(struct common_options, limits.resets),
	 .value = "N",
	 .help = "calls that a client gives up in a second before their deadlines,\n"
		 "on one connection, beyond as many as are answered; or none\n"
		 "(default 1000; of a Runner none, as a Backplane passes on what\n"
		 "its clients do)"},
	{.name = "max-control-frames",
	 .kind = ARGS_TEXT,
	 .offset = offsetof(struct common_options, limits.control_frames),
	 .value = "N",
	 .help = "HTTP/2 frames in a second, on one connection, that carry nothing\n"
		 "and answer nothing; or none (default 500)"},
	{.name = "header-timeout",
	 .kind = ARGS_DURATION,
	 .offset = offsetof(struct common_options, limits.header_ms),
	 .value = "DURATION",
	 .standard = "10s",
	 .help = "what a client gets from its first byte to whole headers"},
	{.name = "stall-timeout",
	 .kind = ARGS_DURATION,
	 .offset = offsetof(struct common_options, limits.stall_ms),
	 .value = "DURATION",
	 .standard = "1m",
	 .help = "how long a client may stop within a message, or not read\n"
		 "an answer"},
	{.name = "idle-timeout",
	 .kind = ARGS_DURATION,
	 .offset = offsetof(struct common_options, limits.idle_ms),
	 .value = "DURATION",
	 .standard = "10m",
	 .help = "how long a connection may have no call"},
};
static const struct args_option option_output = {
	.name = "output",
	.letter = 'o',
	.kind = ARGS_FORMAT,
	.offset = offsetof(struct common_options, output),
	.value = "FORMAT",
	.standard = "table",
	.help = "\"table\", which fits the terminal, \"wide\" with all columns, or\n"
		"\"json\" for programs, also of errors",
};
static const struct args_option option_help = {
	.name = "help",
	.letter = 'h',
	.kind = ARGS_FLAG,
	.offset = offsetof(struct common_options, help),
	.help = "this text",
};

size_t args_options(const struct command *command, struct args_option ret_options[ARGS_OPTIONS_MAX]) {
	size_t count = command->option_count;
	ASSERT(count + 4 + ARRAY_LEN(options_own_certificate) + ARRAY_LEN(options_process) + ARRAY_LEN(options_tls) +
		       ARRAY_LEN(options_limits) <
	       ARGS_OPTIONS_MAX);
	if (count > 0)
		memcpy(ret_options, command->options, count * sizeof *ret_options);
	for (size_t i = 0; i < ARRAY_LEN(options_process) && (command->common & COMMON_PROCESS); i++)
		ret_options[count++] = options_process[i];
	for (size_t i = 0; i < ARRAY_LEN(options_tls) && (command->common & COMMON_TLS); i++)
		ret_options[count++] = options_tls[i];
	for (size_t i = 0; i < ARRAY_LEN(options_limits) && (command->common & COMMON_LIMITS); i++)
		ret_options[count++] = options_limits[i];
	if (command->common & COMMON_OUTPUT)
		ret_options[count++] = option_output;
	if (command->common & COMMON_ENDPOINT) {
		ret_options[count++] = option_endpoint;
		ret_options[count++] = option_ca;
		/* A Runner shows its clients and the Backplane the same certificate, that of options_tls. */
		for (size_t i = 0; i < ARRAY_LEN(options_own_certificate) && (command->common & COMMON_TLS) == 0; i++)
			ret_options[count++] = options_own_certificate[i];
	}
	ret_options[count++] = option_help;
	return count;
}

bool args_common_takes_value(const char *word) {
	static const struct command any = {.common = COMMON_ENDPOINT | COMMON_OUTPUT};
	struct args_option options[ARGS_OPTIONS_MAX];
	size_t count = args_options(&any, options);
	for (size_t i = 0; i < count; i++) {
		const struct args_option *option = &options[i];
		bool is_name = strncmp(word, "--", 2) == 0 && strcmp(word + 2, option->name) == 0;
		bool is_letter = option->letter != 0 && word[0] == '-' && word[1] == option->letter && word[2] == '\0';
		if (is_name || is_letter)
			return option->kind != ARGS_FLAG;
	}
	return false;
}

/* --- values ------------------------------------------------------------------------------------------------------- */

static unsigned count_max(const struct args_option *option) {
	return option->max > 0 ? option->max : ARGS_COUNT_MAX;
}

static bool parse_count(const char *text, uint64_t min, uint64_t max, unsigned *ret_count) {
	uint64_t number;
	if (!str_to_u64(str_from(text), &number) || number < min || number > max)
		return false;
	*ret_count = (unsigned)number;
	return true;
}

static bool parse_format(const char *text, enum output_format *ret_format) {
	static const char *const names[] = {[FORMAT_TABLE] = "table", [FORMAT_WIDE] = "wide", [FORMAT_JSON] = "json"};
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcmp(text, names[i]) == 0) {
			*ret_format = (enum output_format)i;
			return true;
		}
	}
	return false;
}

static bool add_to_list(const char **list, const char *text) {
	size_t count = 0;
	while (list[count] != NULL)
		count++;
	if (text[0] == '\0' || count == ARGS_LIST_MAX)
		return false;
	list[count] = text;
	return true;
}

static bool set_value(const struct args_option *option, void *options, const char *text) {
	void *where = (char *)options + option->offset;
	switch (option->kind) {
	case ARGS_FLAG:
		*(bool *)where = true;
		return true;
	case ARGS_TEXT:
		*(const char **)where = text;
		return text[0] != '\0';
	case ARGS_LIST:
		return add_to_list(where, text);
	case ARGS_DURATION:
		return duration_parse(text, where);
	case ARGS_SIZE:
		return size_parse(text, where);
	case ARGS_COUNT:
		return parse_count(text, 0, count_max(option), where);
	case ARGS_COUNT_FROM_1:
		return parse_count(text, 1, count_max(option), where);
	case ARGS_FORMAT:
		return parse_format(text, where);
	case ARGS_LEVEL:
		return log_level_parse(text, where);
	}
	return false;
}

enum { EXPECTED_MAX = 64 };

static const char *expected(const struct args_option *option, char text[EXPECTED_MAX]) {
	switch (option->kind) {
	case ARGS_FLAG:
		return "no value";
	case ARGS_TEXT:
		return "a value that is not empty";
	case ARGS_LIST:
		return "a value that is not empty, and one of 32 at most";
	case ARGS_DURATION:
		return "a time such as 500ms, 30s or 2m";
	case ARGS_SIZE:
		return "a size such as 64MiB or 1MB";
	case ARGS_COUNT:
	case ARGS_COUNT_FROM_1:
		snprintf(text, EXPECTED_MAX, "a number from %d to %u", option->kind == ARGS_COUNT_FROM_1,
			 count_max(option));
		return text;
	case ARGS_FORMAT:
		return "\"table\", \"wide\" or \"json\"";
	case ARGS_LEVEL:
		return "\"debug\", \"info\", \"warn\" or \"error\"";
	}
	return "";
}

/* --- parsing ------------------------------------------------------------------------------------------------------ */

struct args_parser {
	struct args_option options[ARGS_OPTIONS_MAX];
	size_t count;
	struct option for_getopt[ARGS_OPTIONS_MAX + 1];
	char letters[2 * ARGS_OPTIONS_MAX + 2];
};

/* getopt returns the letter of an option, or LONG_OPTIONS plus its index in the table. */
enum { LONG_OPTIONS = 256 };

static void prepare(struct args_parser *parser) {
	char *letters = parser->letters;
	*letters++ = ':';
	for (size_t i = 0; i < parser->count; i++) {
		const struct args_option *option = &parser->options[i];
		bool has_value = option->kind != ARGS_FLAG;
		parser->for_getopt[i] = (struct option){option->name, has_value ? required_argument : no_argument, NULL,
							LONG_OPTIONS + (int)i};
		if (option->letter == 0)
			continue;
		*letters++ = option->letter;
		if (has_value)
			*letters++ = ':';
	}
	*letters = '\0';
	parser->for_getopt[parser->count] = (struct option){0};
}

static const struct args_option *find(const struct args_parser *parser, int number) {
	if (number >= LONG_OPTIONS)
		return &parser->options[number - LONG_OPTIONS];
	for (size_t i = 0; i < parser->count; i++)
		if (parser->options[i].letter != 0 && parser->options[i].letter == number)
			return &parser->options[i];
	return NULL;
}

static int refuse_unknown(const struct args_parser *parser, const char *argument, struct error *err) {
	const struct args_option *known = find(parser, optopt);
	if (known != NULL)
		return error_set(err, CODE_INVALID_ARGUMENT, "--%s takes no value", known->name);
	if (optopt != 0)
		return error_set(err, CODE_INVALID_ARGUMENT, "there is no option -%c", optopt);
	struct str name = str_from(argument);
	name = str_cut(str_from_offset(name, MIN(name.len, (size_t)2)), '=', &(struct str){0});
	struct nearest nearest;
	nearest_init(&nearest, name);
	for (size_t i = 0; i < parser->count; i++)
		nearest_offer(&nearest, parser->options[i].name);
	if (nearest.name == NULL)
		return error_set(err, CODE_INVALID_ARGUMENT, "there is no option --%.*s", STR_ARG(name));
	return error_set(err, CODE_INVALID_ARGUMENT, "there is no option --%.*s; did you mean --%s?", STR_ARG(name),
			 nearest.name);
}

static int parse_options(const struct args_parser *parser, int argc, char **argv, void *options, struct error *err) {
	/* 0, a GNU extension, resets getopt's scanning state as well. */
	optind = 0;
	opterr = 0;
	for (int got; (got = getopt_long(argc, argv, parser->letters, parser->for_getopt, NULL)) != -1;) {
		if (got == '?')
			return refuse_unknown(parser, argv[optind - 1], err);
		const struct args_option *option = find(parser, got == ':' ? optopt : got);
		char text[EXPECTED_MAX];
		ASSERT(option != NULL);
		if (got == ':')
			return error_set(err, CODE_INVALID_ARGUMENT, "--%s needs a value: %s", option->name,
					 expected(option, text));
		if (!set_value(option, options, optarg))
			return error_set(err, CODE_INVALID_ARGUMENT, "--%s is \"%s\"; it must be %s", option->name,
					 optarg, expected(option, text));
	}
	return 0;
}

/* Whether the word is an option whose value is the next word: "--replicas", "-n", "-vn". */
static bool wants_value(const struct args_parser *parser, const char *word) {
	size_t len = strlen(word);
	if (len < 2 || word[0] != '-')
		return false;
	for (size_t i = 0; i < parser->count; i++) {
		const struct args_option *option = &parser->options[i];
		bool is_named = word[1] == '-' ? strcmp(word + 2, option->name) == 0 : word[len - 1] == option->letter;
		if (is_named && option->kind != ARGS_FLAG)
			return true;
	}
	return false;
}

static bool is_negative_number(const char *word) {
	return word[0] == '-' && strspn(word + 1 + (word[1] == '.'), "0123456789") > 0;
}

/* getopt would read the digits of a negative number as options, so a mark is put before each that is an operand, and
 * taken away from the operands afterwards. */
enum { NUMBER_MARK = '\x01' };

static void mark_numbers(const struct args_parser *parser, int argc, char **argv, struct arena *arena) {
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (is_negative_number(argv[i]) && !wants_value(parser, argv[i - 1]))
			argv[i] = arena_printf(arena, "%c%s", NUMBER_MARK, argv[i]);
}

static void unmark_numbers(int count, char **operands) {
	for (int i = 0; i < count; i++)
		if (operands[i][0] == NUMBER_MARK && is_negative_number(operands[i] + 1))
			operands[i]++;
}

static int check_operands(const struct command *command, int count, char **operands, struct error *err) {
	if ((size_t)count < command->operands_min)
		return error_set(err, CODE_INVALID_ARGUMENT, "an argument is missing: %s", command->operands);
	if ((size_t)count > command->operands_max)
		return error_set(err, CODE_INVALID_ARGUMENT, "\"%s\" is one argument too many",
				 operands[command->operands_max]);
	return 0;
}

int args_parse(const struct command *command, int argc, char **argv, struct arena *arena, void **ret_options,
	       int *ret_first, struct error *err) {
	struct args_parser parser = {0};
	parser.count = args_options(command, parser.options);
	prepare(&parser);
	void *options = arena_alloc(arena, command->options_size);
	memset(options, 0, command->options_size);
	for (size_t i = 0; i < parser.count; i++) {
		const char *standard = parser.options[i].standard;
		bool valid = standard == NULL || set_value(&parser.options[i], options, standard);
		ASSERT(valid);
	}
	mark_numbers(&parser, argc, argv, arena);
	if (parse_options(&parser, argc, argv, options, err) < 0)
		return -1;
	unmark_numbers(argc - optind, argv + optind);
	struct common_options *common = options;
	if (!common->help && check_operands(command, argc - optind, argv + optind, err) < 0)
		return -1;
	*ret_options = options;
	*ret_first = optind;
	return 0;
}
