/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/print.h"

#include <stdio.h>

#include "schema/lex.h"

/* A write that does not fit sets an error that stays, so that callers check once at the end. */
struct printer {
	struct buf *buf;
	bool full;
};

static void put(struct printer *printer, struct str text) {
	if (!printer->full && buf_append(printer->buf, text) != 0)
		printer->full = true;
}

static void put_c(struct printer *printer, const char *text) {
	put(printer, str_from(text));
}

static void put_string(struct printer *printer, const char *text) {
	put_c(printer, "\"");
	for (const char *c = text; *c != '\0'; c++) {
		char escaped[8] = {*c};
		if (*c == '"' || *c == '\\')
			snprintf(escaped, sizeof escaped, "\\%c", *c);
		else if (*c == '\n')
			snprintf(escaped, sizeof escaped, "\\n");
		else if ((unsigned char)*c < ' ' || *c == 0x7F)
			snprintf(escaped, sizeof escaped, "\\u%04x", *c);
		put_c(printer, escaped);
	}
	put_c(printer, "\"");
}

static void put_comments(struct printer *printer, const struct schema_comments *comments, const char *indent) {
	for (size_t i = 0; i < comments->count; i++) {
		put_c(printer, indent);
		put_c(printer, comments->lines[i][0] ? "// " : "//");
		put_c(printer, comments->lines[i]);
		put_c(printer, "\n");
	}
}

static void put_ref(struct printer *printer, const struct schema_ref *ref) {
	if (ref->module[0] != '\0') {
		put_c(printer, ref->module);
		put_c(printer, ".");
	}
	put_c(printer, ref->name);
}

static void put_type(struct printer *printer, const struct schema_type *type);

static void put_args(struct printer *printer, const struct schema_type *type) {
	for (size_t i = 0; i < type->arg_count; i++) {
		put_c(printer, i == 0 ? "<" : ", ");
		put_type(printer, &type->args[i]);
	}
	if (type->arg_count > 0)
		put_c(printer, ">");
}

static void put_type(struct printer *printer, const struct schema_type *type) {
	switch (type->kind) {
	case SCHEMA_INT:
	case SCHEMA_FLOAT:
	case SCHEMA_STRING:
	case SCHEMA_BYTES:
	case SCHEMA_BOOL:
	case SCHEMA_TIME:
	case SCHEMA_ANY:
	case SCHEMA_UNIT:
		put_c(printer, schema_type_word(type->kind));
		return;
	case SCHEMA_OPTIONAL:
		put_type(printer, type->element);
		put_c(printer, "?");
		return;
	case SCHEMA_ARRAY:
		put_c(printer, "[");
		put_type(printer, type->element);
		put_c(printer, "]");
		return;
	case SCHEMA_MAP:
		put_c(printer, "{");
		put_type(printer, type->key);
		put_c(printer, ": ");
		put_type(printer, type->element);
		put_c(printer, "}");
		return;
	case SCHEMA_VERB_REF:
		put_c(printer, "verb ");
		put_ref(printer, &type->ref);
		return;
	case SCHEMA_REF:
		put_ref(printer, &type->ref);
		put_args(printer, type);
		return;
	}
}

static void put_metadata(struct printer *printer, const struct schema_metadata *metadata) {
	put_c(printer, "+");
	put_c(printer, metadata->name);
	for (size_t i = 0; i < metadata->call_count; i++) {
		put_c(printer, i == 0 ? " " : ", ");
		put_ref(printer, &metadata->calls[i]);
	}
	for (size_t i = 0; i < metadata->arg_count; i++) {
		put_c(printer, " ");
		if (lex_is_plain_word(str_from(metadata->args[i])))
			put_c(printer, metadata->args[i]);
		else
			put_string(printer, metadata->args[i]);
	}
}

static void put_metadata_lines(struct printer *printer, const struct schema_metadata_list *list, const char *indent) {
	for (size_t i = 0; i < list->count; i++) {
		put_c(printer, indent);
		put_metadata(printer, &list->items[i]);
		put_c(printer, "\n");
	}
}

static void put_field(struct printer *printer, const struct schema_field *field) {
	put_comments(printer, &field->comments, "    ");
	put_c(printer, "    ");
	put_c(printer, field->name);
	put_c(printer, " ");
	put_type(printer, &field->type);
	for (size_t i = 0; i < field->metadata.count; i++) {
		put_c(printer, " ");
		put_metadata(printer, &field->metadata.items[i]);
	}
	put_c(printer, "\n");
}

static void put_data(struct printer *printer, const struct schema_decl *decl) {
	for (size_t i = 0; i < decl->data.param_count; i++) {
		put_c(printer, i == 0 ? "<" : ", ");
		put_c(printer, decl->data.params[i].name);
	}
	put_c(printer, decl->data.param_count > 0 ? "> {" : " {");
	put_c(printer, decl->data.field_count > 0 ? "\n" : "");
	for (size_t i = 0; i < decl->data.field_count; i++)
		put_field(printer, &decl->data.fields[i]);
	put_c(printer, decl->data.field_count > 0 ? "  }\n" : "}\n");
}

static void put_variant(struct printer *printer, const struct schema_variant *variant) {
	put_comments(printer, &variant->comments, "    ");
	put_c(printer, "    ");
	put_c(printer, variant->name);
	if (variant->type != NULL) {
		put_c(printer, " ");
		put_type(printer, variant->type);
	} else if (variant->text != NULL) {
		put_c(printer, " = ");
		put_string(printer, variant->text);
	} else {
		char number[32];
		snprintf(number, sizeof number, " = %lld", (long long)variant->number);
		put_c(printer, number);
	}
	put_c(printer, "\n");
}

static void put_enum(struct printer *printer, const struct schema_decl *decl) {
	if (decl->kind == SCHEMA_ENUM)
		put_c(printer, decl->enumeration.of_int ? ": Int" : ": String");
	put_c(printer, " {\n");
	for (size_t i = 0; i < decl->enumeration.variant_count; i++)
		put_variant(printer, &decl->enumeration.variants[i]);
	put_c(printer, "  }\n");
}

static void put_decl(struct printer *printer, const struct schema_decl *decl) {
	put_comments(printer, &decl->comments, "  ");
	put_c(printer, decl->exported ? "  export " : "  ");
	put_c(printer, schema_decl_word(decl->kind));
	put_c(printer, " ");
	put_c(printer, decl->name);
	switch (decl->kind) {
	case SCHEMA_DATA:
		put_data(printer, decl);
		break;
	case SCHEMA_VERB:
		put_c(printer, "(");
		put_type(printer, &decl->verb.request);
		put_c(printer, ") ");
		put_type(printer, &decl->verb.response);
		put_c(printer, "\n");
		break;
	case SCHEMA_ENUM:
	case SCHEMA_SUM:
		put_enum(printer, decl);
		break;
	case SCHEMA_ALIAS:
		put_c(printer, " ");
		put_type(printer, &decl->alias.type);
		put_c(printer, "\n");
		break;
	}
	put_metadata_lines(printer, &decl->metadata, "      ");
}

static bool put_runtime_word(struct printer *printer, const char *name, const char *value) {
	if (value[0] == '\0')
		return false;
	put_metadata_lines(printer,
			   &(struct schema_metadata_list){
				   .items = &(struct schema_metadata){.name = name, .args = &value, .arg_count = 1},
				   .count = 1,
			   },
			   "  ");
	return true;
}

/* Prints how the module runs; returns whether there was anything to print. */
static bool put_runtime(struct printer *printer, const struct schema_module *module) {
	bool any = put_runtime_word(printer, "language", module->language);
	any |= put_runtime_word(printer, "entry", module->entry);
	any |= put_runtime_word(printer, "bind", module->bind);
	if (module->has_create_time) {
		char text[TIMESTAMP_TEXT_MAX];
		timestamp_format(text, module->create_time);
		any |= put_runtime_word(printer, "created", text);
	}
	return any;
}

int schema_print(const struct schema_module *module, struct buf *buf) {
	struct printer printer = {.buf = buf};
	put_comments(&printer, &module->comments, "");
	put_c(&printer, "module ");
	put_c(&printer, module->name);
	put_c(&printer, " {\n");
	bool first = !put_runtime(&printer, module) && module->metadata.count == 0;
	put_metadata_lines(&printer, &module->metadata, "  ");
	for (size_t i = 0; i < module->decl_count; i++) {
		put_c(&printer, first ? "" : "\n");
		put_decl(&printer, &module->decls[i]);
		first = false;
	}
	put_c(&printer, "}\n");
	return printer.full ? -1 : 0;
}

int schema_print_decl(const struct schema_decl *decl, struct buf *buf) {
	struct printer printer = {.buf = buf};
	put_decl(&printer, decl);
	return printer.full ? -1 : 0;
}

int schema_print_type(const struct schema_type *type, struct buf *buf) {
	struct printer printer = {.buf = buf};
	put_type(&printer, type);
	return printer.full ? -1 : 0;
}

const char *schema_type_text(const struct schema_type *type, char ret_text[SCHEMA_TYPE_TEXT_MAX]) {
	static const char more[] = "…";
	struct buf buf = BUF_INIT(SCHEMA_TYPE_TEXT_MAX - sizeof more);
	const char *end = schema_print_type(type, &buf) == 0 ? "" : more;
	snprintf(ret_text, SCHEMA_TYPE_TEXT_MAX, "%.*s%s", STR_ARG(buf_view(&buf)), end);
	buf_deinit(&buf);
	return ret_text;
}
