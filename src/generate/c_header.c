/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes the header: types in an order that C accepts, then the functions.
 */
#include "generate/c_header.h"

static void declare(struct c_type *type, struct text *out);
static void declare_name(struct c_type *type, struct text *out);

/* Writes comments of the schema as C comments; comment marks inside are broken up. */
static void put_comment(const struct schema_comments *comments, const char *indent, struct text *out) {
	for (size_t i = 0; i < comments->count; i++) {
		text_printf(out, "%s%s", indent, i == 0 ? "/* " : " * ");
		for (const char *c = comments->lines[i]; *c != '\0'; c++) {
			text_printf(out, "%c", *c);
			if ((c[0] == '*' && c[1] == '/') || (c[0] == '/' && c[1] == '*'))
				text_put(out, " ");
		}
		text_put(out, i + 1 == comments->count ? " */\n" : "\n");
	}
}

void c_write_variable(const struct c_type *type, const char *name, struct text *out) {
	bool is_pointer = type->c[strlen(type->c) - 1] == '*';
	text_printf(out, "%s%s%s", type->c, is_pointer ? "" : " ", name);
}

/* --- types -------------------------------------------------------------------------------------------------------- */

/* Declares everything that a value of the type needs before it. */
static void declare_whole(struct c_type *type, struct text *out) {
	switch (type->kind) {
	case C_LIST:
	case C_MAP:
	case C_DATA:
	case C_ENUM:
	case C_SUM:
	case C_OPTIONAL:
		declare(type, out);
		return;
	case C_ALIAS:
		declare(type, out);
		declare_whole(type->element, out);
		return;
	case C_NULLABLE:
		declare_whole(type->element, out);
		return;
	case C_POINTER:
	case C_BOX:
		declare_name(type->element, out);
		return;
	case C_INT:
	case C_FLOAT:
	case C_STRING:
	case C_BYTES:
	case C_BOOL:
	case C_TIME:
	case C_ANY:
	case C_UNIT:
	case C_VERB:
		return;
	}
}

/* Declares everything that a pointer to the type needs before it; a struct needs nothing. */
static void declare_name(struct c_type *type, struct text *out) {
	if (type->kind == C_ALIAS || type->kind == C_ENUM)
		declare(type, out);
	else if (type->kind == C_NULLABLE || type->kind == C_POINTER || type->kind == C_BOX)
		declare_name(type->element, out);
}

static void declare_data(struct c_type *type, struct text *out) {
	for (size_t i = 0; i < type->member_count; i++)
		declare_whole(type->members[i].type, out);
	put_comment(&type->decl->comments, "", out);
	text_printf(out, "%s {\n", type->c);
	for (size_t i = 0; i < type->member_count; i++) {
		const struct c_member *member = &type->members[i];
		put_comment(member->comments, "\t", out);
		text_put(out, "\t");
		c_write_variable(member->type, member->c_name, out);
		text_put(out, ";\n");
	}
	text_put(out, type->member_count == 0 ? "\tchar nothing;\n};\n\n" : "};\n\n");
}

static void put_constants(const struct c_type *type, struct text *out) {
	for (size_t i = 0; i < type->member_count; i++) {
		const struct c_member *member = &type->members[i];
		put_comment(member->comments, "\t", out);
		text_printf(out, "\t%s%s,\n", member->constant, i == 0 ? " = 1" : "");
	}
}

static void declare_enum(const struct c_type *type, struct text *out) {
	put_comment(&type->decl->comments, "", out);
	text_printf(out, "%s {\n", type->c);
	put_constants(type, out);
	text_put(out, "};\n\n");
}

static void declare_sum(struct c_type *type, struct text *out) {
	bool has_values = false;
	for (size_t i = 0; i < type->member_count; i++) {
		declare_whole(type->members[i].type, out);
		has_values |= c_type_base(type->members[i].type)->kind != C_UNIT;
	}
	text_printf(out, "enum %s_kind {\n", type->tag);
	put_constants(type, out);
	text_put(out, "};\n\n");
	put_comment(&type->decl->comments, "", out);
	text_printf(out, "%s {\n\tenum %s_kind kind;\n", type->c, type->tag);
	text_put(out, has_values ? "\tunion {\n" : "");
	for (size_t i = 0; i < type->member_count; i++) {
		const struct c_member *member = &type->members[i];
		if (c_type_base(member->type)->kind == C_UNIT)
			continue;
		text_put(out, "\t\t");
		c_write_variable(member->type, member->c_name, out);
		text_put(out, ";\n");
	}
	text_put(out, has_values ? "\t};\n};\n\n" : "};\n\n");
}

static void declare_list(struct c_type *type, struct text *out) {
	declare_name(type->element, out);
	bool is_pointer = type->element->c[strlen(type->element->c) - 1] == '*';
	text_printf(out, "%s {\n\t%s%s*items;\n\tsize_t count;\n};\n\n", type->c, type->element->c,
		    is_pointer ? "" : " ");
}

static void declare_optional(struct c_type *type, struct text *out) {
	if (c_type_base(type->element)->kind != C_ENUM)
		return; /* one of ftl/types.h */
	declare_whole(type->element, out);
	text_printf(out, "%s {\n\tbool present;\n\t%s value;\n};\n\n", type->c, type->element->c);
}

static void declare_alias(struct c_type *type, struct text *out) {
	declare_name(type->element, out);
	put_comment(&type->decl->comments, "", out);
	text_put(out, "typedef ");
	c_write_variable(type->element, type->c, out);
	text_put(out, ";\n\n");
}

static void declare(struct c_type *type, struct text *out) {
	if (type->declared)
		return;
	type->declared = true;
	switch (type->kind) {
	case C_DATA:
		declare_data(type, out);
		return;
	case C_ENUM:
		declare_enum(type, out);
		return;
	case C_SUM:
		declare_sum(type, out);
		return;
	case C_LIST:
		declare_list(type, out);
		return;
	case C_MAP:
		text_printf(out, "%s {\n\t%s_entry *items;\n\tsize_t count;\n};\n\n", type->c, type->c);
		return;
	case C_OPTIONAL:
		declare_optional(type, out);
		return;
	case C_ALIAS:
		declare_alias(type, out);
		return;
	case C_INT:
	case C_FLOAT:
	case C_STRING:
	case C_BYTES:
	case C_BOOL:
	case C_TIME:
	case C_ANY:
	case C_UNIT:
	case C_VERB:
	case C_NULLABLE:
	case C_POINTER:
	case C_BOX:
		return;
	}
}

/* Declares the entry struct of a map. A map points to its entries, so these come last, when all types are complete. */
static void declare_entry(const struct c_type *map, struct text *out) {
	text_printf(out, "%s_entry {\n\t", map->c);
	c_write_variable(map->map_key, "key", out);
	text_put(out, ";\n\t");
	c_write_variable(map->element, "value", out);
	text_put(out, ";\n};\n\n");
}

static void put_types(const struct c_types *types, struct text *out) {
	for (struct c_type *type = types->first; type != NULL; type = type->next)
		declare_whole(type, out);
	for (const struct c_type *type = types->first; type != NULL; type = type->next)
		if (type->kind == C_MAP)
			declare_entry(type, out);
}

/* --- functions ---------------------------------------------------------------------------------------------------- */

void c_write_prototype(const struct c_verb *verb, struct text *out) {
	text_printf(out, "int %s(struct ftl_context *ftl", verb->function);
	if (verb->request != NULL) {
		const char *c = verb->request->c;
		bool is_struct = c_type_is_struct(verb->request), is_pointer = c[strlen(c) - 1] == '*';
		bool is_const = strncmp(c, "const ", 6) == 0 || (!is_struct && !is_pointer);
		text_printf(out, ", %s%s%s%srequest", is_const ? "" : "const ", c, is_pointer ? "" : " ",
			    is_struct ? "*" : "");
	}
	if (verb->response != NULL) {
		const char *c = verb->response->c;
		text_printf(out, ", %s%s*response", c, c[strlen(c) - 1] == '*' ? "" : " ");
	}
	text_put(out, ")");
}

static void put_functions(const struct c_module *module, struct text *out) {
	for (size_t i = 0; i < module->own.count; i++) {
		if (i == 0)
			text_put(
				out,
				"/* --- to be written: each answers a call with 0, or -1 after ftl_fail, ftl_refuse or a call "
				"that failed --- */\n\n");
		put_comment(&module->own.items[i].decl->comments, "", out);
		c_write_prototype(&module->own.items[i], out);
		text_put(out, ";\n\n");
	}
	if (module->start != NULL)
		text_printf(
			out,
			"/* Runs once before the first call; -1 after ftl_fail keeps the module from coming up. */\n"
			"int %s(struct ftl_context *ftl);\n\n",
			module->start);
	if (module->stop != NULL)
		text_printf(out, "/* Runs once after the last call. */\nvoid %s(struct ftl_context *ftl);\n\n",
			    module->stop);
	for (size_t i = 0; i < module->called.count; i++) {
		const struct c_verb *verb = &module->called.items[i];
		if (i == 0)
			text_put(
				out,
				"/* --- to be called: 0 with the answer, or -1 with ftl->error_code and ftl->error --- */\n\n");
		put_comment(&verb->decl->comments, "", out);
		c_write_prototype(verb, out);
		text_put(out, ";\n\n");
	}
}

/* "ECHO_FTL_H" */
static void put_guard(const char *header, struct text *out) {
	for (const char *c = header; *c != '\0'; c++) {
		bool letter = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9');
		text_printf(out, "%c", !letter ? '_' : *c >= 'a' ? *c - 'a' + 'A' : *c);
	}
}

void c_header_write(const struct c_types *types, const struct c_module *module, struct text *out) {
	const struct generate_options *options = types->options;
	text_printf(out, "/* Made by `ftl generate` from %s: change that, not this. */\n#ifndef FTL_GENERATED_",
		    options->file);
	put_guard(options->header, out);
	text_put(out, "\n#define FTL_GENERATED_");
	put_guard(options->header, out);
	text_put(out, "\n\n#include <ftl/module.h>\n#include <ftl/types.h>\n\n");
	text_put(out,
		 "/* A wrong type is an error here and in what includes this, not a warning. */\n#ifndef __cplusplus\n"
		 "#pragma GCC diagnostic error \"-Wint-conversion\"\n"
		 "#pragma GCC diagnostic error \"-Wincompatible-pointer-types\"\n"
		 "#pragma GCC diagnostic error \"-Wenum-conversion\"\n#endif\n\n");
	text_put(out, "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n");
	put_comment(&module->module->comments, "", out);
	text_put(out, module->module->comments.count > 0 ? "\n" : "");
	put_types(types, out);
	put_functions(module, out);
	text_put(out, "#ifdef __cplusplus\n}\n#endif\n\n#endif\n");
}
