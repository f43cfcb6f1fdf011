/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recursive descent with one token ahead. A function returns -1 when it cannot continue; the nearest enclosing loop
 * then resynchronises: at the next line for a field, at the next declaration for a declaration.
 *
 * A comment belongs to the item that follows it, or to the item that ends before it on the same line; comments left at
 * the end of a block belong to the block.
 */
#include "schema/parse.h"

#include <errno.h>
#include <stdlib.h>

#include "base/nearest.h"
#include "schema/grow.h"
#include "schema/parse_type.h"
#include "schema/parser.h"

static int parse_calls(struct parser *parser, struct schema_metadata *metadata) {
	do {
		struct schema_ref call;
		if (parse_ref(parser, "the verb that is called", &call) != 0)
			return -1;
		metadata->calls = array_grow(parser->arena, metadata->calls, metadata->call_count, sizeof call);
		metadata->calls[metadata->call_count++] = call;
	} while (parser_take_mark_if(parser, ','));
	return 0;
}

/* Parses metadata; the current token is '+'. */
static int parse_metadata(struct parser *parser, struct schema_metadata *ret_metadata) {
	struct lexer *lexer = &parser->lexer;
	struct schema_metadata metadata = {.pos = lexer->token.pos};
	lex_next(lexer);
	if (parser_read_name(parser, "a name after '+', for example +calls", &metadata.name) != 0)
		return -1;
	if (strcmp(metadata.name, "calls") == 0) {
		lex_next(lexer);
		if (parse_calls(parser, &metadata) != 0)
			return -1;
	} else {
		struct str word;
		while (lex_word(lexer, &word) && parser_count_node(parser) == 0) {
			metadata.args =
				array_grow(parser->arena, metadata.args, metadata.arg_count, sizeof *metadata.args);
			metadata.args[metadata.arg_count++] = arena_strdup(parser->arena, word);
		}
		lex_next(lexer);
	}
	*ret_metadata = metadata;
	return 0;
}

static void add_metadata(struct parser *parser, struct schema_metadata_list *list,
			 const struct schema_metadata *metadata) {
	list->items = array_grow(parser->arena, list->items, list->count, sizeof *metadata);
	list->items[list->count++] = *metadata;
}

static int parse_metadata_list(struct parser *parser, struct schema_metadata_list *list) {
	while (lex_is(&parser->lexer, '+')) {
		struct schema_metadata metadata;
		if (parse_metadata(parser, &metadata) != 0)
			return -1;
		add_metadata(parser, list, &metadata);
	}
	return 0;
}

/* "ingress METHOD PATH": two words, as more metadata may follow on the line. */
static int parse_ingress(struct parser *parser, struct schema_metadata *metadata) {
	static const char hint[] = "it is written: +ingress GET /path";
	enum { WORDS = 2 };
	metadata->args = arena_alloc(parser->arena, WORDS * sizeof *metadata->args);
	for (struct str word; metadata->arg_count < WORDS && lex_word(&parser->lexer, &word);) {
		if (parser_count_node(parser) != 0)
			return -1;
		metadata->args[metadata->arg_count++] = arena_strdup(parser->arena, word);
	}
	lex_next(&parser->lexer);
	return metadata->arg_count == WORDS
		       ? 0
		       : schema_diagnose(parser->diagnostics, metadata->pos, hint, "ingress takes a method and a path");
}

/* The language of 2023 wrote "calls a.b" and "ingress GET /path" without a plus. Nothing else that may follow a data or
 * a verb begins with one of these words; a field may have them as its name. */
static int parse_bare_metadata(struct parser *parser, struct schema_metadata_list *list) {
	bool is_calls = lex_is_name(&parser->lexer, "calls");
	struct schema_metadata metadata = {.pos = parser->lexer.token.pos, .name = is_calls ? "calls" : "ingress"};
	if (is_calls)
		lex_next(&parser->lexer);
	if ((is_calls ? parse_calls : parse_ingress)(parser, &metadata) != 0)
		return -1;
	add_metadata(parser, list, &metadata);
	return 0;
}

static int parse_decl_metadata(struct parser *parser, struct schema_decl *decl) {
	bool may_be_bare = decl->kind == SCHEMA_VERB || decl->kind == SCHEMA_DATA;
	for (;;) {
		if (parse_metadata_list(parser, &decl->metadata) != 0)
			return -1;
		if (!may_be_bare || (!lex_is_name(&parser->lexer, "calls") && !lex_is_name(&parser->lexer, "ingress")))
			return 0;
		if (parse_bare_metadata(parser, &decl->metadata) != 0)
			return -1;
	}
}

static bool at_block_end(const struct parser *parser, size_t block) {
	return lex_is(&parser->lexer, '}') && parser->lexer.open_braces == block;
}

/* Moves to the next line or the end of the block, always past start. */
static void skip_line(struct parser *parser, size_t block, size_t start) {
	struct lexer *lexer = &parser->lexer;
	if (lexer->at == start)
		lex_next(lexer);
	while (lexer->token.kind != TOKEN_END && !lexer->token.first_on_line && !at_block_end(parser, block))
		lex_next(lexer);
}

static const char *misplaced_mark_hint(const struct parser *parser, const char *colon) {
	if (lex_is(&parser->lexer, ':') || lex_is(&parser->lexer, '='))
		return colon;
	if (lex_is(&parser->lexer, '['))
		return "an array is written [String]";
	if (lex_is(&parser->lexer, '?'))
		return "an optional field is written: name String?";
	return lex_is(&parser->lexer, ',') ? "nothing stands between two of them but a blank or a new line" : NULL;
}

static int complain_about_members(struct parser *parser, const struct schema_decl *decl, const char *members) {
	schema_diagnose(parser->diagnostics, decl->pos, "split it", "%s: more than %d %s", decl->name,
			SCHEMA_MEMBERS_MAX, members);
	parser_stop(parser);
	return -1;
}

/* A field may be called "verb" or "data"; only what follows shows a declaration: "verb echo(", "data D {". */
static bool looks_unclosed(const struct parser *parser, const struct schema_decl *data) {
	static const char *const words[] = {"verb", "data", "enum", "typealias", "export"};
	if (data->data.field_count == 0 || (!lex_is(&parser->lexer, '(') && !lex_is(&parser->lexer, '{')))
		return false;
	const char *last = data->data.fields[data->data.field_count - 1].name;
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(words[i], last) == 0)
			return true;
	return false;
}

static int parse_field(struct parser *parser, struct schema_decl *data) {
	static const char hint[] = "a field is written: name String";
	struct schema_field field = {0};
	parser_take_comments_before(parser, &field.comments);
	if (parser->lexer.token.kind != TOKEN_NAME)
		return parser_expected(parser,
				       looks_unclosed(parser, data) ? "is a '}' missing before this line?"
								    : misplaced_mark_hint(parser, hint),
				       "the name of a field or '}'");
	if (parser_take_name(parser, "the name of a field", &field.name, &field.pos) != 0)
		return -1;
	if (parser->lexer.token.first_on_line || lex_is(&parser->lexer, '}'))
		return schema_diagnose(parser->diagnostics, field.pos, hint, "field \"%s\" has no type", field.name);
	if (lex_is(&parser->lexer, ':') || lex_is(&parser->lexer, '=') || lex_is(&parser->lexer, '?'))
		return parser_expected(parser, misplaced_mark_hint(parser, hint), "a type");
	if (parse_type(parser, &field.type) != 0 || parse_metadata_list(parser, &field.metadata) != 0)
		return -1;
	parser_take_comments_within(parser, &field.comments);
	if (data->data.field_count == SCHEMA_MEMBERS_MAX)
		return complain_about_members(parser, data, "fields");
	data->data.fields = scratch_grow(&parser->members, data->data.field_count, sizeof field);
	data->data.fields[data->data.field_count++] = field;
	return 0;
}

/* Parses "{", the parts, "}" and metadata. After a wrong part parsing continues with the next. */
static int parse_block(struct parser *parser, struct schema_decl *decl,
		       int (*parse_part)(struct parser *parser, struct schema_decl *decl)) {
	if (parser_take_mark(parser, '{', NULL) != 0)
		return -1;
	parser_take_comments_within(parser, &decl->comments);
	size_t block = parser->lexer.open_braces;
	while (!at_block_end(parser, block) && parser->lexer.token.kind != TOKEN_END) {
		size_t start = parser->lexer.at;
		if (parse_part(parser, decl) != 0)
			skip_line(parser, block, start);
	}
	if (parser->stopped)
		return -1;
	if (!parser_take_mark_if(parser, '}')) {
		parser->lost = true;
		return schema_diagnose(parser->diagnostics, decl->pos, NULL, "%s \"%s\" is not closed by a '}'",
				       schema_decl_word(decl->kind), decl->name);
	}
	parser_take_comments_within(parser, &decl->comments);
	return 0;
}

static int parse_params(struct parser *parser, struct schema_decl *data) {
	do {
		struct schema_param param;
		if (data->data.param_count == SCHEMA_PARAMS_MAX)
			return COMPLAIN(parser, NULL, "more than %d type parameters", SCHEMA_PARAMS_MAX);
		if (parser_take_name(parser, "the name of a type parameter", &param.name, &param.pos) != 0)
			return -1;
		data->data.params = array_grow(parser->arena, data->data.params, data->data.param_count, sizeof param);
		data->data.params[data->data.param_count++] = param;
	} while (parser_take_mark_if(parser, ','));
	return parser_take_mark(parser, '>', NULL);
}

static int parse_data(struct parser *parser, struct schema_decl *decl) {
	decl->kind = SCHEMA_DATA;
	if (parser_take_mark_if(parser, '<') && parse_params(parser, decl) != 0)
		return -1;
	parser->data = decl;
	int result = parse_block(parser, decl, parse_field);
	parser->data = NULL;
	return result;
}

static bool at_keyword(const struct parser *parser);

static int parse_verb(struct parser *parser, struct schema_decl *decl) {
	static const char hint[] = "a verb is written: verb name(Request) Response";
	decl->kind = SCHEMA_VERB;
	if (parser_take_mark(parser, '(', hint) != 0)
		return -1;
	if (lex_is(&parser->lexer, ')'))
		return COMPLAIN(parser, "write Unit when it takes nothing", "verb \"%s\" has no request", decl->name);
	if (parse_type(parser, &decl->verb.request) != 0 ||
	    parser_take_mark(parser, ')',
			     lex_is(&parser->lexer, ',') ? "a verb takes one type: make a data of several" : hint) != 0)
		return -1;
	if (lex_is(&parser->lexer, ':') || lex_is(&parser->lexer, '>'))
		return parser_expected(parser, hint, "a type");
	bool next_begins = parser->lexer.token.first_on_line && at_keyword(parser);
	if (next_begins || lex_is(&parser->lexer, '+') || lex_is(&parser->lexer, '}'))
		return COMPLAIN(parser, "write Unit when it answers nothing", "verb \"%s\" has no response",
				decl->name);
	return parse_type(parser, &decl->verb.response);
}

static int parse_number(struct parser *parser, int64_t *ret_number) {
	struct str text = parser->lexer.token.text;
	char digits[24] = "";
	char *end = digits;
	errno = 0;
	if (text.len < sizeof digits) {
		memcpy(digits, text.ptr, text.len);
		*ret_number = strtoll(digits, &end, 10);
	}
	if (end == digits || *end != '\0' || errno != 0)
		return COMPLAIN(parser, NULL, "\"%.*s\" is not a whole number of 64 bits",
				(int)MIN(text.len, (size_t)64), text.ptr);
	lex_next(&parser->lexer);
	return 0;
}

static int parse_value(struct parser *parser, struct schema_decl *decl, struct schema_variant *variant) {
	struct token token = parser->lexer.token;
	if (decl->enumeration.of_int && token.kind == TOKEN_NUMBER)
		return parse_number(parser, &variant->number);
	if (decl->enumeration.of_int || token.kind != TOKEN_STRING) {
		parser_expected(parser, NULL, decl->enumeration.of_int ? "a whole number" : "a string");
		/* A value of the wrong kind is reported later; take it, so that errors after it are found. */
		if (token.kind != TOKEN_STRING && token.kind != TOKEN_NUMBER)
			return -1;
		variant->text = decl->enumeration.of_int ? NULL : "";
	} else {
		variant->text = arena_strdup(parser->arena, token.text);
	}
	lex_next(&parser->lexer);
	return 0;
}

static int add_variant(struct parser *parser, struct schema_decl *decl, struct schema_variant *variant) {
	parser_take_comments_within(parser, &variant->comments);
	if (decl->enumeration.variant_count == SCHEMA_MEMBERS_MAX)
		return complain_about_members(parser, decl, "variants");
	decl->enumeration.variants =
		scratch_grow(&parser->members, decl->enumeration.variant_count, sizeof *variant);
	decl->enumeration.variants[decl->enumeration.variant_count++] = *variant;
	return 0;
}

static int parse_value_variant(struct parser *parser, struct schema_decl *decl) {
	const char *hint =
		decl->enumeration.of_int ? "a variant is written: Name = 1" : "a variant is written: Name = \"value\"";
	struct schema_variant variant = {0};
	parser_take_comments_before(parser, &variant.comments);
	if (parser->lexer.token.kind != TOKEN_NAME)
		return parser_expected(parser, misplaced_mark_hint(parser, hint), "the name of a variant or '}'");
	if (parser_take_name(parser, "the name of a variant", &variant.name, &variant.pos) != 0)
		return -1;
	if (!lex_is(&parser->lexer, '='))
		return schema_diagnose(parser->diagnostics, variant.pos, hint, "variant \"%s\" has no value",
				       variant.name);
	lex_next(&parser->lexer);
	if (parse_value(parser, decl, &variant) != 0)
		return -1;
	if (lex_is(&parser->lexer, '.'))
		return COMPLAIN(parser, NULL, "the value of an enum of Int has no fraction");
	return add_variant(parser, decl, &variant);
}

static int parse_type_variant(struct parser *parser, struct schema_decl *decl) {
	static const char hint[] =
		"a variant is written: Name Type; one of values needs ': String' or ': Int' after the "
		"enum's name";
	struct schema_variant variant = {.type = parse_new_type(parser, SCHEMA_ANY, parser->lexer.token.pos)};
	parser_take_comments_before(parser, &variant.comments);
	if (parser->lexer.token.kind != TOKEN_NAME)
		return parser_expected(parser, misplaced_mark_hint(parser, hint), "the name of a variant or '}'");
	if (parser_take_name(parser, "the name of a variant", &variant.name, &variant.pos) != 0)
		return -1;
	if (parser->lexer.token.first_on_line || lex_is(&parser->lexer, '}') || lex_is(&parser->lexer, '='))
		return schema_diagnose(parser->diagnostics, variant.pos, hint, "variant \"%s\" has no type",
				       variant.name);
	if (parse_type(parser, variant.type) != 0)
		return -1;
	return add_variant(parser, decl, &variant);
}

static int parse_enum(struct parser *parser, struct schema_decl *decl) {
	decl->kind = SCHEMA_SUM;
	if (parser_take_mark_if(parser, ':')) {
		decl->kind = SCHEMA_ENUM;
		decl->enumeration.of_int = lex_is_name(&parser->lexer, "Int");
		if (!decl->enumeration.of_int && !lex_is_name(&parser->lexer, "String"))
			return parser_expected(parser, NULL, "Int or String, the type of the enum's values");
		lex_next(&parser->lexer);
	}
	return parse_block(parser, decl, decl->kind == SCHEMA_ENUM ? parse_value_variant : parse_type_variant);
}

static int parse_alias(struct parser *parser, struct schema_decl *decl) {
	decl->kind = SCHEMA_ALIAS;
	return parse_type(parser, &decl->alias.type);
}

struct keyword {
	const char *word;
	const char *name_of; /* for diagnostics */
	int (*parse)(struct parser *parser, struct schema_decl *decl);
};

static const struct keyword keywords[] = {
	{"data", "the name of the data", parse_data},
	{"verb", "the name of the verb", parse_verb},
	{"enum", "the name of the enum", parse_enum},
	{"typealias", "the name of the type alias", parse_alias},
};

static const struct keyword *find_keyword(const struct parser *parser) {
	for (size_t i = 0; i < ARRAY_LEN(keywords); i++)
		if (lex_is_name(&parser->lexer, keywords[i].word))
			return &keywords[i];
	return NULL;
}

static bool at_keyword(const struct parser *parser) {
	return find_keyword(parser) != NULL || lex_is_name(&parser->lexer, "export");
}

/* The FTL keyword for that of another language. */
static const char *familiar_keyword(struct str word) {
	static const char *const pairs[][2] = {
		{"import", "nothing is imported: a type of another module is written module.Type"},
		{"use", "nothing is imported: a type of another module is written module.Type"},
		{"calls", "it stands after the verb that calls: +calls module.verb"},
		{"ingress", "it stands after the verb that answers: +ingress GET /path"},
		{"message", "did you mean \"data\"?"},
		{"struct", "did you mean \"data\"?"},
		{"class", "did you mean \"data\"?"},
		{"type", "did you mean \"data\" or \"typealias\"?"},
		{"rpc", "did you mean \"verb\"?"},
		{"func", "did you mean \"verb\"?"},
		{"fn", "did you mean \"verb\"?"},
		{"function", "did you mean \"verb\"?"},
		{"service", "did you mean \"verb\"?"},
	};
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
		if (str_eq_c(word, pairs[i][0]))
			return pairs[i][1];
	return NULL;
}

static int complain_about_keyword(struct parser *parser) {
	struct nearest nearest;
	nearest_init(&nearest, parser->lexer.token.text);
	nearest_offer(&nearest, "export");
	for (size_t i = 0; i < ARRAY_LEN(keywords); i++)
		nearest_offer(&nearest, keywords[i].word);
	char hint[NEAREST_HINT_MAX];
	bool is_name = parser->lexer.token.kind == TOKEN_NAME;
	const char *familiar = is_name ? familiar_keyword(parser->lexer.token.text) : NULL;
	return parser_expected(parser,
			       familiar  ? familiar
			       : is_name ? nearest_hint(&nearest, hint)
					 : NULL,
			       "data, verb, enum or typealias");
}

static void keep_members(struct parser *parser, struct schema_decl *decl) {
	if (decl->kind == SCHEMA_DATA)
		decl->data.fields =
			parser_keep(parser, decl->data.fields, decl->data.field_count, sizeof *decl->data.fields);
	else if (decl->kind == SCHEMA_ENUM || decl->kind == SCHEMA_SUM)
		decl->enumeration.variants =
			parser_keep(parser, decl->enumeration.variants, decl->enumeration.variant_count,
				    sizeof *decl->enumeration.variants);
}

static int parse_decl(struct parser *parser) {
	struct schema_decl decl = {0};
	parser_take_comments_before(parser, &decl.comments);
	if (lex_is_name(&parser->lexer, "export")) {
		decl.exported = true;
		lex_next(&parser->lexer);
	}
	const struct keyword *keyword = find_keyword(parser);
	bool lost_before = parser->lost;
	parser->lost = true;
	if (keyword == NULL)
		return complain_about_keyword(parser);
	lex_next(&parser->lexer);
	if (parser_take_name(parser, keyword->name_of, &decl.name, &decl.pos) != 0)
		return -1;
	parser->lost = lost_before;
	int result = keyword->parse(parser, &decl);
	if (result == 0)
		result = parse_decl_metadata(parser, &decl);
	if (parser->stopped)
		return -1;
	parser_take_comments_within(parser, &decl.comments);
	struct schema_module *module = parser->module;
	if (module->decl_count == SCHEMA_DECLS_MAX) {
		schema_diagnose(parser->diagnostics, decl.pos, "split the module", "more than %d declarations",
				SCHEMA_DECLS_MAX);
		parser_stop(parser);
		return -1;
	}
	keep_members(parser, &decl);
	module->decls = scratch_grow(&parser->decls, module->decl_count, sizeof decl);
	module->decls[module->decl_count++] = decl;
	return result;
}

/* Moves to the next line that begins with a word or ends the module, always past start. */
static void skip_decl(struct parser *parser, size_t start) {
	struct lexer *lexer = &parser->lexer;
	if (lexer->at == start)
		lex_next(lexer);
	for (; lexer->token.kind != TOKEN_END; lex_next(lexer)) {
		bool is_word = lexer->token.kind == TOKEN_NAME && lexer->token.first_on_line;
		if (at_block_end(parser, 1) || (is_word && lexer->open_braces == 1))
			return;
		parser->lost |= at_keyword(parser);
	}
}

/* Stores module metadata that says how the module runs. Returns false for other metadata. */
static bool apply_runtime(struct parser *parser, const struct schema_metadata *metadata) {
	struct schema_module *module = parser->module;
	const struct {
		const char *name;
		const char **member;
	} members[] = {{"language", &module->language}, {"entry", &module->entry}, {"bind", &module->bind}};
	bool is_created = strcmp(metadata->name, "created") == 0;
	const char **member = NULL;
	for (size_t i = 0; i < ARRAY_LEN(members); i++)
		if (strcmp(members[i].name, metadata->name) == 0)
			member = members[i].member;
	if (member == NULL && !is_created)
		return false;
	if (metadata->arg_count != 1 || metadata->args[0][0] == '\0')
		schema_diagnose(parser->diagnostics, metadata->pos, NULL, "+%s takes one word", metadata->name);
	else if (member ? **member != '\0' : module->has_create_time)
		schema_diagnose(parser->diagnostics, metadata->pos, NULL, "+%s is said twice", metadata->name);
	else if (member != NULL)
		*member = metadata->args[0];
	else if (timestamp_parse(str_from(metadata->args[0]), &module->create_time))
		module->has_create_time = true;
	else
		schema_diagnose(parser->diagnostics, metadata->pos, "for example 2026-01-02T03:04:05Z",
				"+created takes a time");
	return true;
}

static int parse_module_metadata(struct parser *parser) {
	struct schema_metadata_list all = {0};
	if (parse_metadata_list(parser, &all) != 0)
		return -1;
	struct schema_metadata_list *list = &parser->module->metadata;
	for (size_t i = 0; i < all.count; i++) {
		if (apply_runtime(parser, &all.items[i]))
			continue;
		list->items = array_grow(parser->arena, list->items, list->count, sizeof *list->items);
		list->items[list->count++] = all.items[i];
	}
	return 0;
}

static int parse_module(struct parser *parser) {
	struct schema_module *module = parser->module;
	struct lexer *lexer = &parser->lexer;
	parser_take_comments_before(parser, &module->comments);
	if (!lex_is_name(lexer, "module"))
		return parser_expected(parser, "a schema is written: module name { … }", "module");
	lex_next(lexer);
	if (parser_take_name(parser, "the name of the module", &module->name, &module->pos) != 0 ||
	    parser_take_mark(parser, '{', NULL) != 0)
		return -1;
	parser_take_comments_within(parser, &module->comments);
	size_t start = lexer->at;
	if (lex_is(lexer, '+') && parse_module_metadata(parser) != 0)
		skip_decl(parser, start);
	parser_take_comments_within(parser, &module->comments);
	while (!lex_is(lexer, '}') && lexer->token.kind != TOKEN_END && !parser->stopped) {
		start = lexer->at;
		if (parse_decl(parser) != 0)
			skip_decl(parser, start);
	}
	if (!parser_take_mark_if(parser, '}')) {
		parser->lost = true;
		/* After another error the missing name may be in the skipped text. */
		return parser->diagnostics->count > 0
			       ? -1
			       : schema_diagnose(parser->diagnostics, module->pos, NULL,
						 "module \"%s\" is not closed by a '}'", module->name);
	}
	parser_take_comments_before(parser, &module->comments);
	return lexer->token.kind == TOKEN_END
		       ? 0
		       : parser_expected(parser, "a file holds one module", "the end of the file");
}

static int check_text(struct str text, const char *file, struct schema_diagnostics *diagnostics) {
	struct schema_pos pos = {.file = file, .line = 1, .column = 1};
	if (text.len > SCHEMA_TEXT_MAX)
		return schema_diagnose(diagnostics, pos, "split the module",
				       "a schema of %zu bytes; at most %d are allowed", text.len, SCHEMA_TEXT_MAX);
	for (struct str rest = text; rest.ptr != NULL; pos.line++)
		if (!str_is_text(str_cut(rest, '\n', &rest)))
			return schema_diagnose(diagnostics, pos, NULL, "the line is not UTF-8");
	return 0;
}

int schema_parse(struct str text, const char *file, struct arena *arena, struct schema_module **ret_module,
		 struct schema_diagnostics *diagnostics) {
	*ret_module = NULL;
	if (arena->max - arena->used < SCHEMA_ARENA_MAX)
		return schema_diagnose(diagnostics, (struct schema_pos){0}, NULL, "no room left for a schema");
	file = arena_strdup(arena, str_from(file));
	schema_diagnostics_set_text(diagnostics, file, text);
	size_t known = diagnostics->count;
	if (check_text(text, file, diagnostics) != 0)
		return -1;
	struct parser parser = {.arena = arena, .diagnostics = diagnostics};
	parser.module = arena_alloc(arena, sizeof *parser.module);
	*parser.module = (struct schema_module){.name = "", .language = "", .entry = "", .bind = ""};
	lex_start(&parser.lexer, file, text, arena, diagnostics);
	bool failed = parse_module(&parser) != 0 || diagnostics->count > known;
	struct schema_module *module = parser.module;
	module->decls = parser_keep(&parser, module->decls, module->decl_count, sizeof *module->decls);
	free(parser.members.items);
	free(parser.decls.items);
	if (failed && (parser.lost || parser.stopped || module->name[0] == '\0'))
		return -1;
	module->in_part = failed;
	schema_index(module, arena);
	*ret_module = module;
	return failed ? -1 : 0;
}
