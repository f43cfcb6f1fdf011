/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/parser.h"

#include "base/memory.h"
#include "schema/grow.h"

int parser_expected(struct parser *parser, const char *hint, const char *what) {
	char found[96];
	return COMPLAIN(parser, hint, "expected %s, found %s", what, lex_describe(&parser->lexer.token, found));
}

int parser_take_mark(struct parser *parser, char mark, const char *hint) {
	if (!lex_is(&parser->lexer, mark)) {
		char what[] = {'\'', mark, '\'', '\0'};
		return parser_expected(parser, hint, what);
	}
	lex_next(&parser->lexer);
	return 0;
}

bool parser_take_mark_if(struct parser *parser, char mark) {
	if (!lex_is(&parser->lexer, mark))
		return false;
	lex_next(&parser->lexer);
	return true;
}

void *scratch_grow(struct scratch *scratch, size_t count, size_t item_size) {
	size_t needed = (count + 1) * item_size;
	if (needed > scratch->size) {
		scratch->size = MAX(scratch->size * 2, MAX(needed, (size_t)1024));
		scratch->items = mem_realloc(scratch->items, scratch->size);
	}
	return scratch->items;
}

void *parser_keep(struct parser *parser, const void *items, size_t count, size_t item_size) {
	return count == 0 ? NULL : memcpy(arena_alloc(parser->arena, count * item_size), items, count * item_size);
}

void parser_stop(struct parser *parser) {
	parser->stopped = true;
	parser->lexer.at = parser->lexer.text.len;
	lex_next(&parser->lexer);
}

int parser_count_node(struct parser *parser) {
	if (parser->nodes++ < SCHEMA_NODES_MAX)
		return 0;
	if (!parser->stopped)
		COMPLAIN(parser, "split the module", "the module is too large: more than %d parts", SCHEMA_NODES_MAX);
	parser_stop(parser);
	return -1;
}

int parser_read_name(struct parser *parser, const char *what, const char **ret_name) {
	struct token token = parser->lexer.token;
	if (token.kind != TOKEN_NAME)
		return parser_expected(parser, NULL, what);
	if (token.text.len > SCHEMA_NAME_MAX)
		return COMPLAIN(parser, NULL, "a name of %zu bytes; at most %d are allowed", token.text.len,
				SCHEMA_NAME_MAX);
	if (parser_count_node(parser) != 0)
		return -1;
	*ret_name = arena_strdup(parser->arena, token.text);
	return 0;
}

int parser_take_name(struct parser *parser, const char *what, const char **ret_name, struct schema_pos *ret_pos) {
	struct schema_pos pos = parser->lexer.token.pos;
	if (parser_read_name(parser, what, ret_name) != 0)
		return -1;
	if (ret_pos != NULL)
		*ret_pos = pos;
	lex_next(&parser->lexer);
	return 0;
}

/* Moves the oldest count comments into comments. */
static void take_comments(struct parser *parser, size_t count, struct schema_comments *comments) {
	struct lexer *lexer = &parser->lexer;
	for (size_t i = 0; i < count && parser_count_node(parser) == 0; i++) {
		comments->lines = array_grow(parser->arena, comments->lines, comments->count, sizeof *comments->lines);
		comments->lines[comments->count++] = arena_strdup(parser->arena, lexer->comments[i].text);
	}
	lexer->comment_count -= count;
	if (count > 0)
		memmove(lexer->comments, lexer->comments + count, lexer->comment_count * sizeof *lexer->comments);
}

void parser_take_comments_before(struct parser *parser, struct schema_comments *comments) {
	take_comments(parser, parser->lexer.comment_count, comments);
}

void parser_take_comments_within(struct parser *parser, struct schema_comments *comments) {
	size_t count = 0;
	while (count < parser->lexer.comment_count && parser->lexer.comments[count].line <= parser->lexer.last_line)
		count++;
	take_comments(parser, count, comments);
}
