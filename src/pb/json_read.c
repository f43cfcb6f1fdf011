/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON to wire format. jansson parses the text into a tree, which is written field by field; a nested message is
 * written first, then its length is inserted before it.
 */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/memory.h"
#include "pb/json.h"
#include "pb/json_time.h"
#include "pb/wire.h"

struct json_reader {
	const struct types *types;
	struct buf *out;
	struct error *err;
	bool has_big; /* quote_big has quoted numbers */
};

static int read_message(struct json_reader *reader, const struct type_message *type, const json_t *value,
			unsigned depth);

static int refuse(struct json_reader *reader, const struct type_field *field, const char *expected) {
	return error_set(reader->err, CODE_INVALID_ARGUMENT, "JSON: the field %s must be %s", field->json_name,
			 expected);
}

static int check(struct json_reader *reader, int over) {
	return over == 0 ? 0
			 : error_set(reader->err, CODE_RESOURCE_EXHAUSTED, "JSON: the message has more than %zu bytes",
				     reader->out->max);
}

static struct str text_of(const json_t *value) {
	return str_new(json_string_value(value), json_string_length(value));
}

/* --- numbers ------------------------------------------------------------------------------------------------------ */

/* jansson's integers end at INT64_MAX, below that of uint64. quote_big gives it larger ones as strings that begin with
 * NUL. */
static bool is_big(const struct json_reader *reader, const json_t *value) {
	return reader->has_big && json_is_string(value) && json_string_length(value) > 1 &&
	       json_string_value(value)[0] == '\0';
}

static bool is_text(const struct json_reader *reader, const json_t *value) {
	return json_is_string(value) && !is_big(reader, value);
}

/* The digits of a string that stands for a number. */
static struct str digits_of(const struct json_reader *reader, const json_t *value) {
	return str_from_offset(text_of(value), is_big(reader, value) ? 1 : 0);
}

/* The length of a string, a number or any other character. */
static size_t token_len(struct str json) {
	size_t len = 1;
	if (json.ptr[0] == '"') {
		for (; len < json.len && json.ptr[len] != '"'; len++)
			len += json.ptr[len] == '\\';
		return MIN(len + 1, json.len);
	}
	if (json.ptr[0] != '-' && (json.ptr[0] < '0' || json.ptr[0] > '9'))
		return 1;
	while (len < json.len && strchr("0123456789.eE+-", json.ptr[len]) != NULL && json.ptr[len] != '\0')
		len++;
	return len;
}

static bool is_long_integer(struct str token) {
	size_t digits = 0, sign = token.ptr[0] == '-';
	while (sign + digits < token.len && token.ptr[sign + digits] >= '0' && token.ptr[sign + digits] <= '9')
		digits++;
	/* A leading zero is an error, which jansson reports. */
	return digits >= 19 && sign + digits == token.len && token.ptr[sign] != '0';
}

static void quote_big(struct str json, struct buf *quoted) {
	size_t kept = 0, at = 0;
	int over = 0;
	while (at < json.len) {
		struct str token = str_from_offset(json, at);
		token.len = token_len(token);
		at += token.len;
		if (!is_long_integer(token))
			continue;
		over |= buf_append(quoted, str_new(json.ptr + kept, (size_t)(token.ptr - json.ptr) - kept)) |
			buf_append(quoted, STR("\"\\u0000")) | buf_append(quoted, token) |
			buf_append(quoted, STR("\""));
		kept = at;
	}
	over |= buf_append(quoted, str_from_offset(json, kept));
	ASSERT(over == 0);
}

static bool is_blank_free(struct str text) {
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.ptr[i] <= ' ')
			return false;
	return text.len > 0;
}

/* Reads a number, or a string that is one. */
static bool to_double(const struct json_reader *reader, const json_t *value, double *ret_number) {
	if (json_is_number(value)) {
		*ret_number = json_number_value(value);
		return true;
	}
	if (!json_is_string(value) || !is_blank_free(digits_of(reader, value)))
		return false;
	const char *text = digits_of(reader, value).ptr;
	if (strcmp(text, "NaN") == 0 || strcmp(text, "Infinity") == 0 || strcmp(text, "-Infinity") == 0) {
		*ret_number = text[0] == 'N' ? (double)NAN : text[0] == '-' ? -(double)INFINITY : (double)INFINITY;
		return true;
	}
	char *end;
	*ret_number = strtod(text, &end);
	bool decimal = strspn(text, "0123456789+-.eE") == strlen(text);
	return decimal && *end == '\0' && isfinite(*ret_number);
}

static bool to_whole(double number, double low, double high, bool *ret_negative, uint64_t *ret_number) {
	if (!(number >= low && number < high) || number != floor(number))
		return false;
	*ret_negative = number < 0;
	*ret_number = number < 0 ? (uint64_t)(int64_t)number : (uint64_t)number;
	return true;
}

/* Reads an integer as two's complement, with its sign. 1, "1", 1.0 and 1e0 are the same. */
static bool to_integer(const struct json_reader *reader, const json_t *value, bool *ret_negative,
		       uint64_t *ret_number) {
	if (json_is_integer(value)) {
		*ret_negative = json_integer_value(value) < 0;
		*ret_number = (uint64_t)json_integer_value(value);
		return true;
	}
	if (json_is_string(value) && is_blank_free(digits_of(reader, value))) {
		const char *text = digits_of(reader, value).ptr;
		bool negative = text[0] == '-';
		size_t digits = strspn(text + negative, "0123456789");
		if (digits == 0)
			return false;
		if (text[negative + digits] == '\0') {
			char *end;
			errno = 0;
			*ret_negative = negative;
			*ret_number = negative ? (uint64_t)strtoll(text, &end, 10) : strtoull(text, &end, 10);
			return errno == 0;
		}
	}
	double number;
	return to_double(reader, value, &number) &&
	       to_whole(number, -9223372036854775808.0, 18446744073709551616.0, ret_negative, ret_number);
}

static bool fits(enum type_kind kind, bool negative, uint64_t number) {
	bool is_unsigned = kind == KIND_UINT32 || kind == KIND_FIXED32 || kind == KIND_UINT64 || kind == KIND_FIXED64;
	bool is_32 = kind == KIND_INT32 || kind == KIND_SINT32 || kind == KIND_SFIXED32 || kind == KIND_ENUM;
	if (is_unsigned)
		return !negative && ((kind != KIND_UINT32 && kind != KIND_FIXED32) || number <= UINT32_MAX);
	if (negative)
		return !is_32 || (int64_t)number >= INT32_MIN;
	return number <= (is_32 ? (uint64_t)INT32_MAX : (uint64_t)INT64_MAX);
}

static int put_integer(struct buf *out, enum type_kind kind, uint64_t number) {
	int64_t with_sign = (int64_t)number;
	if (kind == KIND_FIXED32 || kind == KIND_SFIXED32)
		return wire_put_fixed(out, number & UINT32_MAX, 4);
	if (kind == KIND_FIXED64 || kind == KIND_SFIXED64)
		return wire_put_fixed(out, number, 8);
	if (kind == KIND_SINT32 || kind == KIND_SINT64)
		return wire_put_varint(out, (uint64_t)with_sign << 1 ^ (uint64_t)(with_sign >> 63));
	return wire_put_varint(out, number);
}

static int read_integer(struct json_reader *reader, const struct type_field *field, const json_t *value,
			bool keep_zero) {
	bool negative, is_32 = field->kind == KIND_SFIXED32 || field->kind == KIND_FIXED32;
	uint64_t number;
	if (!to_integer(reader, value, &negative, &number) || !fits(field->kind, negative, number))
		return refuse(reader, field, "an integer within the range of its type");
	if (number == 0 && !keep_zero)
		return 0;
	enum wire_type type = is_32                                                         ? WIRE_32
			      : field->kind == KIND_SFIXED64 || field->kind == KIND_FIXED64 ? WIRE_64
											    : WIRE_VARINT;
	return check(reader,
		     wire_put_tag(reader->out, field->number, type) | put_integer(reader->out, field->kind, number));
}

static int read_real(struct json_reader *reader, const struct type_field *field, const json_t *value, bool keep_zero) {
	double number;
	if (!to_double(reader, value, &number))
		return refuse(reader, field, "a number, or \"NaN\", \"Infinity\" or \"-Infinity\"");
	uint64_t bits = 0;
	bool is_float = field->kind == KIND_FLOAT;
	float narrow = (float)number;
	if (is_float && isinf(narrow) && !isinf(number))
		return refuse(reader, field, "within the range of a float");
	memcpy(&bits, is_float ? (void *)&narrow : (void *)&number, is_float ? 4 : 8);
	if (bits == 0 && !keep_zero)
		return 0;
	return check(reader, wire_put_tag(reader->out, field->number, is_float ? WIRE_32 : WIRE_64) |
				     wire_put_fixed(reader->out, bits, is_float ? 4 : 8));
}

static int read_enum(struct json_reader *reader, const struct type_field *field, const json_t *value, bool keep_zero) {
	const struct type_enum *type = field->enumeration;
	if (!json_is_string(value) && !json_is_null(value))
		return read_integer(reader, field, value, keep_zero);
	for (size_t i = 0; i < type->value_count; i++) {
		if (json_is_string(value) && !str_eq_c(text_of(value), type->values[i].name))
			continue;
		if (type->values[i].number == 0 && !keep_zero)
			return 0;
		return check(reader, wire_put_tag(reader->out, field->number, WIRE_VARINT) |
					     wire_put_varint(reader->out, (uint64_t)(int64_t)type->values[i].number));
	}
	return refuse(reader, field, "one of the names of its enum");
}

/* --- the other scalars -------------------------------------------------------------------------------------------- */

static int read_bool(struct json_reader *reader, const struct type_field *field, const json_t *value, bool keep_zero) {
	bool as_text =
		json_is_string(value) && (str_eq(text_of(value), STR("true")) || str_eq(text_of(value), STR("false")));
	bool is_key = as_text && keep_zero && field->number == 1; /* the key of a map is a string */
	if (!json_is_boolean(value) && !is_key)
		return refuse(reader, field, "true or false");
	bool truth = json_is_true(value) || (is_key && str_eq(text_of(value), STR("true")));
	if (!truth && !keep_zero)
		return 0;
	return check(reader,
		     wire_put_tag(reader->out, field->number, WIRE_VARINT) | wire_put_varint(reader->out, truth));
}

static int read_text(struct json_reader *reader, const struct type_field *field, const json_t *value, bool keep_zero) {
	if (!is_text(reader, value))
		return refuse(reader, field, "a string");
	if (json_string_length(value) == 0 && !keep_zero)
		return 0;
	return check(reader, wire_put_bytes(reader->out, field->number, text_of(value)));
}

static int read_bytes(struct json_reader *reader, const struct type_field *field, const json_t *value, bool keep_zero) {
	if (!is_text(reader, value))
		return refuse(reader, field, "a base64 string");
	struct str text = text_of(value);
	if (text.len == 0 && !keep_zero)
		return 0;
	char *bytes = mem_alloc(text.len / 4 * 3 + 3);
	size_t len;
	int result = base64_decode(bytes, &len, text)
			     ? check(reader, wire_put_bytes(reader->out, field->number, str_new(bytes, len)))
			     : refuse(reader, field, "a base64 string");
	free(bytes);
	return result;
}

static int read_submessage(struct json_reader *reader, const struct type_field *field, const json_t *value,
			   unsigned depth) {
	size_t offset = buf_len(reader->out);
	if (read_message(reader, field->message, value, depth + 1) < 0)
		return -1;
	return check(reader, wire_wrap(reader->out, offset, field->number));
}

static int read_value(struct json_reader *reader, const struct type_field *field, const json_t *value, bool keep_zero,
		      unsigned depth) {
	switch (field->kind) {
	case KIND_DOUBLE:
	case KIND_FLOAT:
		return read_real(reader, field, value, keep_zero);
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
		return read_integer(reader, field, value, keep_zero);
	case KIND_BOOL:
		return read_bool(reader, field, value, keep_zero);
	case KIND_STRING:
		return read_text(reader, field, value, keep_zero);
	case KIND_BYTES:
		return read_bytes(reader, field, value, keep_zero);
	case KIND_ENUM:
		return read_enum(reader, field, value, keep_zero);
	case KIND_MESSAGE:
		return read_submessage(reader, field, value, depth);
	}
	return refuse(reader, field, "of a type that JSON can express");
}

/* --- maps, lists, messages ---------------------------------------------------------------------------------------- */

static int read_map(struct json_reader *reader, const struct type_field *field, const json_t *value, unsigned depth) {
	if (!json_is_object(value))
		return refuse(reader, field, "an object");
	const struct type_field *key_field = type_field_by_number(field->message, 1);
	const struct type_field *value_field = type_field_by_number(field->message, 2);
	const char *key;
	json_t *item;
	json_object_foreach((json_t *)value, key, item) {
		size_t offset = buf_len(reader->out);
		json_t *key_text = json_string_nocheck(key);
		bool failed = read_value(reader, key_field, key_text, true, depth) < 0;
		json_decref(key_text);
		if (failed || read_value(reader, value_field, item, true, depth + 1) < 0 ||
		    check(reader, wire_wrap(reader->out, offset, field->number)) < 0)
			return -1;
	}
	return 0;
}

static bool takes_null(const struct type_field *field) {
	return (field->kind == KIND_MESSAGE && field->message->special == SPECIAL_VALUE) ||
	       (field->kind == KIND_ENUM && field->enumeration->is_null_value);
}

static int read_field(struct json_reader *reader, const struct type_field *field, const json_t *value, unsigned depth) {
	if (json_is_null(value) && (field->repeated || !takes_null(field)))
		return 0;
	if (!field->repeated)
		return read_value(reader, field, value, !field->implicit, depth);
	if (field->message != NULL && field->message->is_map_entry)
		return read_map(reader, field, value, depth);
	if (!json_is_array(value))
		return refuse(reader, field, "an array");
	size_t index;
	json_t *item;
	json_array_foreach(value, index, item) {
		if (json_is_null(item) && !takes_null(field))
			return refuse(reader, field, "an array without null");
		if (read_value(reader, field, item, true, depth) < 0)
			return -1;
	}
	return 0;
}

static int read_fields(struct json_reader *reader, const struct type_message *type, const json_t *value,
		       unsigned depth) {
	const char *key;
	json_t *item;
	/* The oneofs that have a field set, as bits; only those with an index below 64 are checked. */
	uint64_t chosen = 0;
	json_object_foreach((json_t *)value, key, item) {
		const struct type_field *field = type_field_by_json_name(type, str_from(key));
		if (field == NULL)
			continue;
		bool counts = field->oneof >= 0 && field->oneof < 64 && !(json_is_null(item) && !takes_null(field));
		if (counts && (chosen >> field->oneof & 1))
			return error_set(reader->err, CODE_INVALID_ARGUMENT,
					 "JSON: %s is set beside another of its oneof", field->json_name);
		if (counts)
			chosen |= (uint64_t)1 << field->oneof;
		if (read_field(reader, field, item, depth) < 0)
			return -1;
	}
	return 0;
}

/* --- messages with a form of their own ---------------------------------------------------------------------------- */

static int refuse_special(struct json_reader *reader, const struct type_message *type, const char *expected) {
	return error_set(reader->err, CODE_INVALID_ARGUMENT, "JSON: a %s must be %s", type->name, expected);
}

static int put_time(struct json_reader *reader, struct json_time time) {
	int over = 0;
	if (time.seconds != 0)
		over |= wire_put_tag(reader->out, 1, WIRE_VARINT) |
			wire_put_varint(reader->out, (uint64_t)time.seconds);
	if (time.nanos != 0)
		over |= wire_put_tag(reader->out, 2, WIRE_VARINT) |
			wire_put_varint(reader->out, (uint64_t)(int64_t)time.nanos);
	return check(reader, over);
}

static int read_time(struct json_reader *reader, const struct type_message *type, const json_t *value) {
	bool is_duration = type->special == SPECIAL_DURATION;
	struct json_time time;
	if (!json_is_string(value) ||
	    !(is_duration ? json_duration_parse : json_timestamp_parse)(text_of(value), &time))
		return refuse_special(reader, type,
				      is_duration ? "a duration like \"1.5s\""
						  : "a time like \"2026-01-02T03:04:05Z\"");
	return put_time(reader, time);
}

/* "fooBar,baz" is foo_bar and baz. */
static int read_field_mask(struct json_reader *reader, const struct type_message *type, const json_t *value) {
	if (!is_text(reader, value))
		return refuse_special(reader, type, "a string");
	struct str rest = text_of(value);
	while (rest.len > 0) {
		struct str path = str_cut(rest, ',', &rest);
		struct buf snake = BUF_INIT(path.len * 2);
		int over = 0;
		for (size_t i = 0; i < path.len; i++) {
			bool upper = path.ptr[i] >= 'A' && path.ptr[i] <= 'Z';
			char lower = (char)(path.ptr[i] | (upper ? 0x20 : 0));
			over |= (upper ? buf_append(&snake, STR("_")) : 0) | buf_append(&snake, str_new(&lower, 1));
		}
		over |= wire_put_bytes(reader->out, 1, buf_view(&snake));
		buf_deinit(&snake);
		if (check(reader, over) < 0)
			return -1;
	}
	return 0;
}

/* Value is a oneof of null, number, string, bool, struct and list, numbered 1 to 6. */
static int read_any_json(struct json_reader *reader, const struct type_message *type, const json_t *value,
			 unsigned depth) {
	unsigned number = json_is_null(value)                              ? 1
			  : json_is_number(value) || is_big(reader, value) ? 2
			  : json_is_string(value)                          ? 3
			  : json_is_boolean(value)                         ? 4
			  : json_is_object(value)                          ? 5
									   : 6;
	const struct type_field *field = type_field_by_number(type, number);
	return field ? read_value(reader, field, value, true, depth)
		     : refuse_special(reader, type, "of google/protobuf/struct.proto");
}

static int read_any(struct json_reader *reader, const struct type_message *type, const json_t *value, unsigned depth) {
	if (!json_is_object(value))
		return refuse_special(reader, type, "an object with \"@type\"");
	const json_t *url = json_object_get(value, "@type");
	if (url == NULL)
		return json_object_size(value) == 0 ? 0 : refuse_special(reader, type, "an object with \"@type\"");
	if (!json_is_string(url))
		return refuse_special(reader, type, "an object with \"@type\"");
	struct str text = text_of(url);
	struct str name = wire_type_name(text);
	const struct type_message *inner = types_message(reader->types, name);
	if (inner == NULL)
		return error_set(reader->err, CODE_INVALID_ARGUMENT,
				 "JSON: \"@type\" names %.*s, which is not known here",
				 STR_ARG(str_new(name.ptr, MIN(name.len, (size_t)200))));
	if (check(reader, wire_put_bytes(reader->out, 1, text)) < 0)
		return -1;
	size_t offset = buf_len(reader->out);
	const json_t *content = inner->special == SPECIAL_NONE ? value : json_object_get(value, "value");
	if (content == NULL)
		return refuse_special(reader, inner, "in \"value\" beside \"@type\"");
	if (read_message(reader, inner, content, depth + 1) < 0)
		return -1;
	return check(reader, wire_wrap(reader->out, offset, 2));
}

static int read_message(struct json_reader *reader, const struct type_message *type, const json_t *value,
			unsigned depth) {
	if (depth > JSON_DEPTH_MAX)
		return error_set(reader->err, CODE_INVALID_ARGUMENT, "JSON: values are nested deeper than %d",
				 JSON_DEPTH_MAX);
	switch (type->special) {
	case SPECIAL_NONE:
		break;
	case SPECIAL_ANY:
		return read_any(reader, type, value, depth);
	case SPECIAL_TIMESTAMP:
	case SPECIAL_DURATION:
		return read_time(reader, type, value);
	case SPECIAL_FIELD_MASK:
		return read_field_mask(reader, type, value);
	case SPECIAL_STRUCT:
	case SPECIAL_LIST_VALUE:
		return read_field(reader, type_field_by_number(type, 1), value, depth);
	case SPECIAL_VALUE:
		return read_any_json(reader, type, value, depth);
	case SPECIAL_WRAPPER:
		return read_value(reader, type_field_by_number(type, 1), value, false, depth);
	}
	if (!json_is_object(value))
		return refuse_special(reader, type, "an object");
	return read_fields(reader, type, value, depth);
}

/* Counts the commas, colons and brackets outside of strings: at least one per value and name. */
static size_t count_values(struct str json) {
	size_t count = 1;
	bool in_text = false;
	for (size_t i = 0; i < json.len; i++) {
		char c = json.ptr[i];
		if (c == '"')
			in_text = !in_text;
		else if (in_text && c == '\\')
			i++;
		else if (!in_text)
			count += c == ',' || c == ':' || c == '[' || c == '{';
	}
	return count;
}

enum { LOAD_FLAGS = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL };

int json_to_pb(const struct types *types, const struct type_message *type, struct str json, struct buf *out,
	       struct error *err) {
	size_t values = count_values(json);
	if (values > JSON_VALUES_MAX)
		return error_set(err, CODE_RESOURCE_EXHAUSTED,
				 "JSON: the message has %zu values; max-json-values is %d", values, JSON_VALUES_MAX);
	json_error_t wrong;
	struct json_reader reader = {.types = types, .out = out, .err = err};
	json_t *tree = json_loadb(json.ptr, json.len, LOAD_FLAGS, &wrong);
	if (tree == NULL && json_error_code(&wrong) == json_error_numeric_overflow) {
		struct buf quoted = BUF_INIT(json.len * 2 + 16); /* 8 bytes more for each 19 digits */
		quote_big(json, &quoted);
		reader.has_big = true;
		tree = json_loadb(buf_view(&quoted).ptr, buf_len(&quoted), LOAD_FLAGS, &wrong);
		buf_deinit(&quoted);
	}
	if (tree == NULL)
		return error_set(err, CODE_INVALID_ARGUMENT, "JSON: line %d, column %d: %s", wrong.line, wrong.column,
				 wrong.text);
	int result = read_message(&reader, type, tree, 1);
	json_decref(tree);
	return result;
}
