/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Texts and structure of a message come from a peer and are checked throughout. After an error reading continues with
 * an empty piece in place of the bad one, to find further errors; such a model never leaves this file.
 */
#include "schema/proto.h"

#include <stdio.h>

#include "schema.pb-c.h"
#include "schema/grow.h"

struct proto_reader {
	struct arena *arena;
	struct schema_diagnostics *diagnostics;
	const char *module;
	const Schema__Data *data; /* the data whose type parameters are in scope; NULL: none */
	size_t nodes;
	size_t text_bytes;
	const char *last_file; /* the file name of the last position, which most positions share */
	struct schema_pos pos; /* position of the nearest enclosing message that has one */
	char place[3 * SCHEMA_NAME_MAX]; /* "EchoRequest.name" */
};

#define COMPLAIN(reader, hint, format, ...) \
	schema_diagnose((reader)->diagnostics, (reader)->pos, hint, "%s: " format, (reader)->place, __VA_ARGS__)

/* Counts a node of the model; false: the model has SCHEMA_NODES_MAX already. */
static bool count_node(struct proto_reader *reader) {
	if (reader->nodes++ < SCHEMA_NODES_MAX)
		return true;
	if (reader->nodes == SCHEMA_NODES_MAX + 1)
		COMPLAIN(reader, "split the module", "the module is too large: more than %d parts", SCHEMA_NODES_MAX);
	return false;
}

static const char *read_text(struct proto_reader *reader, const char *what, const char *text) {
	struct str bytes = str_from(text ? text : "");
	reader->text_bytes += bytes.len;
	if (reader->text_bytes > SCHEMA_TEXT_MAX) {
		if (reader->text_bytes - bytes.len <= SCHEMA_TEXT_MAX)
			COMPLAIN(reader, "split the module", "the module has more than %d bytes of text",
				 SCHEMA_TEXT_MAX);
		return "";
	}
	if (!str_is_text(bytes)) {
		COMPLAIN(reader, NULL, "%s is not UTF-8", what);
		return "";
	}
	return arena_strdup(reader->arena, bytes);
}

static bool has_control(const char *text, const char *allowed) {
	for (const char *c = text; *c != '\0'; c++)
		if (((unsigned char)*c < ' ' || *c == 0x7F) && strchr(allowed, *c) == NULL)
			return true;
	return false;
}

/* Reads a text that the printer writes without quotes. */
static const char *read_plain_text(struct proto_reader *reader, const char *what, const char *text) {
	const char *copy = read_text(reader, what, text);
	if (has_control(copy, ""))
		COMPLAIN(reader, NULL, "%s has a control character in it", what);
	return copy;
}

static const char *read_name(struct proto_reader *reader, const char *what, const char *text) {
	const char *copy = read_text(reader, what, text);
	if (copy[0] == '\0' && (text == NULL || text[0] == '\0'))
		COMPLAIN(reader, NULL, "%s has no name", what);
	else if (copy[0] != '\0' && !schema_is_name(str_from(copy)))
		COMPLAIN(reader, "letters, digits and underscores, at most 64", "the name of %s is not a name", what);
	return copy;
}

/* Sets the position of errors that follow; returns the previous one. */
static struct schema_pos enter(struct proto_reader *reader, const Schema__Position *message) {
	struct schema_pos before = reader->pos;
	if (message == NULL || message->line < 1 || message->line > UINT32_MAX || message->column < 0 ||
	    message->column > UINT32_MAX)
		return before;
	if (reader->last_file == NULL || strcmp(reader->last_file, message->filename) != 0)
		reader->last_file = read_plain_text(reader, "the file of a position", message->filename);
	reader->pos = (struct schema_pos){reader->last_file, (uint32_t)message->line, (uint32_t)message->column};
	return before;
}

/* The message's own position; unknown when it has none. */
static struct schema_pos read_pos(struct proto_reader *reader, const Schema__Position *message) {
	struct schema_pos outer = enter(reader, message);
	struct schema_pos pos = reader->pos;
	reader->pos = outer;
	return message != NULL && message->line > 0 ? pos : (struct schema_pos){0};
}

static void read_comments(struct proto_reader *reader, char **lines, size_t count, struct schema_comments *comments) {
	for (size_t i = 0; i < count; i++) {
		const char *text = read_text(reader, "a comment", lines[i]);
		if (has_control(text, "\t\r\n"))
			COMPLAIN(reader, NULL, "%s has a control character in it", "a comment");
		struct str rest = str_from(text);
		do {
			struct str line = str_cut(rest, '\n', &rest);
			while (line.len > 0 && strchr(" \t\r", line.ptr[line.len - 1]) != NULL)
				line.len--;
			if (memchr(line.ptr, '\r', line.len) != NULL)
				COMPLAIN(reader, NULL, "%s has a control character in it", "a comment");
			if (!count_node(reader))
				return;
			comments->lines =
				array_grow(reader->arena, comments->lines, comments->count, sizeof *comments->lines);
			comments->lines[comments->count++] = arena_strdup(reader->arena, line);
		} while (rest.ptr != NULL);
	}
}

static bool is_param(const struct proto_reader *reader, const char *name) {
	for (size_t i = 0; reader->data != NULL && i < reader->data->n_type_parameters; i++)
		if (strcmp(reader->data->type_parameters[i]->name, name) == 0)
			return true;
	return false;
}

static struct schema_ref read_ref(struct proto_reader *reader, const char *what, const Schema__Position *pos,
				  const char *module, const char *name, bool may_be_param) {
	struct schema_ref ref = {.pos = read_pos(reader, pos), .module = reader->module, .name = ""};
	if (!count_node(reader))
		return ref;
	ref.name = read_name(reader, what, name);
	if (module[0] != '\0')
		ref.module = strcmp(module, reader->module) == 0
				     ? reader->module
				     : read_name(reader, "the module of a reference", module);
	else if (may_be_param && is_param(reader, ref.name))
		ref.module = "";
	return ref;
}

static bool read_type(struct proto_reader *reader, const Schema__Type *message, size_t depth,
		      struct schema_type *ret_type);

static struct schema_type *read_inner(struct proto_reader *reader, const Schema__Type *message, size_t depth) {
	struct schema_type *type = arena_alloc(reader->arena, sizeof *type);
	return read_type(reader, message, depth + 1, type) ? type : NULL;
}

static bool read_type_ref(struct proto_reader *reader, const Schema__DataRef *message, size_t depth,
			  struct schema_type *type) {
	type->kind = SCHEMA_REF;
	type->ref = read_ref(reader, "a reference", message->pos, message->module, message->name, true);
	for (size_t i = 0; i < message->n_type_arguments; i++) {
		struct schema_type arg;
		if (!read_type(reader, message->type_arguments[i], depth + 1, &arg))
			return false;
		type->args = array_grow(reader->arena, type->args, type->arg_count, sizeof arg);
		type->args[type->arg_count++] = arg;
	}
	return true;
}

static bool read_around(struct proto_reader *reader, enum schema_type_kind kind, const Schema__Type *element,
			size_t depth, struct schema_type *type) {
	type->kind = kind;
	type->element = read_inner(reader, element, depth);
	return type->element != NULL;
}

static bool read_map(struct proto_reader *reader, const Schema__Map *message, size_t depth, struct schema_type *type) {
	type->key = read_inner(reader, message->key, depth);
	return type->key != NULL && read_around(reader, SCHEMA_MAP, message->value, depth, type);
}

static bool read_known_type(struct proto_reader *reader, const Schema__Type *message, size_t depth,
			    struct schema_type *type) {
	switch ((int)message->value_case) {
	case SCHEMA__TYPE__VALUE_INT:
		type->kind = SCHEMA_INT;
		return true;
	case SCHEMA__TYPE__VALUE_FLOAT:
		type->kind = SCHEMA_FLOAT;
		return true;
	case SCHEMA__TYPE__VALUE_STRING:
		type->kind = SCHEMA_STRING;
		return true;
	case SCHEMA__TYPE__VALUE_BYTES:
		type->kind = SCHEMA_BYTES;
		return true;
	case SCHEMA__TYPE__VALUE_BOOL:
		type->kind = SCHEMA_BOOL;
		return true;
	case SCHEMA__TYPE__VALUE_TIME:
		type->kind = SCHEMA_TIME;
		return true;
	case SCHEMA__TYPE__VALUE_ANY:
		type->kind = SCHEMA_ANY;
		return true;
	case SCHEMA__TYPE__VALUE_UNIT:
		type->kind = SCHEMA_UNIT;
		return true;
	case SCHEMA__TYPE__VALUE_OPTIONAL:
		return read_around(reader, SCHEMA_OPTIONAL, message->optional->element, depth, type);
	case SCHEMA__TYPE__VALUE_ARRAY:
		return read_around(reader, SCHEMA_ARRAY, message->array->element, depth, type);
	case SCHEMA__TYPE__VALUE_MAP:
		return read_map(reader, message->map, depth, type);
	case SCHEMA__TYPE__VALUE_VERB_REF:
		type->kind = SCHEMA_VERB_REF;
		type->ref = read_ref(reader, "a reference", message->verb_ref->pos, message->verb_ref->module,
				     message->verb_ref->name, false);
		return true;
	case SCHEMA__TYPE__VALUE_DATA_REF:
		return read_type_ref(reader, message->data_ref, depth, type);
	default: /* protobuf-c adds a value for the width of the enum */
		COMPLAIN(reader, NULL, "%s", "a type of no kind, or of one that this version does not know");
		return false;
	}
}

/* false: an error was reported or the node limit is reached; *ret_type is undefined then. */
static bool read_type(struct proto_reader *reader, const Schema__Type *message, size_t depth,
		      struct schema_type *ret_type) {
	*ret_type = (struct schema_type){.kind = SCHEMA_ANY, .ref = {.module = "", .name = ""}};
	if (message == NULL) {
		COMPLAIN(reader, NULL, "%s", "a type is missing");
		return false;
	}
	if (depth == SCHEMA_DEPTH_MAX) {
		COMPLAIN(reader, "give a part of it a name", "types nested deeper than %d", SCHEMA_DEPTH_MAX);
		return false;
	}
	return count_node(reader) && read_known_type(reader, message, depth, ret_type);
}

static void read_calls(struct proto_reader *reader, const Schema__MetadataCalls *message,
		       struct schema_metadata *metadata) {
	metadata->name = "calls";
	metadata->pos = read_pos(reader, message->pos);
	for (size_t i = 0; i < message->n_calls && reader->nodes <= SCHEMA_NODES_MAX; i++) {
		const Schema__VerbRef *call = message->calls[i];
		metadata->calls =
			array_grow(reader->arena, metadata->calls, metadata->call_count, sizeof *metadata->calls);
		metadata->calls[metadata->call_count++] =
			read_ref(reader, "a call", call->pos, call->module, call->name, false);
	}
	if (message->n_calls == 0)
		COMPLAIN(reader, NULL, "%s", "+calls names no verb");
}

static void read_ingress(struct proto_reader *reader, const Schema__MetadataIngress *message,
			 struct schema_metadata *metadata) {
	metadata->name = "ingress";
	metadata->pos = read_pos(reader, message->pos);
	metadata->args = arena_alloc(reader->arena, 2 * sizeof *metadata->args);
	metadata->args[metadata->arg_count++] = read_text(reader, "the method of an ingress", message->method);
	metadata->args[metadata->arg_count++] = read_text(reader, "the path of an ingress", message->path);
}

static void read_other(struct proto_reader *reader, const Schema__MetadataOther *message,
		       struct schema_metadata *metadata) {
	metadata->name = read_name(reader, "metadata", message->name);
	metadata->pos = read_pos(reader, message->pos);
	if (strcmp(metadata->name, "calls") == 0)
		COMPLAIN(reader, NULL, "%s", "+calls has a message of its own");
	for (size_t i = 0; i < message->n_arguments && count_node(reader); i++) {
		metadata->args = array_grow(reader->arena, metadata->args, metadata->arg_count, sizeof *metadata->args);
		metadata->args[metadata->arg_count++] =
			read_text(reader, "an argument of metadata", message->arguments[i]);
	}
}

static void read_metadata(struct proto_reader *reader, Schema__Metadata **messages, size_t count,
			  struct schema_metadata_list *list) {
	for (size_t i = 0; i < count && count_node(reader); i++) {
		struct schema_metadata metadata = {0};
		if (messages[i]->value_case == SCHEMA__METADATA__VALUE_CALLS) {
			read_calls(reader, messages[i]->calls, &metadata);
		} else if (messages[i]->value_case == SCHEMA__METADATA__VALUE_INGRESS) {
			read_ingress(reader, messages[i]->ingress, &metadata);
		} else if (messages[i]->value_case == SCHEMA__METADATA__VALUE_OTHER) {
			read_other(reader, messages[i]->other, &metadata);
		} else {
			COMPLAIN(reader, NULL, "%s", "metadata of no kind, or of one that this version does not know");
			continue;
		}
		list->items = array_grow(reader->arena, list->items, list->count, sizeof metadata);
		list->items[list->count++] = metadata;
	}
}

/* Names the place of errors in a part of a declaration. */
static void set_place(struct proto_reader *reader, const char *decl, const char *part, const char *kind, size_t index) {
	if (schema_is_name(str_from(part)))
		snprintf(reader->place, sizeof reader->place, "%s.%s", decl, part);
	else
		snprintf(reader->place, sizeof reader->place, "%s, %s %zu", decl, kind, index + 1);
}

static size_t count_members(struct proto_reader *reader, size_t count, const char *members) {
	if (count <= SCHEMA_MEMBERS_MAX)
		return count;
	COMPLAIN(reader, "split it", "more than %d %s", SCHEMA_MEMBERS_MAX, members);
	return 0;
}

static void read_field(struct proto_reader *reader, const Schema__Field *message, struct schema_decl *decl) {
	struct schema_pos outer = enter(reader, message->pos);
	struct schema_field field = {.pos = read_pos(reader, message->pos)};
	field.name = read_name(reader, "the field", message->name);
	read_comments(reader, message->comments, message->n_comments, &field.comments);
	read_type(reader, message->type, 0, &field.type);
	read_metadata(reader, message->metadata, message->n_metadata, &field.metadata);
	decl->data.fields = array_grow(reader->arena, decl->data.fields, decl->data.field_count, sizeof field);
	decl->data.fields[decl->data.field_count++] = field;
	reader->pos = outer;
}

static void read_data(struct proto_reader *reader, const Schema__Data *message, struct schema_decl *decl) {
	decl->kind = SCHEMA_DATA;
	decl->exported = message->export;
	if (message->n_type_parameters > SCHEMA_PARAMS_MAX) {
		COMPLAIN(reader, NULL, "more than %d type parameters", SCHEMA_PARAMS_MAX);
		return;
	}
	for (size_t i = 0; i < message->n_type_parameters && count_node(reader); i++) {
		const Schema__TypeParameter *param = message->type_parameters[i];
		decl->data.params =
			array_grow(reader->arena, decl->data.params, decl->data.param_count, sizeof *decl->data.params);
		decl->data.params[decl->data.param_count++] = (struct schema_param){
			.pos = read_pos(reader, param->pos),
			.name = read_name(reader, "a type parameter", param->name),
		};
	}
	reader->data = message;
	for (size_t i = 0; i < count_members(reader, message->n_fields, "fields") && count_node(reader); i++) {
		set_place(reader, decl->name, message->fields[i]->name, "field", i);
		read_field(reader, message->fields[i], decl);
	}
	reader->data = NULL;
	snprintf(reader->place, sizeof reader->place, "%s", decl->name);
	read_metadata(reader, message->metadata, message->n_metadata, &decl->metadata);
}

/* One of the two is set: the reference of the first version, or the type. */
static void read_verb_type(struct proto_reader *reader, const char *what, const Schema__DataRef *ref,
			   const Schema__Type *type, struct schema_type *ret_type) {
	*ret_type = (struct schema_type){.kind = SCHEMA_ANY, .ref = {.module = "", .name = ""}};
	if (ref != NULL && type != NULL)
		COMPLAIN(reader, NULL, "the verb has two types for its %s", what);
	else if (ref != NULL)
		read_type_ref(reader, ref, 0, ret_type);
	else if (type != NULL)
		read_type(reader, type, 0, ret_type);
	else
		COMPLAIN(reader, "Unit is nothing", "the verb has no %s", what);
}

static void read_verb(struct proto_reader *reader, const Schema__Verb *message, struct schema_decl *decl) {
	decl->kind = SCHEMA_VERB;
	decl->exported = message->export;
	read_verb_type(reader, "request", message->request, message->request_type, &decl->verb.request);
	read_verb_type(reader, "response", message->response, message->response_type, &decl->verb.response);
	read_metadata(reader, message->metadata, message->n_metadata, &decl->metadata);
}

static void read_variant_value(struct proto_reader *reader, const Schema__EnumVariant *message,
			       struct schema_decl *decl, struct schema_variant *variant) {
	bool fits = false;
	if (message->value_case == SCHEMA__ENUM_VARIANT__VALUE_TYPE && decl->kind == SCHEMA_SUM) {
		variant->type = arena_alloc(reader->arena, sizeof *variant->type);
		fits = true;
		read_type(reader, message->type, 0, variant->type);
	} else if (message->value_case == SCHEMA__ENUM_VARIANT__VALUE_STRING && decl->kind == SCHEMA_ENUM) {
		variant->text = read_text(reader, "the value", message->string);
		fits = !decl->enumeration.of_int;
	} else if (message->value_case == SCHEMA__ENUM_VARIANT__VALUE_INT && decl->kind == SCHEMA_ENUM) {
		variant->number = message->int_;
		fits = decl->enumeration.of_int;
	}
	if (!fits)
		COMPLAIN(reader, NULL, "the variant has no %s",
			 decl->kind == SCHEMA_SUM   ? "type"
			 : decl->enumeration.of_int ? "value that is an Int"
						    : "value that is a String");
}

static void read_variant(struct proto_reader *reader, const Schema__EnumVariant *message, struct schema_decl *decl) {
	struct schema_pos outer = enter(reader, message->pos);
	struct schema_variant variant = {.pos = read_pos(reader, message->pos)};
	variant.name = read_name(reader, "the variant", message->name);
	read_comments(reader, message->comments, message->n_comments, &variant.comments);
	read_variant_value(reader, message, decl, &variant);
	decl->enumeration.variants =
		array_grow(reader->arena, decl->enumeration.variants, decl->enumeration.variant_count, sizeof variant);
	decl->enumeration.variants[decl->enumeration.variant_count++] = variant;
	reader->pos = outer;
}

static void read_enum(struct proto_reader *reader, const Schema__Enum *message, struct schema_decl *decl) {
	decl->kind = message->type == NULL ? SCHEMA_SUM : SCHEMA_ENUM;
	decl->exported = message->export;
	if (message->type != NULL) {
		decl->enumeration.of_int = message->type->value_case == SCHEMA__TYPE__VALUE_INT;
		if (!decl->enumeration.of_int && message->type->value_case != SCHEMA__TYPE__VALUE_STRING)
			COMPLAIN(reader, NULL, "%s", "the values of an enum are Int or String");
	}
	for (size_t i = 0; i < count_members(reader, message->n_variants, "variants") && count_node(reader); i++) {
		set_place(reader, decl->name, message->variants[i]->name, "variant", i);
		read_variant(reader, message->variants[i], decl);
	}
	snprintf(reader->place, sizeof reader->place, "%s", decl->name);
	read_metadata(reader, message->metadata, message->n_metadata, &decl->metadata);
}

static void read_alias(struct proto_reader *reader, const Schema__TypeAlias *message, struct schema_decl *decl) {
	decl->kind = SCHEMA_ALIAS;
	decl->exported = message->export;
	read_type(reader, message->type, 0, &decl->alias.type);
	read_metadata(reader, message->metadata, message->n_metadata, &decl->metadata);
}

/* The fields that all kinds of declarations share. */
struct decl_head {
	const char *kind;
	const Schema__Position *pos;
	const char *name;
	char **comments;
	size_t comment_count;
};

static bool find_head(const Schema__Decl *message, struct decl_head *ret_head) {
	switch ((int)message->value_case) {
	case SCHEMA__DECL__VALUE_DATA:
		*ret_head = (struct decl_head){"the data", message->data->pos, message->data->name,
					       message->data->comments, message->data->n_comments};
		return true;
	case SCHEMA__DECL__VALUE_VERB:
		*ret_head = (struct decl_head){"the verb", message->verb->pos, message->verb->name,
					       message->verb->comments, message->verb->n_comments};
		return true;
	case SCHEMA__DECL__VALUE_ENUM:
		*ret_head = (struct decl_head){"the enum", message->enum_->pos, message->enum_->name,
					       message->enum_->comments, message->enum_->n_comments};
		return true;
	case SCHEMA__DECL__VALUE_TYPE_ALIAS:
		*ret_head = (struct decl_head){"the type alias", message->type_alias->pos, message->type_alias->name,
					       message->type_alias->comments, message->type_alias->n_comments};
		return true;
	default: /* protobuf-c adds a value for the width of the enum */
		return false;
	}
}

static void read_decl(struct proto_reader *reader, const Schema__Decl *message, size_t index,
		      struct schema_module *module) {
	struct decl_head head;
	snprintf(reader->place, sizeof reader->place, "declaration %zu", index + 1);
	if (!find_head(message, &head)) {
		COMPLAIN(reader, NULL, "%s", "a declaration of no kind, or of one that this version does not know");
		return;
	}
	struct schema_pos outer = enter(reader, head.pos);
	struct schema_decl decl = {.pos = read_pos(reader, head.pos)};
	decl.name = read_name(reader, head.kind, head.name);
	if (schema_is_name(str_from(decl.name)))
		snprintf(reader->place, sizeof reader->place, "%s", decl.name);
	read_comments(reader, head.comments, head.comment_count, &decl.comments);
	if (message->value_case == SCHEMA__DECL__VALUE_DATA)
		read_data(reader, message->data, &decl);
	else if (message->value_case == SCHEMA__DECL__VALUE_VERB)
		read_verb(reader, message->verb, &decl);
	else if (message->value_case == SCHEMA__DECL__VALUE_ENUM)
		read_enum(reader, message->enum_, &decl);
	else
		read_alias(reader, message->type_alias, &decl);
	module->decls = array_grow(reader->arena, module->decls, module->decl_count, sizeof decl);
	module->decls[module->decl_count++] = decl;
	reader->pos = outer;
}

static void read_runtime(struct proto_reader *reader, const Schema__ModuleRuntime *message,
			 struct schema_module *module) {
	module->language = read_plain_text(reader, "the language", message->language);
	module->entry = read_plain_text(reader, "the entry", message->entry);
	module->bind = read_plain_text(reader, "the bind", message->bind);
	if (message->create_time == NULL)
		return;
	module->create_time = (struct timestamp){message->create_time->seconds, message->create_time->nanos};
	module->has_create_time = timestamp_in_range(module->create_time);
	if (!module->has_create_time)
		COMPLAIN(reader, NULL, "%s", "the create time is out of range");
}

static void read_module_metadata(struct proto_reader *reader, const Schema__Module *message,
				 struct schema_module *module) {
	static const char *const taken[] = {"language", "entry", "bind", "created"};
	read_metadata(reader, message->metadata, message->n_metadata, &module->metadata);
	for (size_t i = 0; i < module->metadata.count; i++)
		for (size_t j = 0; j < ARRAY_LEN(taken); j++)
			if (strcmp(module->metadata.items[i].name, taken[j]) == 0)
				COMPLAIN(reader, NULL, "+%s of a module belongs into its runtime", taken[j]);
}

int schema_from_proto(const Schema__Module *message, struct arena *arena, struct schema_module **ret_module,
		      struct schema_diagnostics *diagnostics) {
	if (arena->max - arena->used < SCHEMA_ARENA_MAX)
		return schema_diagnose(diagnostics, (struct schema_pos){0}, NULL, "no room left for a schema");
	size_t known = diagnostics->count;
	struct schema_module *module = arena_alloc(arena, sizeof *module);
	*module = (struct schema_module){.language = "", .entry = "", .bind = ""};
	struct proto_reader reader = {.arena = arena, .diagnostics = diagnostics, .place = "the schema"};
	enter(&reader, message->pos);
	module->pos = read_pos(&reader, message->pos);
	module->name = reader.module = read_name(&reader, "the module", message->name);
	if (schema_is_name(str_from(module->name)))
		snprintf(reader.place, sizeof reader.place, "module %s", module->name);
	read_comments(&reader, message->comments, message->n_comments, &module->comments);
	read_module_metadata(&reader, message, module);
	if (message->runtime != NULL)
		read_runtime(&reader, message->runtime, module);
	if (message->n_decls > SCHEMA_DECLS_MAX)
		return schema_diagnose(diagnostics, module->pos, "split the module", "%s: more than %d declarations",
				       reader.place, SCHEMA_DECLS_MAX);
	for (size_t i = 0; i < message->n_decls && count_node(&reader); i++)
		read_decl(&reader, message->decls[i], i, module);
	if (diagnostics->count > known)
		return -1;
	schema_index(module, arena);
	*ret_module = module;
	return 0;
}
