/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/lex.h"

#include <stdio.h>

#include "base/text.h"
#include "schema/grow.h"

void lex_start(struct lexer *lexer, const char *file, struct str text, struct arena *arena,
	       struct schema_diagnostics *diagnostics) {
	*lexer = (struct lexer){
		.arena = arena,
		.diagnostics = diagnostics,
		.text = text,
		.pos = {.file = file, .line = 1, .column = 1},
	};
	lex_next(lexer);
}

static char peek(const struct lexer *lexer, size_t ahead) {
	return lexer->at + ahead < lexer->text.len ? lexer->text.ptr[lexer->at + ahead] : '\0';
}

static void step(struct lexer *lexer) {
	unsigned char byte = (unsigned char)lexer->text.ptr[lexer->at++];
	if (byte == '\n') {
		lexer->pos.line++;
		lexer->pos.column = 1;
	} else if ((byte & 0xC0) != 0x80) {
		lexer->pos.column++;
	}
}

static bool at_end(const struct lexer *lexer) {
	return lexer->at == lexer->text.len;
}

static bool is_digit(char c) {
	return c >= '0' && c <= '9';
}

static bool is_blank(char c) {
	return c == ' ' || c == '\t' || c == '\r';
}

static bool is_control(char c) {
	return (unsigned char)c < ' ' || c == 0x7F;
}

static bool is_name_part(char c) {
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static struct str text_from(const struct lexer *lexer, size_t start) {
	return str_new(lexer->text.ptr + start, lexer->at - start);
}

static void read_comment(struct lexer *lexer) {
	struct schema_pos pos = lexer->pos;
	step(lexer);
	step(lexer);
	if (peek(lexer, 0) == ' ')
		step(lexer);
	size_t start = lexer->at;
	while (!at_end(lexer) && peek(lexer, 0) != '\n') {
		char c = peek(lexer, 0);
		bool ends_line = c == '\r' && (peek(lexer, 1) == '\n' || peek(lexer, 1) == '\0');
		if (is_control(c) && c != '\t' && !ends_line)
			schema_diagnose(lexer->diagnostics, lexer->pos, NULL,
					"a comment has a control character in it");
		step(lexer);
	}
	struct str text = text_from(lexer, start);
	while (text.len > 0 && is_blank(text.ptr[text.len - 1]))
		text.len--;
	if (lexer->comment_count == SCHEMA_NODES_MAX) {
		schema_diagnose(lexer->diagnostics, pos, NULL, "more than %d lines of comment", SCHEMA_NODES_MAX);
		lexer->at = lexer->text.len;
		return;
	}
	lexer->comments = array_grow(lexer->arena, lexer->comments, lexer->comment_count, sizeof *lexer->comments);
	lexer->comments[lexer->comment_count++] = (struct lex_comment){.text = text, .line = pos.line};
}

/* Skips blanks and comments; true when a line ended there. */
static bool skip_blanks(struct lexer *lexer) {
	bool line_ended = lexer->at == 0;
	while (!at_end(lexer)) {
		char c = peek(lexer, 0);
		if (c == '\n')
			line_ended = true;
		if (c == '/' && peek(lexer, 1) == '/')
			read_comment(lexer);
		else if (c == '\n' || is_blank(c))
			step(lexer);
		else
			break;
	}
	return line_ended;
}

/* Writes the code point of \uXXXX as UTF-8; 0: invalid. Surrogates are invalid: characters past U+FFFF are written
 * directly. */
static size_t read_code_point(struct lexer *lexer, char *out) {
	unsigned code = 0;
	for (size_t i = 0; i < 4; i++) {
		int digit = text_hex_value(peek(lexer, 0));
		if (digit < 0)
			return 0;
		code = code * 16 + (unsigned)digit;
		step(lexer);
	}
	if (code == 0 || (code >= 0xD800 && code <= 0xDFFF))
		return 0;
	size_t len = code < 0x80 ? 1 : code < 0x800 ? 2 : 3;
	if (len == 1)
		out[0] = (char)code;
	else
		out[0] = (char)((len == 2 ? 0xC0 : 0xE0) | code >> (6 * (len - 1)));
	for (size_t i = 1; i < len; i++)
		out[i] = (char)(0x80 | (code >> (6 * (len - 1 - i)) & 0x3F));
	return len;
}

static size_t read_escape(struct lexer *lexer, char *out) {
	static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
	struct schema_pos pos = lexer->pos;
	step(lexer);
	char c = peek(lexer, 0);
	const char *found = c ? strchr(letters, c) : NULL;
	if (c != '\0' && c != '\n')
		step(lexer);
	if (found != NULL) {
		*out = meanings[found - letters];
		return 1;
	}
	size_t len = c == 'u' ? read_code_point(lexer, out) : 0;
	if (len == 0)
		schema_diagnose(lexer->diagnostics, pos, "there are \\\" \\\\ \\/ \\b \\f \\n \\r \\t and \\uXXXX",
				"unknown escape in a string");
	return len;
}

/* Unescaping never makes a text longer. */
static struct str read_string(struct lexer *lexer) {
	struct schema_pos start = lexer->pos;
	size_t end = lexer->at + 1;
	while (end < lexer->text.len && lexer->text.ptr[end] != '"' && lexer->text.ptr[end] != '\n')
		end += lexer->text.ptr[end] == '\\' ? 2 : 1;
	char *out = arena_alloc(lexer->arena, MIN(end, lexer->text.len) - lexer->at + 1);
	size_t used = 0;
	step(lexer);
	while (!at_end(lexer) && peek(lexer, 0) != '"' && peek(lexer, 0) != '\n') {
		if (peek(lexer, 0) == '\\') {
			used += read_escape(lexer, out + used);
			continue;
		}
		if (is_control(peek(lexer, 0)))
			schema_diagnose(lexer->diagnostics, lexer->pos, "write it as \\uXXXX",
					"a string has a control character in it");
		out[used++] = peek(lexer, 0);
		step(lexer);
	}
	if (peek(lexer, 0) == '"')
		step(lexer);
	else
		schema_diagnose(lexer->diagnostics, start, "a string ends in the line that it begins in",
				"a string without its closing \"");
	return str_new(out, used);
}

static enum token_kind read_token(struct lexer *lexer, struct str *ret_text) {
	static const char marks[] = "{}()[]<>:,?=.+";
	size_t start = lexer->at;
	char c = peek(lexer, 0);
	if (c == '"') {
		*ret_text = read_string(lexer);
		return TOKEN_STRING;
	}
	enum token_kind kind = TOKEN_END;
	if (is_digit(c) || (c == '-' && is_digit(peek(lexer, 1))))
		kind = TOKEN_NUMBER;
	else if (is_name_part(c))
		kind = TOKEN_NAME;
	else if (c != '\0' && strchr(marks, c))
		kind = TOKEN_MARK;
	step(lexer);
	if (kind == TOKEN_NAME || kind == TOKEN_NUMBER)
		while (is_name_part(peek(lexer, 0))) {
			lexer->at++;
			lexer->pos.column++;
		}
	*ret_text = text_from(lexer, start);
	return kind;
}

/* Typographic quotes, U+2018 to U+201F, which editors insert for " and '. */
static bool is_curly_quote(struct str text) {
	return text.len == 3 && memcmp(text.ptr, "\xE2\x80", 2) == 0 && (unsigned char)text.ptr[2] >= 0x98 &&
	       (unsigned char)text.ptr[2] <= 0x9F;
}

static void complain_about_character(struct lexer *lexer, struct schema_pos pos, struct str text) {
	while (!at_end(lexer) && ((unsigned char)peek(lexer, 0) & 0xC0) == 0x80) {
		step(lexer);
		text.len++;
	}
	const char *hint = text.ptr[0] == '/' || text.ptr[0] == '#' ? "a comment begins with //"
			   : text.ptr[0] == '\'' || is_curly_quote(text) ? "a string stands in \""
			   : text.ptr[0] == ';'			       ? "a declaration ends without a mark"
			   : text.ptr[0] == '-' && peek(lexer, 0) != '>' ? "a name has letters, digits and underscores"
								       : NULL;
	if (is_control(text.ptr[0]))
		schema_diagnose(lexer->diagnostics, pos, hint, "a control character (%#04x)",
				(unsigned char)text.ptr[0]);
	else
		schema_diagnose(lexer->diagnostics, pos, hint, "'%.*s' has no meaning here", STR_ARG(text));
	/* Skips the line: a '#' was meant as a comment, so its words cause no further errors. */
	while (text.ptr[0] == '#' && !at_end(lexer) && peek(lexer, 0) != '\n')
		step(lexer);
}

void lex_next(struct lexer *lexer) {
	lexer->last_line = lexer->pos.line;
	lexer->open_braces += lex_is(lexer, '{');
	lexer->open_braces -= lex_is(lexer, '}') && lexer->open_braces > 0;
	bool first_on_line = false;
	for (;;) {
		first_on_line |= skip_blanks(lexer);
		struct schema_pos pos = lexer->pos;
		struct str text = str_from_offset(lexer->text, lexer->at);
		enum token_kind kind = TOKEN_END;
		if (!at_end(lexer)) {
			kind = read_token(lexer, &text);
			if (kind == TOKEN_END) {
				complain_about_character(lexer, pos, text);
				continue;
			}
		}
		lexer->token = (struct token){kind, text, pos, first_on_line || kind == TOKEN_END};
		return;
	}
}

/* The length of the plain word at the start of text; 0: none. A closing brace without its opening one ends the word. */
static size_t plain_word_length(struct str text) {
	if (text.len == 0 || text.ptr[0] == '+' || str_starts_with(text, STR("//")))
		return 0;
	size_t open = 0;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		if (c == ' ' || c == '"' || is_control(c) || (c == '}' && open == 0))
			return i;
		open += c == '{';
		open -= c == '}';
	}
	return text.len;
}

bool lex_is_plain_word(struct str text) {
	return text.len > 0 && plain_word_length(text) == text.len;
}

bool lex_word(struct lexer *lexer, struct str *ret_word) {
	while (is_blank(peek(lexer, 0)))
		step(lexer);
	if (peek(lexer, 0) == '"') {
		*ret_word = read_string(lexer);
		return true;
	}
	size_t len = plain_word_length(str_from_offset(lexer->text, lexer->at));
	*ret_word = str_new(lexer->text.ptr + lexer->at, len);
	for (size_t i = 0; i < len; i++)
		step(lexer);
	return len > 0;
}

bool lex_is(const struct lexer *lexer, char mark) {
	return lexer->token.kind == TOKEN_MARK && lexer->token.text.ptr[0] == mark;
}

bool lex_is_name(const struct lexer *lexer, const char *name) {
	return lexer->token.kind == TOKEN_NAME && str_eq_c(lexer->token.text, name);
}

const char *lex_describe(const struct token *token, char ret_text[96]) {
	struct str text = token->text;
	text.len = MIN(text.len, (size_t)SCHEMA_NAME_MAX);
	switch (token->kind) {
	case TOKEN_END:
		return "the end of the file";
	case TOKEN_MARK:
		snprintf(ret_text, 96, "'%.*s'", STR_ARG(text));
		return ret_text;
	case TOKEN_STRING:
		return "a string";
	case TOKEN_NAME:
	case TOKEN_NUMBER:
		snprintf(ret_text, 96, "\"%.*s\"", STR_ARG(text));
		return ret_text;
	}
	return "";
}
