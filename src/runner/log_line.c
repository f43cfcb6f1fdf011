/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/log_line.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/buf.h"
#include "base/timestamp.h"

/* RFC 3339; some loggers write a blank before the time of day. */
static bool read_time(struct str text, int64_t *ret_ms) {
	enum { BLANK_AT = 10 };
	char copy[TIMESTAMP_TEXT_MAX];
	struct timestamp time;
	if (text.len <= BLANK_AT || text.len > sizeof copy)
		return false;
	memcpy(copy, text.ptr, text.len);
	if (copy[BLANK_AT] == ' ')
		copy[BLANK_AT] = 'T';
	if (!timestamp_parse(str_new(copy, text.len), &time))
		return false;
	*ret_ms = time.seconds * 1000 + time.nanos / 1000000;
	return true;
}

/* The names of levels in the loggers of other languages. */
static bool level_from_name(const char *name, enum log_level *ret_level) {
	static const struct {
		const char *name;
		enum log_level level;
	} names[] = {
		{"trace", LOG_DEBUG}, {"debug", LOG_DEBUG},  {"info", LOG_INFO},      {"notice", LOG_INFO},
		{"warn", LOG_WARN},   {"warning", LOG_WARN}, {"error", LOG_ERROR},    {"err", LOG_ERROR},
		{"fatal", LOG_ERROR}, {"panic", LOG_ERROR},  {"critical", LOG_ERROR},
	};
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcasecmp(name, names[i].name) == 0) {
			*ret_level = names[i].level;
			return true;
		}
	}
	return false;
}

/* Moves what is in an object within the object up to it; names that are there already stay where they are. */
static void lift(json_t *object, const char *key) {
	json_t *inner = json_object_get(object, key), *value;
	const char *name;
	void *next;
	json_object_foreach_safe(inner, next, name, value) {
		if (json_object_get(object, name) != NULL)
			continue;
		json_object_set(object, name, value);
		json_object_del(inner, name);
	}
	if (json_is_object(inner) && json_object_size(inner) == 0)
		json_object_del(object, key);
}

/* Rust's tracing has the message among the "fields". Elsewhere "fields" is an attribute like any other. */
static void lift_fields(json_t *object) {
	bool has_message = json_object_get(object, "message") != NULL || json_object_get(object, "msg") != NULL;
	if (!has_message && json_is_string(json_object_get(json_object_get(object, "fields"), "message")))
		lift(object, "fields");
}

/* Moves a field from the object to the line. A value that is not understood stays among the attributes. */
static void take_level(json_t *object, struct log_line *line) {
	const json_t *level = json_object_get(object, "level");
	if (json_is_string(level) && level_from_name(json_string_value(level), &line->level))
		json_object_del(object, "level");
}

static void take_time(json_t *object, const char *key, struct log_line *line) {
	const json_t *time = json_object_get(object, key);
	if (json_is_string(time) && read_time(str_from(json_string_value(time)), &line->time_ms))
		json_object_del(object, key);
}

static bool take_message(json_t *object, const char *key, struct arena *arena, struct log_line *line) {
	const json_t *message = json_object_get(object, key);
	if (!json_is_string(message))
		return false;
	line->message = arena_strdup(arena, str_from(json_string_value(message)));
	json_object_del(object, key);
	return true;
}

static bool read_object(struct str text, struct arena *arena, struct log_line *line) {
	json_t *object = text.ptr[0] == '{' ? json_loadb(text.ptr, text.len, 0, NULL) : NULL;
	if (object == NULL)
		return false;
	lift_fields(object);
	take_level(object, line);
	take_time(object, "time", line);
	take_time(object, "timestamp", line);
	if (!take_message(object, "message", arena, line) && !take_message(object, "msg", arena, line))
		line->message = "";
	lift(object, "attributes"); /* of FTL's Go SDK of 2023, and of OpenTelemetry */
	if (json_object_size(object) > 0) {
		char *attributes = json_dumps(object, JSON_COMPACT);
		if (attributes != NULL)
			line->attributes = arena_strdup(arena, str_from(attributes));
		free(attributes);
	}
	json_decref(object);
	return true;
}

/* --- levels of plain lines ---------------------------------------------------------------------------------------- */

enum { WORDS_LOOKED_AT = 6, LEVEL_WORD_MAX = 16 };

static bool is_upper(struct str word) {
	for (size_t i = 0; i < word.len; i++)
		if (word.ptr[i] < 'A' || word.ptr[i] > 'Z')
			return false;
	return word.len > 0;
}

static bool level_of_word(struct str word, enum log_level *ret_level) {
	char name[LEVEL_WORD_MAX];
	if (word.len == 0 || word.len >= sizeof name)
		return false;
	snprintf(name, sizeof name, "%.*s", STR_ARG(word));
	return level_from_name(name, ret_level);
}

/* The letters of word without what loggers put around a level: "[ERROR]", "<warn>", "ERROR:", "|INFO|". */
static struct str bare(struct str word, bool *ret_bracketed, bool *ret_colon) {
	static const char around[] = "[]()<>|:-*";
	const struct str whole = word;
	*ret_colon = word.len > 0 && word.ptr[word.len - 1] == ':';
	while (word.len > 0 && strchr(around, word.ptr[0]) != NULL)
		word = str_from_offset(word, 1);
	while (word.len > 0 && strchr(around, word.ptr[word.len - 1]) != NULL)
		word.len--;
	*ret_bracketed = whole.len > word.len && strchr("[(<|", whole.ptr[0]) != NULL;
	return word;
}

/* "WARNING:root:text", as Python's logging writes it. */
static struct str before_colon(struct str word) {
	return str_cut(word, ':', &(struct str){0});
}

/* The level that a word is, as the number at-th of its line. */
static bool level_at(struct str word, size_t at, enum log_level *ret_level) {
	bool bracketed, colon;
	struct str name = bare(word, &bracketed, &colon);
	if (at == 0 && is_upper(before_colon(name)))
		name = before_colon(name);
	bool says = is_upper(name) || bracketed || (at == 0 && colon);
	return says && level_of_word(name, ret_level);
}

static struct str unquoted(struct str text) {
	bool quoted = text.len >= 2 && text.ptr[0] == '"' && text.ptr[text.len - 1] == '"';
	return quoted ? str_new(text.ptr + 1, text.len - 2) : text;
}

/* "level=warn", "lvl=WARN", "severity=error", as in logfmt. */
static bool level_of_pair(struct str word, enum log_level *ret_level) {
	static const char *const keys[] = {"level", "lvl", "severity", "levelname"};
	struct str value, key = str_cut(word, '=', &value);
	for (size_t i = 0; value.ptr != NULL && i < ARRAY_LEN(keys); i++)
		if (str_eq(key, str_from(keys[i])))
			return level_of_word(unquoted(value), ret_level);
	return false;
}

/* "E0102 15:04:05.000000 …": a letter, month and day, as glog and Kubernetes write them. */
static bool level_of_glog(struct str text, enum log_level *ret_level) {
	static const struct {
		char letter;
		enum log_level level;
	} letters[] = {{'I', LOG_INFO}, {'W', LOG_WARN}, {'E', LOG_ERROR}, {'F', LOG_ERROR}};
	for (size_t i = 1; i < 5; i++)
		if (text.len < 6 || text.ptr[i] < '0' || text.ptr[i] > '9')
			return false;
	for (size_t i = 0; text.ptr[5] == ' ' && i < ARRAY_LEN(letters); i++) {
		if (text.ptr[0] == letters[i].letter) {
			*ret_level = letters[i].level;
			return true;
		}
	}
	return false;
}

/* The level that a plain line says; false: none. */
static bool level_of_text(struct str text, enum log_level *ret_level) {
	if (level_of_glog(text, ret_level))
		return true;
	if (str_starts_with(text, STR("Traceback (most recent call last)"))) {
		*ret_level = LOG_ERROR;
		return true;
	}
	struct str rest = text;
	for (size_t at = 0; at < WORDS_LOOKED_AT && rest.ptr != NULL; at++) {
		struct str word = str_cut(rest, ' ', &rest);
		if (level_at(word, at, ret_level) || level_of_pair(word, ret_level))
			return true;
	}
	return false;
}

void log_line_read(struct str text, int64_t now_ms, enum log_level level, struct arena *arena,
		   struct log_line *ret_line) {
	*ret_line = (struct log_line){.time_ms = now_ms, .level = level, .attributes = ""};
	if (text.len > 0 && read_object(text, arena, ret_line))
		return;
	level_of_text(text, &ret_line->level);
	ret_line->message = arena_strdup(arena, text);
}

static int show_attribute(struct buf *shown, const char *name, const json_t *value) {
	const char *string = json_string_value(value);
	char *text =
		string == NULL ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(15)) : NULL;
	int over = buf_printf(shown, " %s=%s", name, string != NULL ? string : text != NULL ? text : "?");
	free(text);
	return over;
}

/* As many as have room. */
static void show_attributes(struct buf *shown, const char *attributes) {
	json_t *object = json_loads(attributes, 0, NULL);
	const char *name;
	json_t *value;
	json_object_foreach(object, name, value) {
		if (show_attribute(shown, name, value) < 0)
			break;
	}
	json_decref(object);
}

struct str log_line_show(struct str text, struct arena *arena) {
	enum { SHOWN_MAX = 4 << 10 };
	const enum log_level unsaid = (enum log_level) - 1;
	struct log_line line = {.level = unsaid, .attributes = ""};
	if (text.len == 0 || text.len > SHOWN_MAX || !read_object(text, arena, &line))
		return text;
	struct buf shown = BUF_INIT(2 * SHOWN_MAX);
	bool says_level = line.level != unsaid;
	/* Unescaped JSON is no longer than the line, so these have room. */
	int over = buf_printf(&shown, "%s%s%s", says_level ? log_level_name(line.level) : "", says_level ? ": " : "",
			      line.message);
	ASSERT(over == 0);
	show_attributes(&shown, line.attributes);
	struct str copy = arena_copy(arena, buf_view(&shown));
	buf_deinit(&shown);
	return copy;
}
