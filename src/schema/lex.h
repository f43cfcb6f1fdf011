/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words of the schema language. One token is looked at ahead; comments are set aside for the parser.
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
	struct token token; /* the one at hand */
	uint32_t last_line; /* where the token before it ended */
	size_t open_braces; /* before it */

	struct lex_comment *comments; /* read and not taken yet, oldest first */
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

/* The next word of metadata on the line of the last token: anything up to a blank, or a string. The token at hand
 * must not have been read past, so this is called in place of lex_next; false: there is no further one. */
bool lex_word(struct lexer *lexer, struct str *ret_word);

/* Whether lex_word reads this back as one word when it stands there without quotes. */
bool lex_is_plain_word(struct str text);

bool lex_is(const struct lexer *lexer, char mark);
bool lex_is_name(const struct lexer *lexer, const char *name);

/* "'{'", "\"name\"", "the end of the file" for a message; at most 80 bytes. */
const char *lex_describe(const struct token *token, char ret_text[96]);
