/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wire format to JSON. Fields may come in any order and more than once, so a tree is built first: a later scalar
 * replaces an earlier one, repeated fields are appended, messages are merged. Then the tree is printed.
 */
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/memory.h"
#include "pb/json.h"
#include "pb/json_time.h"
#include "pb/wire.h"

struct json_writer {
	const struct types *types;
	size_t values;
	struct error *err;
};

static json_t *write_message(struct json_writer *writer, const struct type_message *type, struct str bytes,
			     json_t *into, unsigned depth);

static json_t *fail(struct json_writer *writer, const struct type_message *type, const char *what) {
	error_set(writer->err, CODE_INVALID_ARGUMENT, "%s: %s", type->name, what);
	return NULL;
}

/* --- scalars ------------------------------------------------------------------------------------------------------ */

static json_t *write_integer(const struct type_field *field, uint64_t value) {
	char text[24];
	switch (field->kind) {
	case KIND_INT32:
	case KIND_SFIXED32:
		return json_integer((int32_t)value);
	case KIND_SINT32:
		return json_integer((int32_t)((uint32_t)value >> 1 ^ -(uint32_t)(value & 1)));
	case KIND_UINT32:
	case KIND_FIXED32:
		return json_integer((uint32_t)value);
	case KIND_SINT64:
		value = value >> 1 ^ -(value & 1);
		snprintf(text, sizeof text, "%" PRId64, (int64_t)value);
		return json_string(text);
	case KIND_INT64:
	case KIND_SFIXED64:
		snprintf(text, sizeof text, "%" PRId64, (int64_t)value);
		return json_string(text);
	case KIND_UINT64:
	case KIND_FIXED64:
		snprintf(text, sizeof text, "%" PRIu64, value);
		return json_string(text);
	case KIND_DOUBLE:
	case KIND_FLOAT:
	case KIND_BOOL:
	case KIND_STRING:
	case KIND_MESSAGE:
	case KIND_BYTES:
	case KIND_ENUM:
		break;
	}
	return NULL;
}

/* The shortest text that parses to the same number. A float is printed with its own precision. */
static json_t *write_real(const struct type_field *field, uint64_t bits) {
	double number;
	float narrow;
	uint32_t low = (uint32_t)bits;
	memcpy(&narrow, &low, sizeof narrow);
	memcpy(&number, &bits, sizeof number);
	if (field->kind == KIND_FLOAT) {
		char text[40];
		number = (double)narrow;
		for (int precision = 6; precision <= 9 && isfinite(number); precision++) {
			snprintf(text, sizeof text, "%.*g", precision, (double)narrow);
			number = strtod(text, NULL);
			if ((float)number == narrow)
				break;
		}
	}
	if (isnan(number))
		return json_string("NaN");
	if (isinf(number))
		return json_string(number > 0 ? "Infinity" : "-Infinity");
	return json_real(number);
}

static json_t *write_enum(const struct type_field *field, uint64_t value) {
	const struct type_enum *type = field->enumeration;
	if (type->is_null_value)
		return json_null();
	for (size_t i = 0; i < type->value_count; i++)
		if (type->values[i].number == (int32_t)value)
			return json_string(type->values[i].name);
	return json_integer((int32_t)value);
}

static json_t *write_base64(struct str bytes) {
	char *text = mem_alloc(base64_size(bytes.len) + 1);
	json_t *result = json_stringn_nocheck(text, base64_encode(text, bytes, BASE64_PADDED));
	free(text);
	return result;
}

static enum wire_type wire_type_of(enum type_kind kind) {
	switch (kind) {
	case KIND_DOUBLE:
	case KIND_FIXED64:
	case KIND_SFIXED64:
		return WIRE_64;
	case KIND_FLOAT:
	case KIND_FIXED32:
	case KIND_SFIXED32:
		return WIRE_32;
	case KIND_STRING:
	case KIND_BYTES:
	case KIND_MESSAGE:
		return WIRE_BYTES;
	case KIND_INT64:
	case KIND_UINT64:
	case KIND_INT32:
	case KIND_BOOL:
	case KIND_UINT32:
	case KIND_ENUM:
	case KIND_SINT32:
	case KIND_SINT64:
		return WIRE_VARINT;
	}
	return WIRE_VARINT;
}

/* Returns the value as JSON. A message is merged into before if that is not NULL. NULL: an error. */
static json_t *write_value(struct json_writer *writer, const struct type_message *owner, const struct type_field *field,
			   const struct wire_field *wire, json_t *before, unsigned depth) {
	if (++writer->values > JSON_VALUES_MAX) {
		error_set(writer->err, CODE_RESOURCE_EXHAUSTED,
			  "JSON: the message has more values than max-json-values, which is %d", JSON_VALUES_MAX);
		return NULL;
	}
	switch (field->kind) {
	case KIND_DOUBLE:
	case KIND_FLOAT:
		return write_real(field, wire->value);
	case KIND_BOOL:
		return json_boolean(wire->value != 0);
	case KIND_ENUM:
		return write_enum(field, wire->value);
	case KIND_BYTES:
		return write_base64(wire->bytes);
	case KIND_STRING: {
		json_t *text = json_stringn(wire->bytes.ptr, wire->bytes.len);
		return text ? text : fail(writer, owner, "a string is not UTF-8");
	}
	case KIND_MESSAGE:
		return write_message(writer, field->message, wire->bytes, before, depth + 1);
	case KIND_INT64:
	case KIND_UINT64:
	case KIND_INT32:
	case KIND_FIXED64:
	case KIND_FIXED32:
	case KIND_UINT32:
	case KIND_SFIXED32:
	case KIND_SFIXED64:
	case KIND_SINT32:
	case KIND_SINT64:
		return write_integer(field, wire->value);
	}
	return fail(writer, owner, "a field has a type that JSON cannot express");
}

static bool is_zero(const struct wire_field *wire) {
	return wire->type == WIRE_BYTES ? wire->bytes.len == 0 : wire->value == 0;
}

/* --- maps, lists, messages ---------------------------------------------------------------------------------------- */

/* The key of a map's entry as a string. */
static void write_key(const struct type_field *field, const struct wire_field *wire, struct buf *ret_text) {
	int over;
	if (field->kind == KIND_STRING) {
		over = buf_append(ret_text, wire->bytes);
	} else if (field->kind == KIND_BOOL) {
		over = buf_append(ret_text, wire->value ? STR("true") : STR("false"));
	} else {
		json_t *number = write_integer(field, wire->value);
		over = json_is_string(number)
			       ? buf_append(ret_text, str_from(json_string_value(number)))
			       : buf_printf(ret_text, "%" JSON_INTEGER_FORMAT, json_integer_value(number));
		json_decref(number);
	}
	ASSERT(over == 0);
}

static json_t *default_value(struct json_writer *writer, const struct type_message *owner,
			     const struct type_field *field, unsigned depth) {
	struct wire_field nothing = {.bytes = STR_INIT("")};
	return write_value(writer, owner, field, &nothing, NULL, depth);
}

static int write_entry(struct json_writer *writer, const struct type_message *entry, struct str bytes, json_t *map,
		       unsigned depth) {
	const struct type_field *key_field = type_field_by_number(entry, 1),
				*value_field = type_field_by_number(entry, 2);
	struct wire_field wire, key = {.bytes = STR_INIT("")};
	json_t *value = NULL;
	while (wire_take(&bytes, &wire)) {
		if (wire.number == 1 && wire.type == wire_type_of(key_field->kind))
			key = wire;
		if (wire.number != 2 || wire.type != wire_type_of(value_field->kind))
			continue;
		json_decref(value);
		value = write_value(writer, entry, value_field, &wire, NULL, depth);
		if (value == NULL)
			return -1;
	}
	if (value == NULL)
		value = default_value(writer, entry, value_field, depth);
	if (value == NULL || bytes.len > 0) {
		json_decref(value);
		if (bytes.len > 0)
			fail(writer, entry, "the message is malformed or cut short");
		return -1;
	}
	struct buf text = BUF_INIT(key.bytes.len + 32);
	write_key(key_field, &key, &text);
	int over = buf_append(&text, str_new("", 1));
	ASSERT(over == 0);
	bool failed = json_object_setn_new(map, buf_view(&text).ptr, buf_len(&text) - 1, value) < 0;
	buf_deinit(&text);
	if (failed)
		fail(writer, entry, "a key is not UTF-8");
	return failed ? -1 : 0;
}

static int write_packed(struct json_writer *writer, const struct type_message *type, const struct type_field *field,
			struct str bytes, json_t *list) {
	enum wire_type each = wire_type_of(field->kind);
	while (bytes.len > 0) {
		struct wire_field wire = {.type = each};
		size_t size = each == WIRE_64 ? 8 : 4;
		if (each == WIRE_VARINT) {
			if (!wire_take_varint(&bytes, &wire.value))
				break;
		} else if (bytes.len < size) {
			break;
		} else {
			for (size_t i = 0; i < size; i++)
				wire.value |= (uint64_t)(unsigned char)bytes.ptr[i] << (8 * i);
			bytes = str_from_offset(bytes, size);
		}
		json_t *value = write_value(writer, type, field, &wire, NULL, 0);
		if (value == NULL)
			return -1;
		json_array_append_new(list, value);
	}
	if (bytes.len > 0)
		fail(writer, type, "a packed field is malformed or cut short");
	return bytes.len > 0 ? -1 : 0;
}

static int write_repeated(struct json_writer *writer, const struct type_message *type, const struct type_field *field,
			  const struct wire_field *wire, json_t *object, unsigned depth) {
	bool is_map = field->message != NULL && field->message->is_map_entry;
	enum wire_type each = wire_type_of(field->kind);
	bool packed = wire->type == WIRE_BYTES && each != WIRE_BYTES;
	if (!packed && wire->type != each)
		return 0; /* an unknown field */
	json_t *list = json_object_get(object, field->json_name);
	if (list == NULL) {
		list = is_map ? json_object() : json_array();
		json_object_set_new_nocheck(object, field->json_name, list);
	}
	if (is_map)
		return write_entry(writer, field->message, wire->bytes, list, depth + 1);
	if (packed)
		return write_packed(writer, type, field, wire->bytes, list);
	json_t *value = write_value(writer, type, field, wire, NULL, depth);
	return value ? json_array_append_new(list, value) : -1;
}

static void drop_others_of_oneof(const struct type_message *type, const struct type_field *field, json_t *object) {
	for (size_t i = 0; i < type->field_count && field->oneof >= 0; i++)
		if (&type->fields[i] != field && type->fields[i].oneof == field->oneof)
			json_object_del(object, type->fields[i].json_name);
}

static int write_field(struct json_writer *writer, const struct type_message *type, const struct wire_field *wire,
		       json_t *object, unsigned depth) {
	const struct type_field *field = type_field_by_number(type, wire->number);
	if (field == NULL)
		return 0;
	if (field->repeated)
		return write_repeated(writer, type, field, wire, object, depth);
	if (wire->type != wire_type_of(field->kind))
		return 0;
	drop_others_of_oneof(type, field, object);
	if (field->implicit && is_zero(wire)) {
		json_object_del(object, field->json_name);
		return 0;
	}
	json_t *before = json_object_get(object, field->json_name);
	bool merges = field->kind == KIND_MESSAGE && field->message->special == SPECIAL_NONE && json_is_object(before);
	json_t *value = write_value(writer, type, field, wire, merges ? before : NULL, depth);
	if (value == NULL)
		return -1;
	return merges ? 0 : json_object_set_new_nocheck(object, field->json_name, value);
}

/* --- messages with a form of their own ---------------------------------------------------------------------------- */

static json_t *write_time(struct json_writer *writer, const struct type_message *type, struct str bytes) {
	struct json_time time = {0};
	struct wire_field wire;
	while (wire_take(&bytes, &wire)) {
		if (wire.number == 1 && wire.type == WIRE_VARINT)
			time.seconds = (int64_t)wire.value;
		else if (wire.number == 2 && wire.type == WIRE_VARINT)
			time.nanos = (int32_t)wire.value;
	}
	char text[JSON_TIME_MAX];
	bool fits = type->special == SPECIAL_DURATION ? json_duration_format(text, time)
						      : json_timestamp_format(text, time);
	return fits ? json_string(text) : fail(writer, type, "the time is out of range");
}

static json_t *write_field_mask(struct json_writer *writer, const struct type_message *type, struct str bytes) {
	struct buf text = BUF_INIT(bytes.len + 1);
	struct wire_field wire;
	int over = 0;
	while (wire_take(&bytes, &wire)) {
		if (wire.number != 1 || wire.type != WIRE_BYTES)
			continue;
		if (buf_len(&text) > 0)
			over |= buf_append(&text, STR(","));
		for (size_t i = 0; i < wire.bytes.len; i++) {
			char c = wire.bytes.ptr[i];
			if (c == '_' && i + 1 < wire.bytes.len) {
				c = wire.bytes.ptr[++i];
				c = c >= 'a' && c <= 'z' ? (char)(c & ~0x20) : c;
			}
			over |= buf_append(&text, str_new(&c, 1));
		}
	}
	json_t *result = over ? NULL : json_stringn(buf_view(&text).ptr, buf_len(&text));
	buf_deinit(&text);
	return result ? result : fail(writer, type, "a path is not UTF-8");
}

/* Value and the wrappers: the only field that is set, without its name. */
static json_t *write_single(struct json_writer *writer, const struct type_message *type, struct str bytes,
			    unsigned depth) {
	struct wire_field wire;
	json_t *result = NULL;
	while (wire_take(&bytes, &wire)) {
		const struct type_field *field = type_field_by_number(type, wire.number);
		if (field == NULL || wire.type != wire_type_of(field->kind))
			continue;
		json_decref(result);
		result = write_value(writer, type, field, &wire, NULL, depth);
		if (result == NULL)
			return NULL;
	}
	if (result != NULL)
		return result;
	return type->special == SPECIAL_VALUE ? json_null()
					      : default_value(writer, type, type_field_by_number(type, 1), depth);
}

/* Struct and ListValue: their one field, without its name. */
static json_t *write_inner(struct json_writer *writer, const struct type_message *type, struct str bytes,
			   unsigned depth) {
	const struct type_field *field = type_field_by_number(type, 1);
	json_t *object = json_object(), *inner = NULL;
	struct wire_field wire;
	bool failed = false;
	while (!failed && wire_take(&bytes, &wire))
		failed = wire.number == 1 && write_repeated(writer, type, field, &wire, object, depth) < 0;
	if (!failed) {
		inner = json_incref(json_object_get(object, field->json_name));
		if (inner == NULL)
			inner = type->special == SPECIAL_STRUCT ? json_object() : json_array();
	}
	json_decref(object);
	return inner;
}

static json_t *write_any(struct json_writer *writer, const struct type_message *type, struct str bytes,
			 unsigned depth) {
	struct wire_field wire;
	struct str url = {0}, content = STR("");
	while (wire_take(&bytes, &wire)) {
		if (wire.number == 1 && wire.type == WIRE_BYTES)
			url = wire.bytes;
		else if (wire.number == 2 && wire.type == WIRE_BYTES)
			content = wire.bytes;
	}
	json_t *object = json_object();
	if (url.len == 0)
		return object;
	const struct type_message *inner = types_message(writer->types, wire_type_name(url));
	json_t *text = json_stringn(url.ptr, url.len);
	if (inner == NULL || text == NULL) {
		json_decref(object);
		json_decref(text);
		return fail(writer, type, "the Any holds a message of a type that is not known here");
	}
	json_object_set_new_nocheck(object, "@type", text);
	json_t *value =
		write_message(writer, inner, content, inner->special == SPECIAL_NONE ? object : NULL, depth + 1);
	if (value == NULL) {
		json_decref(object);
		return NULL;
	}
	if (inner->special != SPECIAL_NONE)
		json_object_set_new_nocheck(object, "value", value);
	return object;
}

/* into: NULL, or the object to add to, which is returned and stays its owner's. */
static json_t *write_message(struct json_writer *writer, const struct type_message *type, struct str bytes,
			     json_t *into, unsigned depth) {
	if (depth > JSON_DEPTH_MAX)
		return fail(writer, type, "messages are nested too deep");
	switch (type->special) {
	case SPECIAL_NONE:
		break;
	case SPECIAL_ANY:
		return write_any(writer, type, bytes, depth);
	case SPECIAL_TIMESTAMP:
	case SPECIAL_DURATION:
		return write_time(writer, type, bytes);
	case SPECIAL_FIELD_MASK:
		return write_field_mask(writer, type, bytes);
	case SPECIAL_VALUE:
	case SPECIAL_WRAPPER:
		return write_single(writer, type, bytes, depth);
	case SPECIAL_STRUCT:
	case SPECIAL_LIST_VALUE:
		return write_inner(writer, type, bytes, depth);
	}
	json_t *object = into ? into : json_object();
	struct wire_field wire;
	bool failed = false;
	while (!failed && wire_take(&bytes, &wire))
		failed = write_field(writer, type, &wire, object, depth) < 0;
	if (!failed && bytes.len > 0)
		failed = fail(writer, type, "the message is malformed or cut short") == NULL;
	if (failed && into == NULL)
		json_decref(object);
	return failed ? NULL : object;
}

/* --- printing ----------------------------------------------------------------------------------------------------- */

static int print(const json_t *value, struct buf *out);

static int add_piece(const char *bytes, size_t len, void *out) {
	return buf_append(out, str_new(bytes, len));
}

static int print_object(const json_t *object, struct buf *out) {
	const char *key;
	json_t *value;
	const char *before = "{";
	json_object_foreach((json_t *)object, key, value) {
		json_t *name = json_string_nocheck(key);
		int over = buf_append(out, str_from(before)) ||
			   json_dump_callback(name, add_piece, out, JSON_ENCODE_ANY) || buf_append(out, STR(":")) ||
			   print(value, out);
		json_decref(name);
		if (over)
			return -1;
		before = ",";
	}
	return json_object_size(object) == 0 ? buf_append(out, STR("{}")) : buf_append(out, STR("}"));
}

static int print_array(const json_t *array, struct buf *out) {
	size_t index;
	json_t *value;
	if (buf_append(out, STR("[")) < 0)
		return -1;
	json_array_foreach(array, index,
			   value) if ((index > 0 && buf_append(out, STR(",")) < 0) || print(value, out) < 0) return -1;
	return buf_append(out, STR("]"));
}

/* jansson prints all reals with one precision. */
static int print_real(double number, struct buf *out) {
	char text[40];
	for (int precision = 6; precision <= 17; precision++) {
		snprintf(text, sizeof text, "%.*g", precision, number);
		if (strtod(text, NULL) == number)
			break;
	}
	return buf_append(out, str_from(text));
}

static int print(const json_t *value, struct buf *out) {
	if (json_is_object(value))
		return print_object(value, out);
	if (json_is_array(value))
		return print_array(value, out);
	if (json_is_real(value))
		return print_real(json_real_value(value), out);
	return json_dump_callback(value, add_piece, out, JSON_ENCODE_ANY);
}

int json_from_pb(const struct types *types, const struct type_message *type, struct str bytes, struct buf *out,
		 struct error *err) {
	struct json_writer writer = {.types = types, .err = err};
	json_t *tree = write_message(&writer, type, bytes, NULL, 1);
	if (tree == NULL)
		return -1;
	int over = print(tree, out);
	json_decref(tree);
	return over == 0
		       ? 0
		       : error_set(err, CODE_RESOURCE_EXHAUSTED, "JSON: the message has more than %zu bytes", out->max);
}
