/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptors of services and messages, read from the FileDescriptorSet that `protoc --include_imports
 * --descriptor_set_out` writes. protobuf-c's own descriptors lack JSON names, maps and the options of methods, and
 * server reflection sends the files as they are.
 *
 * Immutable, so that any thread may read them. Names are full names without the leading dot.
 */
#pragma once

#include "base/error.h"
#include "base/str.h"

struct types;
struct type_message;
struct type_enum;

/* FieldDescriptorProto.Type. */
enum type_kind {
	KIND_DOUBLE = 1,
	KIND_FLOAT = 2,
	KIND_INT64 = 3,
	KIND_UINT64 = 4,
	KIND_INT32 = 5,
	KIND_FIXED64 = 6,
	KIND_FIXED32 = 7,
	KIND_BOOL = 8,
	KIND_STRING = 9,
	KIND_MESSAGE = 11,
	KIND_BYTES = 12,
	KIND_UINT32 = 13,
	KIND_ENUM = 14,
	KIND_SFIXED32 = 15,
	KIND_SFIXED64 = 16,
	KIND_SINT32 = 17,
	KIND_SINT64 = 18,
};

struct type_field {
	const char *name, *json_name;
	unsigned number;
	enum type_kind kind;
	bool repeated;
	bool implicit; /* absent and zero are the same */
	int oneof; /* its index, or -1 */
	const struct type_message *message; /* KIND_MESSAGE */
	const struct type_enum *enumeration; /* KIND_ENUM */
};

/* Messages with a JSON form of their own. */
enum type_special {
	SPECIAL_NONE,
	SPECIAL_ANY,
	SPECIAL_TIMESTAMP,
	SPECIAL_DURATION,
	SPECIAL_FIELD_MASK,
	SPECIAL_STRUCT,
	SPECIAL_VALUE,
	SPECIAL_LIST_VALUE,
	SPECIAL_WRAPPER,
};

struct type_message {
	const char *name;
	struct type_field *fields; /* by number */
	size_t field_count;
	bool is_map_entry; /* field 1 is the key, 2 the value */
	enum type_special special;
};

struct type_enum {
	const char *name;
	bool is_null_value;
	struct type_enum_value {
		const char *name;
		int32_t number;
	} *values;
	size_t value_count;
};

struct type_method {
	const char *path; /* "/package.Service/Method" */
	const struct type_message *request, *response;
	bool client_streaming, server_streaming;
	bool no_side_effects;
};

struct type_file {
	const char *name;
	struct str bytes; /* its FileDescriptorProto */
	const char **imports;
	size_t import_count;
};

/* Borrows the sets. A file that is in several is read once. Internal: a set is incomplete, which is a mistake of the
 * build. */
int types_new(const struct str *sets, size_t count, struct types **ret_types, struct error *err);
void types_free(struct types *types);

/* NULL: not found. */
const struct type_message *types_message(const struct types *types, struct str name);
const struct type_method *types_method(const struct types *types, struct str path);
const struct type_file *types_file(const struct types *types, struct str name);
/* The file that defines a message, field, enum, enum value, service or method. */
const struct type_file *types_file_of(const struct types *types, struct str symbol);

/* Iterates over the methods, in no order, from *cursor = 0; NULL at the end. */
const struct type_method *types_next_method(const struct types *types, size_t *cursor);

const struct type_field *type_field_by_number(const struct type_message *message, unsigned number);
const struct type_field *type_field_by_json_name(const struct type_message *message, struct str name);
