/* SPDX-License-Identifier: Apache-2.0 */
#include "router/verb_peek.h"

enum {
	CALL_VERB = 2, /* CallRequest.verb */
	REF_NAME = 2, /* VerbRef.name */
	REF_MODULE = 3, /* VerbRef.module */
	WIRE_VARINT = 0,
	WIRE_64 = 1,
	WIRE_BYTES = 2,
	WIRE_32 = 5,
	VERB_REF_MAX = 4096, /* a position and two names */
};

enum take { TAKEN, CUT, MALFORMED };

static enum take take_varint(struct str *bytes, uint64_t *ret_value) {
	uint64_t value = 0;
	for (size_t i = 0; i < 10; i++) {
		if (i == bytes->len)
			return CUT;
		unsigned char byte = (unsigned char)bytes->ptr[i];
		value |= (uint64_t)(byte & 0x7F) << (7 * i);
		if ((byte & 0x80) == 0) {
			*bytes = str_from_offset(*bytes, i + 1);
			*ret_value = value;
			return TAKEN;
		}
	}
	return MALFORMED;
}

struct field {
	uint64_t number;
	unsigned wire;
	uint64_t len; /* of the value, which follows; it may reach past the bytes at hand */
};

/* Takes a field's tag and, for bytes, its length. */
static enum take take_field(struct str *bytes, struct field *ret_field) {
	uint64_t tag;
	enum take took = take_varint(bytes, &tag);
	if (took != TAKEN)
		return took;
	*ret_field = (struct field){.number = tag >> 3, .wire = tag & 7};
	struct str rest = *bytes;
	uint64_t ignored;
	switch (ret_field->wire) {
	case WIRE_VARINT:
		took = take_varint(&rest, &ignored);
		ret_field->len = bytes->len - rest.len;
		return took;
	case WIRE_64:
		ret_field->len = 8;
		return TAKEN;
	case WIRE_32:
		ret_field->len = 4;
		return TAKEN;
	case WIRE_BYTES:
		return take_varint(bytes, &ret_field->len);
	default:
		return MALFORMED;
	}
}

static enum verb_peek_result bad(struct error *err, const char *what) {
	error_set(err, CODE_INVALID_ARGUMENT, "%s", what);
	return VERB_PEEK_BAD;
}

static enum verb_peek_result read_ref(struct str bytes, struct verb_name *ret_verb, struct error *err) {
	struct verb_name verb = {0};
	while (bytes.len > 0) {
		struct field field;
		if (take_field(&bytes, &field) != TAKEN || field.len > bytes.len)
			return bad(err, "verb is malformed: it is not a VerbRef");
		struct str value = str_new(bytes.ptr, (size_t)field.len);
		bytes = str_from_offset(bytes, value.len);
		if (field.wire == WIRE_BYTES && field.number == REF_NAME)
			verb.name = value;
		else if (field.wire == WIRE_BYTES && field.number == REF_MODULE)
			verb.module = value;
	}
	if (verb.module.len == 0)
		return bad(err, "verb.module is missing: name the module whose verb is called");
	if (verb.name.len == 0)
		return bad(err, "verb.name is missing: name the verb that is called");
	if (verb.module.len > VERB_NAME_MAX || verb.name.len > VERB_NAME_MAX || !str_is_text(verb.module) ||
	    !str_is_text(verb.name))
		return bad(err, "verb.module and verb.name must be UTF-8 text of at most 255 bytes");
	*ret_verb = verb;
	return VERB_PEEK_FOUND;
}

enum verb_peek_result verb_peek(struct str bytes, size_t size, struct verb_name *ret_verb, size_t *ret_need,
				struct error *err) {
	struct str rest = bytes;
	while (rest.len > 0 || bytes.len == size) {
		if (rest.len == 0)
			return bad(err, "verb is missing: name the module and the verb that is called");
		struct field field;
		enum take took = take_field(&rest, &field);
		size_t at = bytes.len - rest.len;
		if (took == MALFORMED || (took == CUT && bytes.len == size))
			return bad(err, "the message is malformed: it is not a CallRequest");
		if (took == CUT) {
			*ret_need = bytes.len + 1;
			return VERB_PEEK_MORE;
		}
		if (field.len > size - at)
			return bad(err, "the message is malformed: a field is longer than the message");
		bool is_verb = field.wire == WIRE_BYTES && field.number == CALL_VERB;
		if (is_verb && field.len > VERB_REF_MAX)
			return bad(err, "verb has more than 4096 bytes");
		if (field.len > rest.len) {
			/* Past the field, one byte at least of the next is needed. */
			*ret_need = MIN(at + (size_t)field.len + (is_verb ? 0 : 1), size);
			return VERB_PEEK_MORE;
		}
		if (is_verb)
			return read_ref(str_new(rest.ptr, (size_t)field.len), ret_verb, err);
		rest = str_from_offset(rest, (size_t)field.len);
	}
	*ret_need = bytes.len + 1;
	return VERB_PEEK_MORE;
}
