/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/proto.h"

#include "schema.pb-c.h"

struct proto_writer {
	struct arena *arena;
	bool canonical; /* without positions and the time of creation */
};

/* Casts the const away: protobuf-c's strings are not const, though packing only reads them. */
static char *text(const char *borrowed) {
	return (char *)borrowed;
}

static void **new_pointers(struct proto_writer *writer, size_t count) {
	return count == 0 ? NULL : arena_alloc(writer->arena, count * sizeof(void *));
}

static Schema__Position *write_pos(struct proto_writer *writer, struct schema_pos pos) {
	if (writer->canonical || pos.line == 0)
		return NULL;
	Schema__Position *message = arena_alloc(writer->arena, sizeof *message);
	schema__position__init(message);
	message->filename = text(pos.file);
	message->line = pos.line;
	message->column = pos.column;
	return message;
}

static Schema__VerbRef *write_verb_ref(struct proto_writer *writer, const struct schema_ref *ref) {
	Schema__VerbRef *message = arena_alloc(writer->arena, sizeof *message);
	schema__verb_ref__init(message);
	message->pos = write_pos(writer, ref->pos);
	message->module = text(ref->module);
	message->name = text(ref->name);
	return message;
}

static Schema__Type *write_type(struct proto_writer *writer, const struct schema_type *type);

static Schema__DataRef *write_data_ref(struct proto_writer *writer, const struct schema_type *type) {
	Schema__DataRef *message = arena_alloc(writer->arena, sizeof *message);
	schema__data_ref__init(message);
	message->pos = write_pos(writer, type->ref.pos);
	message->module = text(type->ref.module);
	message->name = text(type->ref.name);
	message->n_type_arguments = type->arg_count;
	message->type_arguments = (Schema__Type **)new_pointers(writer, type->arg_count);
	for (size_t i = 0; i < type->arg_count; i++)
		message->type_arguments[i] = write_type(writer, &type->args[i]);
	return message;
}

/* Makes a message without fields: Int, Float and so on. */
static void *write_empty(struct proto_writer *writer, const ProtobufCMessageDescriptor *descriptor) {
	ProtobufCMessage *message = arena_alloc(writer->arena, descriptor->sizeof_message);
	protobuf_c_message_init(descriptor, message);
	return message;
}

static void write_known_type(struct proto_writer *writer, const struct schema_type *type, Schema__Type *message) {
	switch (type->kind) {
	case SCHEMA_INT:
		message->value_case = SCHEMA__TYPE__VALUE_INT;
		message->int_ = write_empty(writer, &schema__int__descriptor);
		return;
	case SCHEMA_FLOAT:
		message->value_case = SCHEMA__TYPE__VALUE_FLOAT;
		message->float_ = write_empty(writer, &schema__float__descriptor);
		return;
	case SCHEMA_STRING:
		message->value_case = SCHEMA__TYPE__VALUE_STRING;
		message->string = write_empty(writer, &schema__string__descriptor);
		return;
	case SCHEMA_BYTES:
		message->value_case = SCHEMA__TYPE__VALUE_BYTES;
		message->bytes = write_empty(writer, &schema__bytes__descriptor);
		return;
	case SCHEMA_BOOL:
		message->value_case = SCHEMA__TYPE__VALUE_BOOL;
		message->bool_ = write_empty(writer, &schema__bool__descriptor);
		return;
	case SCHEMA_TIME:
		message->value_case = SCHEMA__TYPE__VALUE_TIME;
		message->time = write_empty(writer, &schema__time__descriptor);
		return;
	case SCHEMA_ANY:
		message->value_case = SCHEMA__TYPE__VALUE_ANY;
		message->any = write_empty(writer, &schema__any__descriptor);
		return;
	case SCHEMA_UNIT:
		message->value_case = SCHEMA__TYPE__VALUE_UNIT;
		message->unit = write_empty(writer, &schema__unit__descriptor);
		return;
	case SCHEMA_OPTIONAL:
		message->value_case = SCHEMA__TYPE__VALUE_OPTIONAL;
		message->optional = write_empty(writer, &schema__optional__descriptor);
		message->optional->element = write_type(writer, type->element);
		return;
	case SCHEMA_ARRAY:
		message->value_case = SCHEMA__TYPE__VALUE_ARRAY;
		message->array = write_empty(writer, &schema__array__descriptor);
		message->array->element = write_type(writer, type->element);
		return;
	case SCHEMA_MAP:
		message->value_case = SCHEMA__TYPE__VALUE_MAP;
		message->map = write_empty(writer, &schema__map__descriptor);
		message->map->key = write_type(writer, type->key);
		message->map->value = write_type(writer, type->element);
		return;
	case SCHEMA_VERB_REF:
		message->value_case = SCHEMA__TYPE__VALUE_VERB_REF;
		message->verb_ref = write_verb_ref(writer, &type->ref);
		return;
	case SCHEMA_REF:
		message->value_case = SCHEMA__TYPE__VALUE_DATA_REF;
		message->data_ref = write_data_ref(writer, type);
		return;
	}
}

static Schema__Type *write_type(struct proto_writer *writer, const struct schema_type *type) {
	Schema__Type *message = arena_alloc(writer->arena, sizeof *message);
	schema__type__init(message);
	write_known_type(writer, type, message);
	return message;
}

/* With another number of words it is metadata like any other. */
static bool is_ingress(const struct schema_metadata *metadata) {
	return strcmp(metadata->name, "ingress") == 0 && metadata->arg_count == 2;
}

static Schema__MetadataIngress *write_ingress(struct proto_writer *writer, const struct schema_metadata *metadata) {
	Schema__MetadataIngress *message = write_empty(writer, &schema__metadata_ingress__descriptor);
	message->pos = write_pos(writer, metadata->pos);
	message->method = text(metadata->args[0]);
	message->path = text(metadata->args[1]);
	return message;
}

static Schema__Metadata *write_metadata(struct proto_writer *writer, const struct schema_metadata *metadata) {
	Schema__Metadata *message = arena_alloc(writer->arena, sizeof *message);
	schema__metadata__init(message);
	if (is_ingress(metadata)) {
		message->value_case = SCHEMA__METADATA__VALUE_INGRESS;
		message->ingress = write_ingress(writer, metadata);
		return message;
	}
	if (metadata->call_count > 0) {
		message->value_case = SCHEMA__METADATA__VALUE_CALLS;
		message->calls = write_empty(writer, &schema__metadata_calls__descriptor);
		message->calls->pos = write_pos(writer, metadata->pos);
		message->calls->n_calls = metadata->call_count;
		message->calls->calls = (Schema__VerbRef **)new_pointers(writer, metadata->call_count);
		for (size_t i = 0; i < metadata->call_count; i++)
			message->calls->calls[i] = write_verb_ref(writer, &metadata->calls[i]);
		return message;
	}
	message->value_case = SCHEMA__METADATA__VALUE_OTHER;
	message->other = write_empty(writer, &schema__metadata_other__descriptor);
	message->other->pos = write_pos(writer, metadata->pos);
	message->other->name = text(metadata->name);
	message->other->n_arguments = metadata->arg_count;
	message->other->arguments = (char **)metadata->args;
	return message;
}

static Schema__Metadata **write_metadata_list(struct proto_writer *writer, const struct schema_metadata_list *list) {
	Schema__Metadata **messages = (Schema__Metadata **)new_pointers(writer, list->count);
	for (size_t i = 0; i < list->count; i++)
		messages[i] = write_metadata(writer, &list->items[i]);
	return messages;
}

static Schema__Field *write_field(struct proto_writer *writer, const struct schema_field *field) {
	Schema__Field *message = write_empty(writer, &schema__field__descriptor);
	message->pos = write_pos(writer, field->pos);
	message->name = text(field->name);
	message->n_comments = field->comments.count;
	message->comments = (char **)field->comments.lines;
	message->type = write_type(writer, &field->type);
	message->n_metadata = field->metadata.count;
	message->metadata = write_metadata_list(writer, &field->metadata);
	return message;
}

static Schema__Data *write_data(struct proto_writer *writer, const struct schema_decl *decl) {
	Schema__Data *message = write_empty(writer, &schema__data__descriptor);
	message->pos = write_pos(writer, decl->pos);
	message->name = text(decl->name);
	message->export = decl->exported;
	message->n_comments = decl->comments.count;
	message->comments = (char **)decl->comments.lines;
	message->n_type_parameters = decl->data.param_count;
	message->type_parameters = (Schema__TypeParameter **)new_pointers(writer, decl->data.param_count);
	for (size_t i = 0; i < decl->data.param_count; i++) {
		message->type_parameters[i] = write_empty(writer, &schema__type_parameter__descriptor);
		message->type_parameters[i]->pos = write_pos(writer, decl->data.params[i].pos);
		message->type_parameters[i]->name = text(decl->data.params[i].name);
	}
	message->n_fields = decl->data.field_count;
	message->fields = (Schema__Field **)new_pointers(writer, decl->data.field_count);
	for (size_t i = 0; i < decl->data.field_count; i++)
		message->fields[i] = write_field(writer, &decl->data.fields[i]);
	message->n_metadata = decl->metadata.count;
	message->metadata = write_metadata_list(writer, &decl->metadata);
	return message;
}

/* A plain reference uses the field of the first protocol version. */
static void write_verb_type(struct proto_writer *writer, const struct schema_type *type, Schema__DataRef **ret_ref,
			    Schema__Type **ret_type) {
	if (type->kind == SCHEMA_REF)
		*ret_ref = write_data_ref(writer, type);
	else
		*ret_type = write_type(writer, type);
}

static Schema__Verb *write_verb(struct proto_writer *writer, const struct schema_decl *decl) {
	Schema__Verb *message = write_empty(writer, &schema__verb__descriptor);
	message->pos = write_pos(writer, decl->pos);
	message->name = text(decl->name);
	message->export = decl->exported;
	message->n_comments = decl->comments.count;
	message->comments = (char **)decl->comments.lines;
	write_verb_type(writer, &decl->verb.request, &message->request, &message->request_type);
	write_verb_type(writer, &decl->verb.response, &message->response, &message->response_type);
	message->n_metadata = decl->metadata.count;
	message->metadata = write_metadata_list(writer, &decl->metadata);
	return message;
}

static Schema__EnumVariant *write_variant(struct proto_writer *writer, const struct schema_variant *variant) {
	Schema__EnumVariant *message = write_empty(writer, &schema__enum_variant__descriptor);
	message->pos = write_pos(writer, variant->pos);
	message->name = text(variant->name);
	message->n_comments = variant->comments.count;
	message->comments = (char **)variant->comments.lines;
	if (variant->type != NULL) {
		message->value_case = SCHEMA__ENUM_VARIANT__VALUE_TYPE;
		message->type = write_type(writer, variant->type);
	} else if (variant->text != NULL) {
		message->value_case = SCHEMA__ENUM_VARIANT__VALUE_STRING;
		message->string = text(variant->text);
	} else {
		message->value_case = SCHEMA__ENUM_VARIANT__VALUE_INT;
		message->int_ = variant->number;
	}
	return message;
}

static Schema__Enum *write_enum(struct proto_writer *writer, const struct schema_decl *decl) {
	Schema__Enum *message = write_empty(writer, &schema__enum__descriptor);
	message->pos = write_pos(writer, decl->pos);
	message->name = text(decl->name);
	message->export = decl->exported;
	message->n_comments = decl->comments.count;
	message->comments = (char **)decl->comments.lines;
	if (decl->kind == SCHEMA_ENUM)
		message->type = write_type(
			writer, &(struct schema_type){.kind = decl->enumeration.of_int ? SCHEMA_INT : SCHEMA_STRING});
	message->n_variants = decl->enumeration.variant_count;
	message->variants = (Schema__EnumVariant **)new_pointers(writer, decl->enumeration.variant_count);
	for (size_t i = 0; i < decl->enumeration.variant_count; i++)
		message->variants[i] = write_variant(writer, &decl->enumeration.variants[i]);
	message->n_metadata = decl->metadata.count;
	message->metadata = write_metadata_list(writer, &decl->metadata);
	return message;
}

static Schema__TypeAlias *write_alias(struct proto_writer *writer, const struct schema_decl *decl) {
	Schema__TypeAlias *message = write_empty(writer, &schema__type_alias__descriptor);
	message->pos = write_pos(writer, decl->pos);
	message->name = text(decl->name);
	message->export = decl->exported;
	message->n_comments = decl->comments.count;
	message->comments = (char **)decl->comments.lines;
	message->type = write_type(writer, &decl->alias.type);
	message->n_metadata = decl->metadata.count;
	message->metadata = write_metadata_list(writer, &decl->metadata);
	return message;
}

static Schema__Decl *write_decl(struct proto_writer *writer, const struct schema_decl *decl) {
	Schema__Decl *message = write_empty(writer, &schema__decl__descriptor);
	switch (decl->kind) {
	case SCHEMA_DATA:
		message->value_case = SCHEMA__DECL__VALUE_DATA;
		message->data = write_data(writer, decl);
		break;
	case SCHEMA_VERB:
		message->value_case = SCHEMA__DECL__VALUE_VERB;
		message->verb = write_verb(writer, decl);
		break;
	case SCHEMA_ENUM:
	case SCHEMA_SUM:
		message->value_case = SCHEMA__DECL__VALUE_ENUM;
		message->enum_ = write_enum(writer, decl);
		break;
	case SCHEMA_ALIAS:
		message->value_case = SCHEMA__DECL__VALUE_TYPE_ALIAS;
		message->type_alias = write_alias(writer, decl);
		break;
	}
	return message;
}

static Schema__ModuleRuntime *write_runtime(struct proto_writer *writer, const struct schema_module *module) {
	bool with_time = module->has_create_time && !writer->canonical;
	if (!with_time && module->language[0] == '\0' && module->entry[0] == '\0' && module->bind[0] == '\0')
		return NULL;
	Schema__ModuleRuntime *message = write_empty(writer, &schema__module_runtime__descriptor);
	message->language = text(module->language);
	message->entry = text(module->entry);
	message->bind = text(module->bind);
	if (with_time) {
		message->create_time = write_empty(writer, &google__protobuf__timestamp__descriptor);
		message->create_time->seconds = module->create_time.seconds;
		message->create_time->nanos = module->create_time.nanos;
	}
	return message;
}

static Schema__Module *write_module(struct proto_writer *writer, const struct schema_module *module) {
	Schema__Module *message = write_empty(writer, &schema__module__descriptor);
	message->runtime = write_runtime(writer, module);
	message->pos = write_pos(writer, module->pos);
	message->name = text(module->name);
	message->n_comments = module->comments.count;
	message->comments = (char **)module->comments.lines;
	message->n_metadata = module->metadata.count;
	message->metadata = write_metadata_list(writer, &module->metadata);
	message->n_decls = module->decl_count;
	message->decls = (Schema__Decl **)new_pointers(writer, module->decl_count);
	for (size_t i = 0; i < module->decl_count; i++)
		message->decls[i] = write_decl(writer, &module->decls[i]);
	return message;
}

Schema__Module *schema_to_proto(const struct schema_module *module, struct arena *arena) {
	return write_module(&(struct proto_writer){.arena = arena}, module);
}

int schema_canonical(const struct schema_module *module, struct buf *buf) {
	struct arena arena = ARENA_INIT(SCHEMA_ARENA_MAX);
	Schema__Module *message = write_module(&(struct proto_writer){.arena = &arena, .canonical = true}, module);
	size_t size = schema__module__get_packed_size(message);
	char *room = buf_reserve(buf, size);
	if (room != NULL) {
		schema__module__pack(message, (uint8_t *)room);
		buf_commit(buf, size);
	}
	arena_deinit(&arena);
	return room == NULL ? -1 : 0;
}
