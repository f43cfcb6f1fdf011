/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state of one run of the parser: the lexer with one token ahead, the model under construction, and the limits. The
 * functions take tokens, names and comments; those that return int return -1 after they have added a diagnostic.
 */
#pragma once

#include "base/arena.h"
#include "schema/lex.h"

/* A growing list; it is copied into the arena once its length is known. */
struct scratch {
	void *items;
	size_t size;
};

struct parser {
	struct lexer lexer;
	struct arena *arena;
	struct schema_diagnostics *diagnostics;
	struct schema_module *module;
	const struct schema_decl *data; /* the data whose type parameters are in scope; NULL: none */
	struct scratch members, decls; /* of the current declaration, and of the module */
	size_t nodes;
	bool stopped; /* a limit was passed; no further diagnostics */
	bool lost; /* a declaration was skipped whose name is unknown */
};

/* Adds a diagnostic at the current token; -1. */
#define COMPLAIN(parser, hint, ...) schema_diagnose((parser)->diagnostics, (parser)->lexer.token.pos, hint, __VA_ARGS__)

/* Adds "expected what, found …" at the current token; -1. */
int parser_expected(struct parser *parser, const char *hint, const char *what);

int parser_take_mark(struct parser *parser, char mark, const char *hint);
bool parser_take_mark_if(struct parser *parser, char mark);

/* Reads the current token as a name without taking it. what: for the diagnostic. */
int parser_read_name(struct parser *parser, const char *what, const char **ret_name);
int parser_take_name(struct parser *parser, const char *what, const char **ret_name, struct schema_pos *ret_pos);

void parser_take_comments_before(struct parser *parser, struct schema_comments *comments);

/* Takes the comments within the item that has just ended, or after it on its line. */
void parser_take_comments_within(struct parser *parser, struct schema_comments *comments);

/* Counts a node of the model; -1: SCHEMA_NODES_MAX is passed. */
int parser_count_node(struct parser *parser);

/* Moves to the end of the text, so that every loop ends. */
void parser_stop(struct parser *parser);

/* The items, with room for item number count. */
void *scratch_grow(struct scratch *scratch, size_t count, size_t item_size);

/* A copy of the items in the arena; NULL: none. */
void *parser_keep(struct parser *parser, const void *items, size_t count, size_t item_size);
