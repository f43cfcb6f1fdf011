/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The arguments of a command: a table of options from which they are parsed, given their defaults, and explained.
 */
#pragma once

#include "base/arena.h"
#include "base/error.h"
#include "base/log.h"

enum output_format { FORMAT_TABLE, FORMAT_WIDE, FORMAT_JSON };

enum args_kind {
	ARGS_FLAG, /* bool */
	ARGS_TEXT, /* const char *, borrowed from argv */
	ARGS_LIST, /* const char *[ARGS_LIST_MAX + 1]: one entry for each time that the option is given, NULL at the end
		    */
	ARGS_DURATION, /* uint64_t, milliseconds */
	ARGS_SIZE, /* uint64_t, bytes */
	ARGS_COUNT, /* unsigned */
	ARGS_COUNT_FROM_1, /* unsigned, at least 1 */
	ARGS_FORMAT, /* enum output_format */
	ARGS_LEVEL, /* enum log_level */
};

struct args_option {
	const char *name; /* without the dashes */
	char letter; /* 0: none */
	enum args_kind kind;
	size_t offset; /* in the command's own struct of options */
	const char *value; /* what help calls its value; NULL for a flag */
	const char *standard; /* the default, as one would write it; NULL: 0, false or NULL */
	unsigned max; /* of a count; 0: ARGS_COUNT_MAX */
	const char *help;
};

enum { ARGS_LIST_MAX = 32, ARGS_COUNT_MAX = 100000 };

/* Limits that a server sets for its clients. docs/rpc.md has names, meanings and defaults. */
struct limit_options {
	uint64_t message_bytes, held_bytes;
	uint64_t header_bytes; /* 0: not given */
	unsigned streams, connections;
	const char *resets, *control_frames; /* a number, or "none"; NULL: not given */
	uint64_t header_ms, stall_ms, idle_ms;
};

/* What `ftl serve` and `ftl runner` have in common. A Backplane passes all but the last on to its Runners. */
struct process_options {
	unsigned busy_poll_us;
	uint64_t start_timeout_ms, orphan_timeout_ms, child_ping_ms;
	enum log_level log_level;
};

/* The first member of every command's struct of options. */
struct common_options {
	bool help;
	struct process_options process;
	struct limit_options limits;
	const char *endpoint, *ca, *cert, *key; /* NULL: not given */
	const char *tls_cert, *tls_key, *tls_client_ca; /* NULL: not given */
	enum output_format output;
};

#define ARGS_OPERANDS_ANY SIZE_MAX

enum {
	COMMON_ENDPOINT = 1,
	COMMON_OUTPUT = 2,
	COMMON_TLS = 4,
	COMMON_LIMITS = 8,
	COMMON_PROCESS = 16,
	COMMON_OPERAND_IS_MODULE = 32, /* no option: the first operand is MODULE or MODULE.VERB */
};

struct cli;

struct command {
	const char *name;
	const char *const *aliases; /* other names, NULL at the end; NULL: none */
	const char *summary; /* half a line */
	const char *operands; /* "MODULE.VERB [JSON]"; "": none */
	size_t operands_min, operands_max; /* ARGS_OPERANDS_ANY: no maximum */
	const char *examples; /* lines */
	const char *notes; /* lines; NULL: none */
	const struct args_option *options;
	size_t option_count;
	size_t options_size;
	unsigned common; /* which of the common options it has beside --help, and what its operands are */
	int (*run)(struct cli *cli); /* returns the exit code */
};

enum { ARGS_OPTIONS_MAX = 48 };

/* All options of a command, the common ones last. Returns how many. */
size_t args_options(const struct command *command, struct args_option ret_options[ARGS_OPTIONS_MAX]);

/* Whether the word is a common option, as "--endpoint" or "-o", whose value is the next word. */
bool args_common_takes_value(const char *word);

/* Reads argv, of which argv[0] is the command's name. *ret_options is the command's struct of options in arena;
 * operands are moved to the end of argv, from *ret_first on. "-5" and "-.5" are operands, as no option is a digit. The
 * error names the argument. With --help the number of operands is not looked at. */
int args_parse(const struct command *command, int argc, char **argv, struct arena *arena, void **ret_options,
	       int *ret_first, struct error *err);
