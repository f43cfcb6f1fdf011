/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes Python stubs: one file for each called module, with its types as sdk/python has them and a function for each
 * exported verb. Generic data stay generic. A class stands before the unions and aliases that refer to it, as those are
 * evaluated when the file is read; annotations of fields and functions are evaluated later.
 */
#include "generate/python_names.h"
#include "generate/text.h"

struct python_printer {
	struct python_names names;
	struct text out;
};

static void put_type(struct python_printer *printer, const struct schema_type *type);

/* --- types -------------------------------------------------------------------------------------------------------- */

static const struct python_name *find(const struct python_printer *printer, const struct schema_type *type) {
	return python_names_find(&printer->names, type->ref.module, type->ref.name);
}

/* What an alias stands for, or the type itself. */
static const struct schema_type *base(const struct python_printer *printer, const struct schema_type *type) {
	while (type->kind == SCHEMA_REF && type->ref.module[0] != '\0' &&
	       find(printer, type)->decl->kind == SCHEMA_ALIAS)
		type = &find(printer, type)->decl->alias.type;
	return type;
}

static void put_ref(struct python_printer *printer, const struct schema_type *type) {
	struct text *out = &printer->out;
	text_put(out, find(printer, type)->word);
	for (size_t i = 0; i < type->arg_count; i++) {
		text_put(out, i == 0 ? "[" : ", ");
		put_type(printer, &type->args[i]);
	}
	text_put(out, type->arg_count > 0 ? "]" : "");
}

static void put_container(struct python_printer *printer, const struct schema_type *type) {
	struct text *out = &printer->out;
	text_put(out, type->kind == SCHEMA_MAP ? "dict[" : "list[");
	if (type->kind == SCHEMA_MAP) {
		put_type(printer, type->key);
		text_put(out, ", ");
	}
	put_type(printer, type->element);
	text_put(out, "]");
}

static void put_type(struct python_printer *printer, const struct schema_type *type) {
	static const char *const words[] = {
		[SCHEMA_INT] = "int",   [SCHEMA_FLOAT] = "float",   [SCHEMA_STRING] = "str", [SCHEMA_BYTES] = "bytes",
		[SCHEMA_BOOL] = "bool", [SCHEMA_TIME] = "datetime", [SCHEMA_ANY] = "Any",    [SCHEMA_UNIT] = "None",
	};
	switch (type->kind) {
	case SCHEMA_INT:
	case SCHEMA_FLOAT:
	case SCHEMA_STRING:
	case SCHEMA_BYTES:
	case SCHEMA_BOOL:
	case SCHEMA_TIME:
	case SCHEMA_ANY:
	case SCHEMA_UNIT:
		text_put(&printer->out, words[type->kind]);
		return;
	case SCHEMA_OPTIONAL:
		put_type(printer, type->element);
		/* Python has no None | None. */
		text_put(&printer->out, base(printer, type->element)->kind == SCHEMA_UNIT ? "" : " | None");
		return;
	case SCHEMA_ARRAY:
	case SCHEMA_MAP:
		put_container(printer, type);
		return;
	case SCHEMA_REF:
		put_ref(printer, type);
		return;
	case SCHEMA_VERB_REF:
		text_printf(&printer->out, "Annotated[str, ftl.VerbName(\"%s.%s\")]", type->ref.module, type->ref.name);
		return;
	}
}

/* Writes a docstring with its quotes and backslashes escaped. */
static void put_doc(struct text *out, const struct schema_comments *comments, const char *end) {
	if (comments->count == 0)
		return;
	text_put(out, "    \"\"\"");
	for (size_t i = 0; i < comments->count; i++) {
		text_put(out, i == 0 ? "" : comments->lines[i][0] != '\0' ? "\n    " : "\n");
		for (const char *c = comments->lines[i]; *c != '\0'; c++)
			text_printf(out, "%s%c", *c == '\\' || *c == '"' ? "\\" : "", *c);
	}
	text_printf(out, "\"\"\"\n%s", end);
}

/* --- classes ------------------------------------------------------------------------------------------------------ */

static void put_field(struct python_printer *printer, const struct schema_decl *data,
		      const struct schema_field *field) {
	struct text *out = &printer->out;
	const char *attribute = python_names_member(&printer->names, data, field->name);
	bool renamed = strcmp(attribute, field->name) != 0;
	text_printf(out, "    %s: %s", attribute, renamed ? "Annotated[" : "");
	put_type(printer, &field->type);
	if (renamed)
		text_printf(out, ", ftl.Name(\"%s\")]", field->name);
	text_put(out, base(printer, &field->type)->kind == SCHEMA_OPTIONAL ? " = None\n" : "\n");
	put_doc(out, &field->comments, "");
}

static void put_data(struct python_printer *printer, const struct python_name *name) {
	struct text *out = &printer->out;
	const struct schema_decl *data = name->decl;
	text_printf(out, "\n\n@dataclass(kw_only=True)\nclass %s", name->word);
	for (size_t i = 0; i < data->data.param_count; i++)
		text_printf(out, "%s%s", i == 0 ? "(Generic[" : ", ",
			    python_names_param(&printer->names, data->data.params[i].name)->word);
	text_put(out, data->data.param_count > 0 ? "]):\n" : ":\n");
	put_doc(out, &data->comments, "\n");
	for (size_t i = 0; i < data->data.field_count; i++)
		put_field(printer, data, &data->data.fields[i]);
	if (data->data.field_count == 0 && data->comments.count == 0)
		text_put(out, "    pass\n");
}

static void put_enum(struct python_printer *printer, const struct python_name *name) {
	struct text *out = &printer->out;
	const struct schema_decl *decl = name->decl;
	text_printf(out, "\n\nclass %s(enum.Enum):\n", name->word);
	put_doc(out, &decl->comments, "\n");
	for (size_t i = 0; i < decl->enumeration.variant_count; i++) {
		const struct schema_variant *variant = &decl->enumeration.variants[i];
		text_printf(out, "    %s = ", python_names_member(&printer->names, decl, variant->name));
		if (variant->text != NULL)
			text_put_literal(out, variant->text);
		else
			text_printf(out, "%lld", (long long)variant->number);
		text_put(out, "\n");
		put_doc(out, &variant->comments, "");
	}
}

/* Writes classes for the variants that have none. */
static void put_variants(struct python_printer *printer, const struct python_name *name) {
	struct text *out = &printer->out;
	for (size_t i = 0; i < name->decl->enumeration.variant_count; i++) {
		const struct schema_variant *variant = &name->decl->enumeration.variants[i];
		const char *word = python_names_variant(&printer->names, name, i);
		if (word == NULL)
			continue;
		text_printf(out, "\n\n@dataclass\nclass %s(ftl.Variant, name=\"%s\"):\n", word, variant->name);
		put_doc(out, &variant->comments, "\n");
		text_put(out, "    value: ");
		put_type(printer, variant->type);
		text_put(out, base(printer, variant->type)->kind == SCHEMA_UNIT ? " = None\n" : "\n");
	}
}

/* --- unions and aliases ------------------------------------------------------------------------------------------- */

static void put_union(struct python_printer *printer, const struct python_name *name) {
	struct text *out = &printer->out;
	text_printf(out, "\n%s: TypeAlias = ", name->word);
	for (size_t i = 0; i < name->decl->enumeration.variant_count; i++) {
		const char *word = python_names_variant(&printer->names, name, i);
		text_put(out, i == 0 ? "" : " | ");
		if (word != NULL)
			text_put(out, word);
		else
			put_type(printer, name->decl->enumeration.variants[i].type);
	}
	text_put(out, "\n");
}

static void put_alias(struct python_printer *printer, struct python_name *name);

static void put_alias_of(const struct schema_type *type, void *context) {
	struct python_printer *printer = context;
	if (type->kind == SCHEMA_REF && type->ref.module[0] != '\0')
		put_alias(printer, (struct python_name *)find(printer, type));
}

/* Writes an alias after the types that it refers to. */
static void put_alias(struct python_printer *printer, struct python_name *name) {
	if (name->decl->kind != SCHEMA_ALIAS || name->written)
		return;
	name->written = true;
	schema_walk_type(&name->decl->alias.type, put_alias_of, printer);
	text_printf(&printer->out, "\n%s: TypeAlias = ", name->word);
	put_type(printer, &name->decl->alias.type);
	text_put(&printer->out, "\n");
}

static void put_types(struct python_printer *printer) {
	for (struct python_name *name = printer->names.first; name != NULL; name = name->next)
		if (name->decl == NULL)
			text_printf(&printer->out, "%s = TypeVar(\"%s\")\n", name->word, name->word);
	for (struct python_name *name = printer->names.first; name != NULL; name = name->next) {
		if (name->decl == NULL)
			continue;
		if (name->decl->kind == SCHEMA_DATA)
			put_data(printer, name);
		else if (name->decl->kind == SCHEMA_ENUM)
			put_enum(printer, name);
		else if (name->decl->kind == SCHEMA_SUM)
			put_variants(printer, name);
	}
	for (struct python_name *name = printer->names.first; name != NULL; name = name->next)
		if (name->decl != NULL && name->decl->kind == SCHEMA_SUM)
			put_union(printer, name);
	for (struct python_name *name = printer->names.first; name != NULL; name = name->next)
		if (name->decl != NULL)
			put_alias(printer, name);
}

/* --- verbs -------------------------------------------------------------------------------------------------------- */

static void put_verb(struct python_printer *printer, const struct python_name *name) {
	struct text *out = &printer->out;
	const struct schema_decl *verb = name->decl;
	bool has_request = base(printer, &verb->verb.request)->kind != SCHEMA_UNIT;
	bool has_response = base(printer, &verb->verb.response)->kind != SCHEMA_UNIT;
	text_printf(out, "\n\ndef %s(", name->word);
	if (has_request) {
		text_put(out, "request: ");
		put_type(printer, &verb->verb.request);
		text_put(out, ", /, ");
	}
	text_put(out, "*, timeout: float | None = None) -> ");
	put_type(printer, &verb->verb.response);
	text_put(out, ":\n");
	put_doc(out, &verb->comments, "\n");
	text_put(out, "    ");
	if (has_response) {
		text_put(out, "answer: ");
		put_type(printer, &verb->verb.response);
		text_put(out, " = ");
	}
	text_printf(out, "ftl.call_typed(\"%s\", %s, ", name->key, has_request ? "request" : "None");
	put_type(printer, &verb->verb.request);
	text_put(out, ", ");
	put_type(printer, &verb->verb.response);
	text_printf(out, ", timeout)\n%s", has_response ? "    return answer\n" : "");
}

/* Writes the tables that the SDK's schema command reads: the verb behind each function, and the home of each exported
 * type. */
static void put_tables(struct python_printer *printer) {
	struct text *out = &printer->out;
	text_put(out, "\n\nFTL_TYPES: dict[str, Any] = {\n");
	for (struct python_name *name = printer->names.first; name != NULL; name = name->next)
		if (name->decl != NULL && name->decl->exported && name->decl->kind != SCHEMA_VERB &&
		    name->decl->kind != SCHEMA_ALIAS)
			text_printf(out, "    \"%s\": %s,\n", name->key, name->word);
	text_put(out, "}\nFTL_VERBS: dict[str, str] = {\n");
	for (struct python_name *name = printer->names.first; name != NULL; name = name->next)
		if (name->decl != NULL && name->decl->kind == SCHEMA_VERB)
			text_printf(out, "    \"%s\": \"%s\",\n", name->word, name->key);
	text_put(out, "}\n");
}

static void put_file(struct python_printer *printer) {
	const struct generate_options *options = printer->names.options;
	struct text *out = &printer->out;
	text_printf(out, "# Made by `ftl generate` from %s: change nothing here.\n", options->file);
	text_put(out, "# ruff: noqa\n\nfrom __future__ import annotations\n\nimport enum\n"
		      "from dataclasses import dataclass\nfrom datetime import datetime\n"
		      "from typing import Annotated, Any, Generic, TypeAlias, TypeVar\n\nimport ftl\n\n");
	text_printf(out, "FTL_MODULE = \"%s\"\n", options->module->name);
	put_types(printer);
	for (struct python_name *name = printer->names.first; name != NULL; name = name->next)
		if (name->decl != NULL && name->decl->kind == SCHEMA_VERB)
			put_verb(printer, name);
	put_tables(printer);
}

int generate_python(const struct generate_options *options, struct buf *stubs, struct error *err) {
	struct python_printer printer = {.out.buf = stubs};
	python_names_init(&printer.names, options);
	int result = python_names_collect(&printer.names, err);
	if (result == 0)
		put_file(&printer);
	python_names_deinit(&printer.names);
	if (result == 0 && printer.out.full)
		return error_set(err, CODE_RESOURCE_EXHAUSTED, "the stubs of %s would have more than %zu bytes",
				 options->module->name, stubs->max);
	return result;
}
