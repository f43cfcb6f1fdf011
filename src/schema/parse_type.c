/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/parse_type.h"

#include "schema/grow.h"
#include "schema/parser.h"

static bool is_param(const struct parser *parser, const char *name) {
	for (size_t i = 0; parser->data != NULL && i < parser->data->data.param_count; i++)
		if (strcmp(parser->data->data.params[i].name, name) == 0)
			return true;
	return false;
}

static int parse_type_at(struct parser *parser, size_t depth, struct schema_type *ret_type);

struct schema_type *parse_new_type(struct parser *parser, enum schema_type_kind kind, struct schema_pos pos) {
	struct schema_type *type = arena_alloc(parser->arena, sizeof *type);
	*type = (struct schema_type){.kind = kind, .ref.pos = pos};
	return type;
}

static struct schema_type *parse_inner_type(struct parser *parser, size_t depth) {
	struct schema_type *type = parse_new_type(parser, SCHEMA_ANY, parser->lexer.token.pos);
	return parse_type_at(parser, depth + 1, type) == 0 ? type : NULL;
}

/* Parses the rest of a reference after its first name. */
static int parse_ref_after(struct parser *parser, const char *first, struct schema_ref *ret_ref) {
	if (!parser_take_mark_if(parser, '.')) {
		ret_ref->module = is_param(parser, first) ? "" : parser->module->name;
		ret_ref->name = first;
		return 0;
	}
	ret_ref->module = first;
	return parser_take_name(parser, "a name after the '.'", &ret_ref->name, NULL);
}

int parse_ref(struct parser *parser, const char *what, struct schema_ref *ret_ref) {
	const char *first;
	if (parser_take_name(parser, what, &first, &ret_ref->pos) != 0)
		return -1;
	return parse_ref_after(parser, first, ret_ref);
}

static int parse_type_args(struct parser *parser, size_t depth, struct schema_type *type) {
	do {
		struct schema_type arg;
		if (parse_type_at(parser, depth + 1, &arg) != 0)
			return -1;
		type->args = array_grow(parser->arena, type->args, type->arg_count, sizeof arg);
		type->args[type->arg_count++] = arg;
	} while (parser_take_mark_if(parser, ','));
	return parser_take_mark(parser, '>', NULL);
}

static int parse_named_type(struct parser *parser, size_t depth, struct schema_type *type) {
	struct token token = parser->lexer.token;
	const char *first;
	if (parser_take_name(parser, "a type", &first, NULL) != 0)
		return -1;
	if (strcmp(first, "verb") == 0 && parser->lexer.token.kind == TOKEN_NAME &&
	    !parser->lexer.token.first_on_line) {
		type->kind = SCHEMA_VERB_REF;
		return parse_ref(parser, "the name of a verb", &type->ref);
	}
	if (!lex_is(&parser->lexer, '.') && schema_type_from_word(token.text, &type->kind))
		return 0;
	type->kind = SCHEMA_REF;
	if (parse_ref_after(parser, first, &type->ref) != 0)
		return -1;
	return parser_take_mark_if(parser, '<') ? parse_type_args(parser, depth, type) : 0;
}

static int parse_map(struct parser *parser, size_t depth, struct schema_type *type) {
	static const char hint[] = "a map is written {String: Int}";
	type->kind = SCHEMA_MAP;
	type->key = parse_inner_type(parser, depth);
	if (type->key == NULL || parser_take_mark(parser, ':', hint) != 0)
		return -1;
	type->element = parse_inner_type(parser, depth);
	return type->element == NULL ? -1 : parser_take_mark(parser, '}', hint);
}

static int parse_array(struct parser *parser, size_t depth, struct schema_type *type) {
	type->kind = SCHEMA_ARRAY;
	type->element = parse_inner_type(parser, depth);
	return type->element == NULL ? -1 : parser_take_mark(parser, ']', "an array is written [String]");
}

static int complain_about_depth(struct parser *parser) {
	return COMPLAIN(parser, "give a part of it a name", "types nested deeper than %d", SCHEMA_DEPTH_MAX);
}

static int parse_type_at(struct parser *parser, size_t depth, struct schema_type *ret_type) {
	struct schema_pos pos = parser->lexer.token.pos;
	struct schema_type type = {.ref.pos = pos};
	if (depth == SCHEMA_DEPTH_MAX)
		return complain_about_depth(parser);
	if (parser_count_node(parser) != 0)
		return -1;
	int result = parser_take_mark_if(parser, '[')   ? parse_array(parser, depth, &type)
		     : parser_take_mark_if(parser, '{') ? parse_map(parser, depth, &type)
							: parse_named_type(parser, depth, &type);
	if (result != 0)
		return -1;
	if (parser_take_mark_if(parser, '?')) {
		struct schema_type *element = parse_new_type(parser, SCHEMA_OPTIONAL, pos);
		*element = type;
		type = (struct schema_type){.kind = SCHEMA_OPTIONAL, .element = element, .ref.pos = pos};
	}
	if (lex_is(&parser->lexer, '?'))
		return COMPLAIN(parser, NULL, "a type is optional or not: one '?' is enough");
	if (depth == 0 && schema_type_height(&type) > SCHEMA_DEPTH_MAX)
		return complain_about_depth(parser);
	*ret_type = type;
	return 0;
}

int parse_type(struct parser *parser, struct schema_type *ret_type) {
	return parse_type_at(parser, 0, ret_type);
}
