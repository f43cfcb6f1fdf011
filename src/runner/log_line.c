/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/log_line.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>

static bool take_digits(struct str *text, size_t count, int *ret_number) {
	uint64_t number;
	if (text->len < count || !str_to_u64(str_new(text->ptr, count), &number))
		return false;
	*ret_number = (int)number;
	*text = str_from_offset(*text, count);
	return true;
}

static bool take_char(struct str *text, const char *one_of) {
	if (text->len == 0 || text->ptr[0] == '\0' || strchr(one_of, text->ptr[0]) == NULL)
		return false;
	*text = str_from_offset(*text, 1);
	return true;
}

/* "Z" or "+hh:mm", as minutes. */
static bool take_zone(struct str *text, int *ret_minutes) {
	char sign = text->len > 0 ? text->ptr[0] : '\0';
	if (take_char(text, "Zz")) {
		*ret_minutes = 0;
		return true;
	}
	int hours, minutes;
	if (!take_char(text, "+-") || !take_digits(text, 2, &hours) || !take_char(text, ":") ||
	    !take_digits(text, 2, &minutes))
		return false;
	*ret_minutes = (hours * 60 + minutes) * (sign == '-' ? -1 : 1);
	return true;
}

static int take_fraction_ms(struct str *text) {
	int ms = 0, digit, scale = 100;
	while (take_digits(text, 1, &digit)) {
		ms += digit * scale;
		scale /= 10;
	}
	return ms;
}

bool time_parse(struct str text, int64_t *ret_ms) {
	struct tm parts = {0};
	int ms = 0, zone;
	if (!take_digits(&text, 4, &parts.tm_year) || !take_char(&text, "-") || !take_digits(&text, 2, &parts.tm_mon) ||
	    !take_char(&text, "-") || !take_digits(&text, 2, &parts.tm_mday) || !take_char(&text, "Tt ") ||
	    !take_digits(&text, 2, &parts.tm_hour) || !take_char(&text, ":") || !take_digits(&text, 2, &parts.tm_min) ||
	    !take_char(&text, ":") || !take_digits(&text, 2, &parts.tm_sec))
		return false;
	if (take_char(&text, "."))
		ms = take_fraction_ms(&text);
	if (!take_zone(&text, &zone) || text.len > 0)
		return false;
	parts.tm_year -= 1900;
	parts.tm_mon -= 1;
	*ret_ms = ((int64_t)timegm(&parts) - zone * 60) * 1000 + ms;
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

/* Moves a field from the object to the line. A value that is not understood stays among the attributes. */
static void take_level(json_t *object, struct log_line *line) {
	const json_t *level = json_object_get(object, "level");
	if (json_is_string(level) && level_from_name(json_string_value(level), &line->level))
		json_object_del(object, "level");
}

static void take_time(json_t *object, struct log_line *line) {
	const json_t *time = json_object_get(object, "time");
	if (json_is_string(time) && time_parse(str_from(json_string_value(time)), &line->time_ms))
		json_object_del(object, "time");
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
	take_level(object, line);
	take_time(object, line);
	if (!take_message(object, "message", arena, line) && !take_message(object, "msg", arena, line))
		line->message = "";
	if (json_object_size(object) > 0) {
		char *attributes = json_dumps(object, JSON_COMPACT);
		if (attributes != NULL)
			line->attributes = arena_strdup(arena, str_from(attributes));
		free(attributes);
	}
	json_decref(object);
	return true;
}

void log_line_read(struct str text, int64_t now_ms, enum log_level level, struct arena *arena,
		   struct log_line *ret_line) {
	*ret_line = (struct log_line){.time_ms = now_ms, .level = level, .attributes = ""};
	if (text.len == 0 || !read_object(text, arena, ret_line))
		ret_line->message = arena_strdup(arena, text);
}
