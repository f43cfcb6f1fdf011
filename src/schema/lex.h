/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lexer of the schema language: one token ahead; comments are set aside for the parser.
 */
#pragma once

#include "schema/diagnostics.h"

enum token_kind {
	TOKEN_END,
	TOKEN_NAME,
	TOKEN_NUMBER, /* decimal digits, perhaps a minus before them */
	TOKEN_STRING, /* its text is unescaped */
	TOKEN_MARK, /* one of { } ( ) [ ] < > : , ? = . + */
};

struct token {
	enum token_kind kind;
	struct str text; /* in the source, or in the arena for a string */
	struct schema_pos pos;
	bool first_on_line;
};

struct lex_comment {
	struct str text; /* in the source */
	uint32_t line;
};

struct lexer {
	struct token token; /* the current token */
	uint32_t last_line; /* the line on which the previous token ended */
	size_t open_braces; /* open before the current token */

	struct lex_comment *comments; /* comments that the parser has not taken yet, oldest first */
	size_t comment_count;

	struct arena *arena;
	struct schema_diagnostics *diagnostics;
	struct str text;
	size_t at;
	struct schema_pos pos; /* of text[at] */
};

/* Reads the first token. text must be valid UTF-8 and last as long as the lexer. */
void lex_start(struct lexer *lexer, const char *file, struct str text, struct arena *arena,
	       struct schema_diagnostics *diagnostics);

void lex_next(struct lexer *lexer);

/* Reads the next word of metadata on the line of the last token: anything up to a blank, or a string. Called instead of
 * lex_next; false: the line has no further word. */
bool lex_word(struct lexer *lexer, struct str *ret_word);

/* Whether lex_word reads the unquoted text back as one word. */
bool lex_is_plain_word(struct str text);

bool lex_is(const struct lexer *lexer, char mark);
bool lex_is_name(const struct lexer *lexer, const char *name);

/* "'{'", "\"name\"", "the end of the file" for a message; at most 80 bytes. */
const char *lex_describe(const struct token *token, char ret_text[96]);
