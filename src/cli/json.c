/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/json.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"

/* Length of the prefix, up to and with an underscore, that the names of all values share. */
static size_t common_prefix(const ProtobufCEnumDescriptor *descriptor) {
	const char *first = descriptor->values[0].name;
	size_t len = strlen(first);
	for (unsigned i = 1; i < descriptor->n_values; i++) {
		size_t same = 0;
		while (same < len && first[same] == descriptor->values[i].name[same])
			same++;
		len = same;
	}
	while (len > 0 && first[len - 1] != '_')
		len--;
	return len;
}

const char *enum_word(const ProtobufCEnumDescriptor *descriptor, int value, char ret_word[ENUM_WORD_MAX]) {
	const ProtobufCEnumValue *known = protobuf_c_enum_descriptor_get_value(descriptor, value);
	if (known == NULL) {
		snprintf(ret_word, ENUM_WORD_MAX, "%d", value);
		return ret_word;
	}
	snprintf(ret_word, ENUM_WORD_MAX, "%s", known->name + common_prefix(descriptor));
	for (char *at = ret_word; *at != '\0'; at++)
		*at = (char)tolower((unsigned char)*at);
	return ret_word;
}

static json_t *from_unsigned(uint64_t number) {
	return json_integer((json_int_t)MIN(number, (uint64_t)INT64_MAX));
}

static json_t *from_value(const ProtobufCFieldDescriptor *field, const void *value) {
	char word[ENUM_WORD_MAX];
	switch (field->type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
		return json_integer(*(const int32_t *)value);
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
		return json_integer(*(const int64_t *)value);
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		return from_unsigned(*(const uint32_t *)value);
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		return from_unsigned(*(const uint64_t *)value);
	case PROTOBUF_C_TYPE_FLOAT:
		return json_real(*(const float *)value);
	case PROTOBUF_C_TYPE_DOUBLE:
		return json_real(*(const double *)value);
	case PROTOBUF_C_TYPE_BOOL:
		return json_boolean(*(const protobuf_c_boolean *)value);
	case PROTOBUF_C_TYPE_ENUM:
		return json_string(enum_word(field->descriptor, *(const int *)value, word));
	case PROTOBUF_C_TYPE_STRING:
		return json_string(*(char *const *)value);
	case PROTOBUF_C_TYPE_MESSAGE:
		return json_from_message(*(const ProtobufCMessage *const *)value);
	case PROTOBUF_C_TYPE_BYTES:
		/* No message that is shown as JSON has a bytes field. */
		return json_null();
	}
	return json_null();
}

static size_t value_size(ProtobufCType type) {
	switch (type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
	case PROTOBUF_C_TYPE_FLOAT:
	case PROTOBUF_C_TYPE_ENUM:
		return 4;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_DOUBLE:
		return 8;
	case PROTOBUF_C_TYPE_BOOL:
		return sizeof(protobuf_c_boolean);
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE:
		return sizeof(void *);
	case PROTOBUF_C_TYPE_BYTES:
		return sizeof(ProtobufCBinaryData);
	}
	return 0;
}

static json_t *from_repeated(const ProtobufCFieldDescriptor *field, const char *items, size_t count) {
	json_t *array = json_array();
	for (size_t i = 0; i < count; i++)
		json_array_append_new(array, from_value(field, items + i * value_size(field->type)));
	return array;
}

static void add_field(json_t *object, const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field) {
	const char *base = (const char *)message;
	const void *value = base + field->offset;
	if (field->label == PROTOBUF_C_LABEL_REPEATED) {
		size_t count = *(const size_t *)(base + field->quantifier_offset);
		json_object_set_new(object, field->name, from_repeated(field, *(const char *const *)value, count));
		return;
	}
	if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0 &&
	    *(const uint32_t *)(base + field->quantifier_offset) != field->id)
		return;
	if (field->type == PROTOBUF_C_TYPE_MESSAGE && *(const void *const *)value == NULL)
		return;
	json_object_set_new(object, field->name, from_value(field, value));
}

json_t *json_from_message(const ProtobufCMessage *message) {
	json_t *object = json_object();
	for (unsigned i = 0; i < message->descriptor->n_fields; i++)
		add_field(object, message, &message->descriptor->fields[i]);
	return object;
}
