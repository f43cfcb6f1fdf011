/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes the source: tables for ftl/json.h, and both ends of each verb. Names of the generator begin with ftl_, which
 * no name from a schema does in C, as a module may be called "run" or "json".
 */
#include <stdio.h>

#include "base/nearest.h"
#include "generate/c_header.h"

enum { VALUE_TEXT_MAX = 60, LIST_TEXT_MAX = 240 };

/* --- what there is
 * ---------------------------------------------------------------------------------------------------- */

static int add_verb(struct c_types *types, const struct schema_module *module, struct c_verb *verb, struct error *err) {
	struct c_type *request, *response;
	const char *what = arena_printf(&types->arena, "the function for %s.%s", verb->module, verb->decl->name);
	if (c_types_claim(types, verb->function, what, err) < 0 ||
	    c_types_add(types, module, &verb->decl->verb.request, &request, err) < 0 ||
	    c_types_add(types, module, &verb->decl->verb.response, &response, err) < 0)
		return -1;
	verb->request = c_type_base(request)->kind == C_UNIT ? NULL : request;
	verb->response = c_type_base(response)->kind == C_UNIT ? NULL : response;
	return 0;
}

static int add_own_verbs(struct c_types *types, struct c_module *module, struct error *err) {
	const struct schema_module *schema = module->module;
	module->own.items = arena_alloc(&types->arena, (schema->decl_count + 1) * sizeof *module->own.items);
	const struct schema_decl *decl = NULL;
	while ((decl = schema_next_verb(schema, decl)) != NULL) {
		struct c_verb *verb = &module->own.items[module->own.count++];
		*verb = (struct c_verb){.decl = decl, .module = schema->name};
		verb->function = c_types_global(types, arena_printf(&types->arena, "%s_%s", schema->name, decl->name));
		if (add_verb(types, schema, verb, err) < 0)
			return -1;
	}
	return 0;
}

static bool is_called(const struct c_verbs *verbs, const struct schema_ref *ref) {
	for (size_t i = 0; i < verbs->count; i++)
		if (strcmp(verbs->items[i].module, ref->module) == 0 &&
		    strcmp(verbs->items[i].decl->name, ref->name) == 0)
			return true;
	return false;
}

static int no_such_verb(const struct schema_module *module, const struct schema_ref *ref, struct error *err) {
	const char *near = schema_nearest_verb(module, ref->name);
	return error_set(err, CODE_NOT_FOUND, "%s:%u: the module %s has no verb %s%s%s%s",
			 ref->pos.file ? ref->pos.file : "", ref->pos.line, ref->module, ref->name,
			 near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

static int add_called(struct c_types *types, struct c_module *module, const struct schema_ref *ref, struct error *err) {
	if (is_called(&module->called, ref))
		return 0;
	bool own = strcmp(ref->module, module->module->name) == 0;
	const struct schema_module *other =
		own ? module->module : types->options->find(types->options->owner, ref->module, err);
	if (other == NULL)
		return -1;
	const struct schema_decl *decl = schema_find_verb(other, ref->name);
	if (decl == NULL)
		return no_such_verb(other, ref, err);
	struct c_verb *verb = &module->called.items[module->called.count++];
	*verb = (struct c_verb){.decl = decl, .module = ref->module};
	verb->function = arena_printf(&types->arena, "call_%s_%s", ref->module, ref->name);
	return add_verb(types, other, verb, err);
}

/* An iterator over the verbs that "+calls" names; start zeroed. */
struct calls_at {
	size_t decl, metadata, call;
};

static const struct schema_ref *next_call(const struct schema_module *module, struct calls_at *at) {
	for (; at->decl < module->decl_count; at->decl++, at->metadata = 0) {
		const struct schema_metadata_list *list = &module->decls[at->decl].metadata;
		for (; at->metadata < list->count; at->metadata++, at->call = 0)
			if (at->call < list->items[at->metadata].call_count)
				return &list->items[at->metadata].calls[at->call++];
	}
	return NULL;
}

static int add_called_verbs(struct c_types *types, struct c_module *module, struct error *err) {
	size_t count = 0;
	for (struct calls_at at = {0}; next_call(module->module, &at) != NULL;)
		count++;
	module->called.items = arena_alloc(&types->arena, (count + 1) * sizeof *module->called.items);
	struct calls_at at = {0};
	const struct schema_ref *ref;
	while ((ref = next_call(module->module, &at)) != NULL)
		if (add_called(types, module, ref, err) < 0)
			return -1;
	return 0;
}

/* "+start" and "+stop" of the module name functions that the author writes beside the verbs. */
static int add_hook(struct c_types *types, const struct schema_module *module, const char *name,
		    const char **ret_function, struct error *err) {
	for (size_t i = 0; i < module->metadata.count; i++) {
		if (strcmp(module->metadata.items[i].name, name) != 0)
			continue;
		*ret_function = c_types_global(types, arena_printf(&types->arena, "%s_%s", module->name, name));
		return c_types_claim(types, *ret_function, arena_printf(&types->arena, "+%s of %s", name, module->name),
				     err);
	}
	return 0;
}

static int collect(struct c_types *types, struct c_module *module, struct error *err) {
	if (c_types_add_all(types, module->module, err) < 0 || add_own_verbs(types, module, err) < 0 ||
	    add_called_verbs(types, module, err) < 0 ||
	    add_hook(types, module->module, "start", &module->start, err) < 0 ||
	    add_hook(types, module->module, "stop", &module->stop, err) < 0)
		return -1;
	c_types_box(types);
	return 0;
}

/* --- tables ------------------------------------------------------------------------------------------------------- */

/* Marks the type and all types that its values consist of. */
static void mark(struct c_type *type) {
	if (type->kind == C_ALIAS) {
		mark(type->element);
		return;
	}
	if (type->in_codec)
		return;
	type->in_codec = true;
	if (type->element != NULL)
		mark(type->element);
	if (type->map_key != NULL)
		mark(type->map_key);
	for (size_t i = 0; i < type->member_count; i++)
		if (type->members[i].type != NULL)
			mark(type->members[i].type);
}

static void mark_verbs(const struct c_verbs *verbs) {
	for (size_t i = 0; i < verbs->count; i++) {
		if (verbs->items[i].request != NULL)
			mark((struct c_type *)verbs->items[i].request);
		if (verbs->items[i].response != NULL)
			mark((struct c_type *)verbs->items[i].response);
	}
}

static const char *table(const struct c_type *type) {
	return c_type_base(type)->tag;
}

/* "\"happy\" or \"sad\"", as many as fit: as src/schema/json_check.c says it. */
static void list_values(const struct c_type *type, char ret_text[LIST_TEXT_MAX]) {
	size_t used = 0;
	ret_text[0] = '\0';
	for (size_t i = 0; i < type->member_count; i++) {
		const struct c_member *member = &type->members[i];
		char value[VALUE_TEXT_MAX * 2];
		const char *text = member->text != NULL ? member->text : member->name;
		bool number = member->type == NULL && member->text == NULL;
		size_t cut = MIN(strlen(text), (size_t)VALUE_TEXT_MAX);
		while (cut < strlen(text) && cut > 0 && ((unsigned char)text[cut] & 0xC0) == 0x80)
			cut--;
		if (number)
			snprintf(value, sizeof value, "%lld", (long long)member->number);
		else
			snprintf(value, sizeof value, "\"%.*s%s\"", (int)cut, text, cut < strlen(text) ? "…" : "");
		if (used + strlen(value) + sizeof " or , …" > LIST_TEXT_MAX) {
			snprintf(ret_text + used, LIST_TEXT_MAX - used, ", …");
			return;
		}
		const char *separator = i == 0 ? "" : i + 1 == type->member_count ? " or " : ", ";
		used += (size_t)snprintf(ret_text + used, LIST_TEXT_MAX - used, "%s%s", separator, value);
	}
}

static void put_fields(const struct c_type *type, struct text *out) {
	for (size_t i = 0; i < type->member_count; i++) {
		const struct c_member *member = &type->members[i];
		enum c_kind kind = c_type_base(member->type)->kind;
		bool optional = kind == C_NULLABLE || kind == C_OPTIONAL || kind == C_POINTER;
		text_printf(out, "\t{.name = \"%s\", .name_size = %zu, .quoted = \"\\\"%s\\\":\", .type_name = ",
			    member->name, strlen(member->name), member->name);
		text_put_literal(out, member->type_text);
		text_printf(out, ",\n\t .type = &ftl_table_%s, .at = offsetof(%s, %s)%s},\n", table(member->type),
			    type->c, member->c_name, optional ? "" : ", .required = true");
	}
}

static void put_variants(const struct c_type *type, struct text *out) {
	for (size_t i = 0; i < type->member_count; i++) {
		const struct c_member *member = &type->members[i];
		const char *name = member->text != NULL ? member->text : member->name;
		text_put(out, "\t{.name = ");
		text_put_literal(out, name);
		text_printf(out, ", .name_size = %zu", strlen(name));
		if (member->type != NULL)
			text_printf(out, ", .type = &ftl_table_%s", table(member->type));
		else if (member->text == NULL && member->number == INT64_MIN)
			text_put(out, ", .number = INT64_MIN"); /* C has no literal for INT64_MIN */
		else if (member->text == NULL)
			text_printf(out, ", .number = INT64_C(%lld)", (long long)member->number);
		text_put(out, "},\n");
	}
}

static void put_members(const struct c_type *type, struct text *out) {
	if (type->member_count == 0)
		return;
	text_printf(out, "static const struct ftl_json_member ftl_members_%s[] = {\n", type->tag);
	if (type->kind == C_DATA)
		put_fields(type, out);
	else
		put_variants(type, out);
	text_put(out, "};\n");
}

static const char *kind_name(const struct c_type *type) {
	switch (type->kind) {
	case C_INT:
		return "INT";
	case C_FLOAT:
		return "FLOAT";
	case C_STRING:
		return "STRING";
	case C_BYTES:
		return "BYTES";
	case C_BOOL:
		return "BOOL";
	case C_TIME:
		return "TIME";
	case C_ANY:
		return "ANY";
	case C_UNIT:
		return "UNIT";
	case C_VERB:
		return "VERB";
	case C_LIST:
		return "LIST";
	case C_MAP:
		return "MAP";
	case C_DATA:
		return "DATA";
	case C_ENUM:
		return type->decl->enumeration.of_int ? "ENUM_OF_INT" : "ENUM_OF_STRING";
	case C_SUM:
		return "SUM";
	case C_NULLABLE:
		return "NULLABLE";
	case C_OPTIONAL:
		return "OPTIONAL";
	case C_POINTER:
		return "POINTER";
	case C_BOX:
		return "BOX";
	case C_ALIAS:
		break;
	}
	ASSERT(type->kind != C_ALIAS); /* aliases have no table of their own */
	return "";
}

/* A member of the sum's union, to take the union's offset. */
static const char *union_member(const struct c_type *sum) {
	for (size_t i = 0; i < sum->member_count; i++)
		if (c_type_base(sum->members[i].type)->kind != C_UNIT)
			return sum->members[i].c_name;
	return NULL;
}

static void put_value_at(const struct c_type *type, struct text *out) {
	const char *member = type->kind == C_SUM ? union_member(type) : NULL;
	if (type->kind == C_OPTIONAL)
		text_printf(out, ", .value_at = offsetof(%s, value)", type->c);
	else if (type->kind == C_MAP)
		text_printf(out, ",\n\t.value_at = offsetof(%s_entry, value), .entry_size = sizeof(%s_entry)", type->c,
			    type->c);
	else if (member != NULL)
		text_printf(out, ", .value_at = offsetof(%s, %s)", type->c, member);
}

static void put_table(const struct c_type *type, struct text *out) {
	char expected[LIST_TEXT_MAX] = "";
	put_members(type, out);
	text_printf(
		out,
		"static const struct ftl_json_type ftl_table_%s = {\n\t.kind = FTL_JSON_%s, .size = sizeof(%s), .name = ",
		type->tag, kind_name(type), type->c);
	text_put_literal(out, type->decl != NULL ? type->decl->name : type->key);
	if (type->kind == C_ENUM || type->kind == C_SUM)
		list_values(type, expected);
	else if (type->kind == C_VERB)
		snprintf(expected, sizeof expected, "the name of a verb, as in \"%s\"", type->key + strlen("verb "));
	if (expected[0] != '\0') {
		text_put(out, ",\n\t.expected = ");
		text_put_literal(out, expected);
	}
	if (type->element != NULL)
		text_printf(out, ", .element = &ftl_table_%s", table(type->element));
	if (type->map_key != NULL)
		text_printf(out, ", .key = &ftl_table_%s", table(type->map_key));
	put_value_at(type, out);
	if (type->member_count > 0)
		text_printf(out, ",\n\t.members = ftl_members_%s, .member_count = %zu", type->tag, type->member_count);
	text_put(out, ",\n};\n\n");
}

static void put_tables(const struct c_types *types, struct text *out) {
	bool any = false;
	for (const struct c_type *type = types->first; type != NULL; type = type->next) {
		if (!type->in_codec)
			continue;
		text_printf(out, "static const struct ftl_json_type ftl_table_%s;\n", type->tag);
		any = true;
	}
	text_put(out, any ? "\n" : "");
	for (const struct c_type *type = types->first; type != NULL; type = type->next) {
		if (type->in_codec)
			put_table(type, out);
		if (type->in_codec && type->kind == C_ENUM)
			text_printf(
				out,
				"_Static_assert(sizeof(%s) == sizeof(unsigned), \"compile without -fshort-enums\");\n\n",
				type->c);
	}
}

/* --- the ends of verbs -------------------------------------------------------------------------------------------- */

static void put_run(const struct c_verb *verb, struct text *out) {
	text_printf(out, "static int ftl_run_%s(struct ftl_context *ftl) {\n", verb->decl->name);
	const struct c_type *ends[] = {verb->request, verb->response};
	static const char *const names[] = {"request", "response"};
	for (size_t i = 0; i < 2; i++) {
		if (ends[i] == NULL)
			continue;
		text_put(out, "\t");
		c_write_variable(ends[i], names[i], out);
		text_printf(out, ";\n\tmemset(&%s, 0, sizeof %s);\n", names[i], names[i]);
	}
	text_printf(out, "\tif (ftl_typed_request(ftl, %s%s, %s) < 0)\n\t\treturn -1;\n",
		    verb->request ? "&ftl_table_" : "NULL", verb->request ? table(verb->request) : "",
		    verb->request ? "&request" : "NULL");
	text_printf(out, "\tint result = %s(ftl", verb->function);
	if (verb->request != NULL)
		text_printf(out, ", %srequest", c_type_is_struct(verb->request) ? "&" : "");
	text_put(out, verb->response != NULL ? ", &response" : "");
	/* Nonzero: the verb failed, or answers later. */
	text_put(out, ");\n\tif (result != 0)\n\t\treturn result;\n");
	if (verb->response != NULL)
		text_printf(out, "\treturn ftl_typed_reply(ftl, &ftl_table_%s, &response);\n}\n\n",
			    table(verb->response));
	else
		text_put(out, "\treturn ftl_reply(ftl, \"{}\");\n}\n\n");
}

static void put_call(const struct c_verb *verb, struct text *out) {
	c_write_prototype(verb, out);
	text_printf(out, " {\n\treturn ftl_typed_call(ftl, \"%s.%s\", ", verb->module, verb->decl->name);
	if (verb->request != NULL)
		text_printf(out, "&ftl_table_%s, %srequest, ", table(verb->request),
			    c_type_is_struct(verb->request) ? "" : "&");
	else
		text_put(out, "NULL, NULL, ");
	if (verb->response != NULL)
		text_printf(out, "&ftl_table_%s, response);\n}\n\n", table(verb->response));
	else
		text_put(out, "NULL, NULL);\n}\n\n");
}

static bool has_metadata(const struct schema_decl *decl, const char *name) {
	for (size_t i = 0; i < decl->metadata.count; i++)
		if (strcmp(decl->metadata.items[i].name, name) == 0)
			return true;
	return false;
}

static void put_module(const struct c_module *module, struct text *out) {
	text_put(out, module->own.count > 0 ? "static const struct ftl_verb ftl_verbs[] = {\n" : "");
	for (size_t i = 0; i < module->own.count; i++) {
		const struct schema_decl *verb = module->own.items[i].decl;
		text_printf(out, "\t{.name = \"%s\", .run = ftl_run_%s%s},\n", verb->name, verb->name,
			    has_metadata(verb, "nonblocking") ? ", .flags = FTL_VERB_NONBLOCKING" : "");
	}
	text_put(out, module->own.count > 0 ? "};\n\n" : "");
	text_printf(out,
		    "FTL_EXPORT const struct ftl_module ftl_module = {\n\t.version = FTL_MODULE_VERSION,\n"
		    "\t.verb_count = %zu,\n\t.name = \"%s\",\n%s",
		    module->own.count, module->module->name, module->own.count > 0 ? "\t.verbs = ftl_verbs,\n" : "");
	if (module->start != NULL)
		text_printf(out, "\t.start = %s,\n", module->start);
	if (module->stop != NULL)
		text_printf(out, "\t.stop = %s,\n", module->stop);
	text_put(out, "};\n");
}

static void put_source(const struct c_types *types, const struct c_module *module, struct text *out) {
	text_printf(
		out,
		"/* Made by `ftl generate` from %s: change that, not this. */\n#include \"%s\"\n\n#include <ftl/typed.h>\n\n",
		types->options->file, types->options->header);
	put_tables(types, out);
	for (size_t i = 0; i < module->own.count; i++)
		put_run(&module->own.items[i], out);
	for (size_t i = 0; i < module->called.count; i++)
		put_call(&module->called.items[i], out);
	put_module(module, out);
}

int generate_c(const struct generate_options *options, struct buf *header, struct buf *source, struct error *err) {
	struct c_module module = {.module = options->module};
	struct text header_text = {.buf = header}, source_text = {.buf = source};
	struct c_types types;
	c_types_init(&types, options);
	int result = collect(&types, &module, err);
	if (result == 0) {
		mark_verbs(&module.own);
		mark_verbs(&module.called);
		c_header_write(&types, &module, &header_text);
		put_source(&types, &module, &source_text);
	}
	c_types_deinit(&types);
	if (result == 0 && (header_text.full || source_text.full))
		return error_set(err, CODE_RESOURCE_EXHAUSTED, "the code for %s would have more than %zu bytes",
				 options->module->name, MIN(header->max, source->max));
	return result;
}
