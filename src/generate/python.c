/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stubs for Python: a file for each module that is called, with its types as sdk/python knows them and a function for
 * each exported verb. The types are found as for C, which puts all arguments in and names the results.
 */
#include "generate/c_types.h"
#include "generate/text.h"

static bool is_python_word(const char *name) {
	static const char *const words[] = {
		"False", "None",     "True",  "and",    "as",   "assert", "async",  "await",    "break",
		"class", "continue", "def",   "del",    "elif", "else",   "except", "finally",  "for",
		"from",  "global",   "if",    "import", "in",   "is",     "lambda", "nonlocal", "not",
		"or",    "pass",     "raise", "return", "try",  "while",  "with",   "yield",
	};
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(words[i], name) == 0)
			return true;
	return false;
}

/* A name that the file itself needs. */
static bool is_used_word(const char *name) {
	static const char *const words[] = {"enum",  "dataclass", "datetime", "ftl",   "Any",  "int",
					    "float", "str",       "bool",     "bytes", "list", "dict"};
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(words[i], name) == 0)
			return true;
	return false;
}

static int check_name(const char *name, const char *where, bool global, struct error *err) {
	if (!is_python_word(name) && !(global && is_used_word(name)))
		return 0;
	return error_set(err, CODE_UNIMPLEMENTED, "%s of %s cannot be called so in Python: call it by ftl.call", name,
			 where);
}

/* --- types -----------------------------------------------------------------------------------------------------------
 */

static void put_type(const struct c_type *type, struct text *out) {
	switch (type->kind) {
	case C_INT:
		text_put(out, "int");
		return;
	case C_FLOAT:
		text_put(out, "float");
		return;
	case C_STRING:
	case C_VERB:
		text_put(out, "str");
		return;
	case C_BYTES:
		text_put(out, "bytes");
		return;
	case C_BOOL:
		text_put(out, "bool");
		return;
	case C_TIME:
		text_put(out, "datetime");
		return;
	case C_ANY:
		text_put(out, "Any");
		return;
	case C_UNIT:
		text_put(out, "None");
		return;
	case C_LIST:
		text_put(out, "list[");
		put_type(type->element, out);
		text_put(out, "]");
		return;
	case C_MAP:
		text_put(out, "dict[str, ");
		put_type(type->element, out);
		text_put(out, "]");
		return;
	case C_DATA:
	case C_ENUM:
		text_put(out, type->word);
		return;
	case C_NULLABLE:
	case C_OPTIONAL:
	case C_POINTER:
		put_type(type->element, out);
		text_put(out, " | None");
		return;
	case C_ALIAS:
	case C_BOX:
		put_type(type->element, out);
		return;
	case C_SUM:
		break;
	}
	ASSERT(type->kind != C_SUM); /* it was refused before */
}

/* What the SDK has no form for. */
static int check_type(const struct c_type *type, struct error *err) {
	if (type->kind == C_SUM)
		return error_set(err, CODE_UNIMPLEMENTED,
				 "%s is an enum of types, which Python's SDK has no form for: call its verbs "
				 "by ftl.call",
				 type->key);
	if (type->kind == C_MAP && c_type_base(type->map_key)->kind != C_STRING)
		return error_set(err, CODE_UNIMPLEMENTED,
				 "%s has keys that are no String, which Python's SDK has no form for: call "
				 "its verbs by ftl.call",
				 type->key);
	if (type->decl != NULL && type->kind != C_ALIAS && check_name(type->word, type->key, true, err) < 0)
		return -1;
	for (size_t i = 0; type->kind == C_DATA && i < type->member_count; i++)
		if (check_name(type->members[i].name, type->key, false, err) < 0)
			return -1;
	return 0;
}

/* A docstring cannot end early by what is in it. */
static void put_doc(const struct schema_comments *comments, struct text *out) {
	if (comments->count == 0)
		return;
	text_put(out, "    \"\"\"");
	for (size_t i = 0; i < comments->count; i++) {
		text_put(out, i == 0 ? "" : "\n    ");
		for (const char *c = comments->lines[i]; *c != '\0'; c++)
			text_printf(out, "%s%c", *c == '\\' || *c == '"' ? "\\" : "", *c);
	}
	text_put(out, "\"\"\"\n\n");
}

static bool is_optional(const struct c_type *type) {
	enum c_kind kind = c_type_base(type)->kind;
	return kind == C_NULLABLE || kind == C_OPTIONAL || kind == C_POINTER;
}

static void put_data(const struct c_type *type, struct text *out) {
	text_printf(out, "\n\n@dataclass(kw_only=True)\nclass %s:\n", type->word);
	put_doc(&type->decl->comments, out);
	for (size_t i = 0; i < type->member_count; i++) {
		const struct c_member *member = &type->members[i];
		text_printf(out, "    %s: ", member->name);
		put_type(member->type, out);
		text_put(out, is_optional(member->type) ? " = None\n" : "\n");
	}
	if (type->member_count == 0 && type->decl->comments.count == 0)
		text_put(out, "    pass\n");
}

static void put_enum(const struct c_type *type, struct text *out) {
	text_printf(out, "\n\nclass %s(enum.Enum):\n", type->word);
	put_doc(&type->decl->comments, out);
	for (size_t i = 0; i < type->member_count; i++) {
		const struct c_member *member = &type->members[i];
		text_printf(out, "    %s%s = ", member->name, is_python_word(member->name) ? "_" : "");
		if (member->text != NULL)
			text_put_literal(out, member->text);
		else
			text_printf(out, "%lld", (long long)member->number);
		text_put(out, "\n");
	}
}

/* --- verbs -----------------------------------------------------------------------------------------------------------
 */

struct verb {
	const struct schema_decl *decl;
	struct c_type *request, *response;
};

static void put_verb(const char *module, const struct verb *verb, struct text *out) {
	const struct c_type *response = c_type_base(verb->response);
	bool has_request = c_type_base(verb->request)->kind != C_UNIT, has_response = response->kind != C_UNIT;
	text_printf(out, "\n\ndef %s(", verb->decl->name);
	if (has_request) {
		text_put(out, "request: ");
		put_type(verb->request, out);
		text_put(out, ", /, ");
	}
	text_put(out, "*, timeout: float | None = None) -> ");
	put_type(verb->response, out);
	text_put(out, ":\n");
	put_doc(&verb->decl->comments, out);
	if (!has_response)
		text_put(out, "    ");
	else
		text_put(out, "    return ");
	text_printf(out, "ftl.call(\"%s.%s\", %s", module, verb->decl->name, has_request ? "request" : "{}");
	/* A union is no class to those who check types, but the SDK takes it. */
	if (has_response && is_optional(verb->response)) {
		text_put(out, ", cast(\"type[");
		put_type(verb->response, out);
		text_put(out, "]\", ");
		put_type(verb->response, out);
		text_put(out, ")");
	} else if (has_response && response->kind != C_ANY) {
		text_put(out, ", ");
		put_type(verb->response, out);
	}
	text_put(out, ", timeout=timeout)\n");
}

static int add_verb(struct c_types *types, const struct schema_module *module, struct verb *verb, struct error *err) {
	if (check_name(verb->decl->name, module->name, true, err) < 0 ||
	    c_types_add(types, module, &verb->decl->verb.request, &verb->request, err) < 0)
		return -1;
	return c_types_add(types, module, &verb->decl->verb.response, &verb->response, err);
}

static int collect(struct c_types *types, const struct schema_module *module, struct verb *verbs, size_t *ret_count,
		   struct error *err) {
	const struct schema_decl *decl = NULL;
	size_t count = 0;
	while ((decl = schema_next_verb(module, decl)) != NULL) {
		if (!decl->exported)
			continue;
		verbs[count] = (struct verb){.decl = decl};
		if (add_verb(types, module, &verbs[count++], err) < 0)
			return -1;
	}
	for (const struct c_type *type = types->first; type != NULL; type = type->next)
		if (check_type(type, err) < 0)
			return -1;
	*ret_count = count;
	return 0;
}

static void put_file(const struct c_types *types, const struct verb *verbs, size_t count, struct text *out) {
	const struct generate_options *options = types->options;
	text_printf(out, "# Made by `ftl generate` from %s: change nothing here.\n", options->file);
	text_put(
		out,
		"# ruff: noqa\n\nfrom __future__ import annotations\n\nimport enum\nfrom dataclasses import dataclass\n"
		"from datetime import datetime\nfrom typing import Any, cast\n\nimport ftl\n\n");
	text_printf(out, "FTL_MODULE = \"%s\"\n", options->module->name);
	for (const struct c_type *type = types->first; type != NULL; type = type->next) {
		if (type->kind == C_DATA)
			put_data(type, out);
		else if (type->kind == C_ENUM)
			put_enum(type, out);
	}
	for (size_t i = 0; i < count; i++)
		put_verb(options->module->name, &verbs[i], out);
}

int generate_python(const struct generate_options *options, struct buf *stubs, struct error *err) {
	struct text out = {.buf = stubs};
	struct c_types types;
	size_t count = 0;
	c_types_init(&types, options);
	struct verb *verbs = arena_alloc(&types.arena, (options->module->decl_count + 1) * sizeof *verbs);
	int result = collect(&types, options->module, verbs, &count, err);
	if (result == 0)
		put_file(&types, verbs, count, &out);
	c_types_deinit(&types);
	if (result == 0 && out.full)
		return error_set(err, CODE_RESOURCE_EXHAUSTED, "the stubs of %s would have more than %zu bytes",
				 options->module->name, stubs->max);
	return result;
}
