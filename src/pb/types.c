/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two passes: the first makes every message and enum by its full name; the second fills in the fields, which point to
 * them. One arena holds all.
 */
#include "pb/types.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/map.h"
#include "base/memory.h"
#include "pb/wire.h"

struct types {
	struct arena arena;
	struct map messages, enums, methods, files; /* by full name, path, file name */
	struct map symbols; /* struct type_file by full name */
};

#define TYPES_ARENA_MAX MIB(64)

/* --- reading descriptors ------------------------------------------------------------------------------------------ */

/* Field numbers of descriptor.proto. */
enum {
	SET_FILE = 1,
	FILE_NAME = 1,
	FILE_PACKAGE = 2,
	FILE_DEPENDENCY = 3,
	FILE_MESSAGE = 4,
	FILE_ENUM = 5,
	FILE_SERVICE = 6,
	FILE_SYNTAX = 12,
	MESSAGE_NAME = 1,
	MESSAGE_FIELD = 2,
	MESSAGE_NESTED = 3,
	MESSAGE_ENUM = 4,
	MESSAGE_OPTIONS = 7,
	MESSAGE_OPTIONS_MAP_ENTRY = 7,
	FIELD_NAME = 1,
	FIELD_NUMBER = 3,
	FIELD_LABEL = 4,
	FIELD_TYPE = 5,
	FIELD_TYPE_NAME = 6,
	FIELD_ONEOF = 9,
	FIELD_JSON_NAME = 10,
	FIELD_PROTO3_OPTIONAL = 17,
	LABEL_REPEATED = 3,
	ENUM_NAME = 1,
	ENUM_VALUE = 2,
	ENUM_VALUE_NAME = 1,
	ENUM_VALUE_NUMBER = 2,
	SERVICE_NAME = 1,
	SERVICE_METHOD = 2,
	METHOD_NAME = 1,
	METHOD_INPUT = 2,
	METHOD_OUTPUT = 3,
	METHOD_OPTIONS = 4,
	METHOD_CLIENT_STREAMING = 5,
	METHOD_SERVER_STREAMING = 6,
	METHOD_OPTIONS_IDEMPOTENCY = 34,
	IDEMPOTENCY_NO_SIDE_EFFECTS = 1,
};

#define EACH_FIELD(field, bytes) \
	struct wire_field field; for (struct str field##_rest = (bytes); wire_take(&field##_rest, &field);)

static struct str bytes_of(struct str message, unsigned number) {
	struct str found = {0};
	EACH_FIELD(field, message)
		if (field.number == number && field.type == WIRE_BYTES)
			found = field.bytes;
	return found;
}

static uint64_t number_of(struct str message, unsigned number, uint64_t otherwise) {
	EACH_FIELD(field, message)
		if (field.number == number && field.type == WIRE_VARINT)
			otherwise = field.value;
	return otherwise;
}

static size_t count_of(struct str message, unsigned number) {
	size_t count = 0;
	EACH_FIELD(field, message)
		count += field.number == number;
	return count;
}

/* --- the first pass ----------------------------------------------------------------------------------------------- */

struct file_pass {
	struct types *types;
	struct type_file *file;
	bool proto3;
};

static const char *join(struct types *types, struct str scope, struct str name) {
	return scope.len == 0 ? arena_strdup(&types->arena, name)
			      : arena_printf(&types->arena, "%.*s.%.*s", STR_ARG(scope), STR_ARG(name));
}

static struct str define(struct file_pass *pass, struct str scope, struct str name) {
	struct str full = str_from(join(pass->types, scope, name));
	map_put(&pass->types->symbols, full, pass->file);
	return full;
}

static enum type_special special_of(struct str name) {
	static const struct {
		struct str name;
		enum type_special special;
	} specials[] = {
		{STR_INIT("Any"), SPECIAL_ANY},		       {STR_INIT("Timestamp"), SPECIAL_TIMESTAMP},
		{STR_INIT("Duration"), SPECIAL_DURATION},      {STR_INIT("FieldMask"), SPECIAL_FIELD_MASK},
		{STR_INIT("Struct"), SPECIAL_STRUCT},	       {STR_INIT("Value"), SPECIAL_VALUE},
		{STR_INIT("ListValue"), SPECIAL_LIST_VALUE},   {STR_INIT("DoubleValue"), SPECIAL_WRAPPER},
		{STR_INIT("FloatValue"), SPECIAL_WRAPPER},     {STR_INIT("Int64Value"), SPECIAL_WRAPPER},
		{STR_INIT("UInt64Value"), SPECIAL_WRAPPER},    {STR_INIT("Int32Value"), SPECIAL_WRAPPER},
		{STR_INIT("UInt32Value"), SPECIAL_WRAPPER},    {STR_INIT("BoolValue"), SPECIAL_WRAPPER},
		{STR_INIT("StringValue"), SPECIAL_WRAPPER},    {STR_INIT("BytesValue"), SPECIAL_WRAPPER},
	};
	static const struct str package = STR_INIT("google.protobuf.");
	if (!str_starts_with(name, package))
		return SPECIAL_NONE;
	for (size_t i = 0; i < ARRAY_LEN(specials); i++)
		if (str_eq(str_from_offset(name, package.len), specials[i].name))
			return specials[i].special;
	return SPECIAL_NONE;
}

static void define_enum(struct file_pass *pass, struct str scope, struct str descriptor) {
	struct types *types = pass->types;
	struct type_enum *enumeration = arena_alloc(&types->arena, sizeof *enumeration);
	struct str name = define(pass, scope, bytes_of(descriptor, ENUM_NAME));
	*enumeration = (struct type_enum){
		.name = name.ptr,
		.is_null_value = str_eq(name, STR("google.protobuf.NullValue")),
		.values =
			arena_alloc(&types->arena, count_of(descriptor, ENUM_VALUE) * sizeof *enumeration->values + 1),
	};
	EACH_FIELD(field, descriptor) {
		if (field.number != ENUM_VALUE)
			continue;
		struct type_enum_value *value = &enumeration->values[enumeration->value_count++];
		value->name = arena_strdup(&types->arena, bytes_of(field.bytes, ENUM_VALUE_NAME));
		value->number = (int32_t)number_of(field.bytes, ENUM_VALUE_NUMBER, 0);
		define(pass, scope, str_from(value->name)); /* in the scope of the enum, as in C++ */
	}
	map_put(&types->enums, name, enumeration);
}

static void define_message(struct file_pass *pass, struct str scope, struct str descriptor) {
	struct types *types = pass->types;
	struct type_message *message = arena_alloc(&types->arena, sizeof *message);
	struct str name = define(pass, scope, bytes_of(descriptor, MESSAGE_NAME));
	*message = (struct type_message){
		.name = name.ptr,
		.is_map_entry = number_of(bytes_of(descriptor, MESSAGE_OPTIONS), MESSAGE_OPTIONS_MAP_ENTRY, 0) != 0,
		.special = special_of(name),
	};
	map_put(&types->messages, name, message);
	EACH_FIELD(field, descriptor) {
		if (field.number == MESSAGE_NESTED)
			define_message(pass, name, field.bytes);
		else if (field.number == MESSAGE_ENUM)
			define_enum(pass, name, field.bytes);
		else if (field.number == MESSAGE_FIELD)
			define(pass, name, bytes_of(field.bytes, FIELD_NAME));
	}
}

/* --- the second pass ---------------------------------------------------------------------------------------------- */

static struct str without_dot(struct str name) {
	return name.len > 0 && name.ptr[0] == '.' ? str_from_offset(name, 1) : name;
}

static int fill_field(struct file_pass *pass, struct str descriptor, struct type_field *field, struct error *err) {
	struct types *types = pass->types;
	struct str type_name = without_dot(bytes_of(descriptor, FIELD_TYPE_NAME));
	bool in_oneof = count_of(descriptor, FIELD_ONEOF) > 0;
	*field = (struct type_field){
		.name = arena_strdup(&types->arena, bytes_of(descriptor, FIELD_NAME)),
		.json_name = arena_strdup(&types->arena, bytes_of(descriptor, FIELD_JSON_NAME)),
		.number = (unsigned)number_of(descriptor, FIELD_NUMBER, 0),
		.kind = (enum type_kind)number_of(descriptor, FIELD_TYPE, 0),
		.repeated = number_of(descriptor, FIELD_LABEL, 0) == LABEL_REPEATED,
		.oneof = in_oneof ? (int)number_of(descriptor, FIELD_ONEOF, 0) : -1,
	};
	field->implicit = pass->proto3 && !in_oneof && !field->repeated && field->kind != KIND_MESSAGE;
	field->message = field->kind == KIND_MESSAGE ? map_get(&types->messages, type_name) : NULL;
	field->enumeration = field->kind == KIND_ENUM ? map_get(&types->enums, type_name) : NULL;
	if ((field->kind == KIND_MESSAGE && field->message == NULL) ||
	    (field->kind == KIND_ENUM && field->enumeration == NULL))
		return error_set(err, CODE_INTERNAL,
				 "the field %s is of type %.*s, which is not in the descriptors; make "
				 "them with --include_imports",
				 field->name, STR_ARG(type_name));
	return 0;
}

static int compare_fields(const void *a, const void *b) {
	const struct type_field *one = a, *other = b;
	return one->number < other->number ? -1 : one->number > other->number;
}

static int fill_message(struct file_pass *pass, struct str scope, struct str descriptor, struct error *err) {
	struct types *types = pass->types;
	struct str name = str_from(join(types, scope, bytes_of(descriptor, MESSAGE_NAME)));
	struct type_message *message = map_get(&types->messages, name);
	message->fields = arena_alloc(&types->arena, count_of(descriptor, MESSAGE_FIELD) * sizeof *message->fields + 1);
	message->field_count = 0; /* the same set may be given twice */
	EACH_FIELD(field, descriptor) {
		if (field.number == MESSAGE_FIELD &&
		    fill_field(pass, field.bytes, &message->fields[message->field_count++], err) < 0)
			return -1;
		if (field.number == MESSAGE_NESTED && fill_message(pass, name, field.bytes, err) < 0)
			return -1;
	}
	qsort(message->fields, message->field_count, sizeof *message->fields, compare_fields);
	return 0;
}

static int fill_method(struct file_pass *pass, struct str service, struct str descriptor, struct error *err) {
	struct types *types = pass->types;
	struct str name = bytes_of(descriptor, METHOD_NAME);
	struct type_method *method = arena_alloc(&types->arena, sizeof *method);
	*method = (struct type_method){
		.path = arena_printf(&types->arena, "/%.*s/%.*s", STR_ARG(service), STR_ARG(name)),
		.request = map_get(&types->messages, without_dot(bytes_of(descriptor, METHOD_INPUT))),
		.response = map_get(&types->messages, without_dot(bytes_of(descriptor, METHOD_OUTPUT))),
		.client_streaming = number_of(descriptor, METHOD_CLIENT_STREAMING, 0) != 0,
		.server_streaming = number_of(descriptor, METHOD_SERVER_STREAMING, 0) != 0,
		.no_side_effects = number_of(bytes_of(descriptor, METHOD_OPTIONS), METHOD_OPTIONS_IDEMPOTENCY, 0) ==
				   IDEMPOTENCY_NO_SIDE_EFFECTS,
	};
	if (method->request == NULL || method->response == NULL)
		return error_set(err, CODE_INTERNAL, "the messages of %s are not in the descriptors; make them with "
						     "--include_imports", method->path);
	define(pass, service, name);
	map_put(&types->methods, str_from(method->path), method);
	return 0;
}

static int fill_service(struct file_pass *pass, struct str package, struct str descriptor, struct error *err) {
	struct str name = define(pass, package, bytes_of(descriptor, SERVICE_NAME));
	EACH_FIELD(field, descriptor)
		if (field.number == SERVICE_METHOD && fill_method(pass, name, field.bytes, err) < 0)
			return -1;
	return 0;
}

/* --- files -------------------------------------------------------------------------------------------------------- */

static void define_file(struct types *types, struct str descriptor) {
	struct str name = bytes_of(descriptor, FILE_NAME), package = bytes_of(descriptor, FILE_PACKAGE);
	if (map_get(&types->files, name) != NULL)
		return;
	struct type_file *file = arena_alloc(&types->arena, sizeof *file);
	*file = (struct type_file){
		.name = arena_strdup(&types->arena, name),
		.bytes = descriptor,
		.imports =
			arena_alloc(&types->arena, count_of(descriptor, FILE_DEPENDENCY) * sizeof *file->imports + 1),
	};
	map_put(&types->files, name, file);
	struct file_pass pass = {.types = types, .file = file};
	EACH_FIELD(field, descriptor) {
		if (field.number == FILE_DEPENDENCY)
			file->imports[file->import_count++] = arena_strdup(&types->arena, field.bytes);
		else if (field.number == FILE_MESSAGE)
			define_message(&pass, package, field.bytes);
		else if (field.number == FILE_ENUM)
			define_enum(&pass, package, field.bytes);
	}
}

static int fill_file(struct types *types, struct str descriptor, struct error *err) {
	struct type_file *file = map_get(&types->files, bytes_of(descriptor, FILE_NAME));
	if (file->bytes.ptr != descriptor.ptr)
		return 0; /* the file of another set is used */
	struct str package = bytes_of(descriptor, FILE_PACKAGE);
	struct file_pass pass = {
		.types = types, .file = file, .proto3 = str_eq(bytes_of(descriptor, FILE_SYNTAX), STR("proto3"))};
	EACH_FIELD(field, descriptor) {
		if (field.number == FILE_MESSAGE && fill_message(&pass, package, field.bytes, err) < 0)
			return -1;
		if (field.number == FILE_SERVICE && fill_service(&pass, package, field.bytes, err) < 0)
			return -1;
	}
	return 0;
}

static int fill(struct types *types, const struct str *sets, size_t count, struct error *err) {
	for (size_t i = 0; i < count; i++) {
		EACH_FIELD(field, sets[i])
			define_file(types, field.bytes);
	}
	for (size_t i = 0; i < count; i++) {
		EACH_FIELD(field, sets[i])
			if (fill_file(types, field.bytes, err) < 0)
				return -1;
	}
	return 0;
}

int types_new(const struct str *sets, size_t count, struct types **ret_types, struct error *err) {
	struct types *types = mem_zalloc(sizeof *types);
	arena_init(&types->arena, TYPES_ARENA_MAX);
	if (fill(types, sets, count, err) < 0) {
		types_free(types);
		return -1;
	}
	*ret_types = types;
	return 0;
}

void types_free(struct types *types) {
	if (types == NULL)
		return;
	map_deinit(&types->messages);
	map_deinit(&types->enums);
	map_deinit(&types->methods);
	map_deinit(&types->files);
	map_deinit(&types->symbols);
	arena_deinit(&types->arena);
	free(types);
}

/* --- looking up --------------------------------------------------------------------------------------------------- */

const struct type_message *types_message(const struct types *types, struct str name) {
	return map_get(&types->messages, name);
}

const struct type_method *types_method(const struct types *types, struct str path) {
	return types ? map_get(&types->methods, path) : NULL;
}

const struct type_method *types_next_method(const struct types *types, size_t *cursor) {
	return map_next(&types->methods, cursor);
}

const struct type_file *types_file(const struct types *types, struct str name) {
	return map_get(&types->files, name);
}

const struct type_file *types_file_of(const struct types *types, struct str symbol) {
	return map_get(&types->symbols, symbol);
}

const struct type_field *type_field_by_number(const struct type_message *message, unsigned number) {
	for (size_t low = 0, high = message->field_count; low < high;) {
		size_t middle = (low + high) / 2;
		const struct type_field *field = &message->fields[middle];
		if (field->number == number)
			return field;
		if (field->number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

const struct type_field *type_field_by_json_name(const struct type_message *message, struct str name) {
	for (size_t i = 0; i < message->field_count; i++)
		if (str_eq_c(name, message->fields[i].json_name) || str_eq_c(name, message->fields[i].name))
			return &message->fields[i];
	return NULL;
}
