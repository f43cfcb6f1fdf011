/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/output.h"

#include <float.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"

static bool progress_shown; /* the cursor is at the end of a progress line, which the next output replaces */

bool output_is_terminal(FILE *file) {
	return isatty(fileno(file));
}

/* --- text --------------------------------------------------------------------------------------------------------- */

static bool has_colour(FILE *file) {
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
	if (no_color != NULL && no_color[0] != '\0')
		return false;
	return output_is_terminal(file) && !(term != NULL && strcmp(term, "dumb") == 0);
}

void output_style(FILE *file, enum style style) {
	static const char *const codes[] = {
		[STYLE_PLAIN] = "0",
		[STYLE_BOLD] = "1",
		[STYLE_DIM] = "2",
		[STYLE_RED] = "31",
		[STYLE_GREEN] = "32",
		[STYLE_YELLOW] = "33",
	};
	if (has_colour(file))
		fprintf(file, "\033[%sm", codes[style]);
}

/* ESC, the other C0 controls, DEL, and the C1 controls, which are C2 80 to C2 9F in UTF-8. */
static bool is_control(const struct str text, size_t at) {
	unsigned char byte = (unsigned char)text.ptr[at];
	if (byte == '\t')
		return false;
	if (byte < 0x20 || byte == 0x7F)
		return true;
	return byte >= 0x80 && byte < 0xA0 && at > 0 && (unsigned char)text.ptr[at - 1] == 0xC2;
}

void output_text(FILE *file, struct str text) {
	for (size_t i = 0; i < text.len; i++)
		putc(is_control(text, i) ? '?' : text.ptr[i], file);
}

void output_lines(FILE *file, const char *prefix, struct str text) {
	while (text.ptr != NULL) {
		struct str line = str_cut(text, '\n', &text);
		if (line.len == 0 && text.ptr == NULL)
			break;
		fputs(prefix, file);
		output_text(file, line);
		putc('\n', file);
	}
}

/* The digits that a number needs, from 15, which all decimal fractions of people fit into, to 17, which every double
 * does. */
static int digits_of(double number) {
	char text[32];
	for (int digits = DBL_DIG; digits < DBL_DECIMAL_DIG; digits++) {
		snprintf(text, sizeof text, "%.*g", digits, number);
		if (strtod(text, NULL) == number)
			return digits;
	}
	return DBL_DECIMAL_DIG;
}

/* The most digits that a number in value needs: jansson has one precision for all. */
static int digits_within(const json_t *value) {
	const char *name;
	json_t *item;
	size_t i;
	int digits = json_is_real(value) ? digits_of(json_real_value(value)) : DBL_DIG;
	if (json_is_object(value))
		json_object_foreach((json_t *)value, name, item) digits = MAX(digits, digits_within(item));
	else
		json_array_foreach(value, i, item) digits = MAX(digits, digits_within(item));
	return digits;
}

void output_json_value(FILE *file, const json_t *value, size_t flags) {
	json_dumpf(value, file, JSON_ENCODE_ANY | JSON_REAL_PRECISION(digits_within(value)) | flags);
}

void output_json(json_t *value, enum json_shape shape) {
	bool indents = shape == JSON_MANY_LINES || (shape == JSON_ONE_LINE && output_is_terminal(stdout));
	output_json_value(stdout, value, indents ? JSON_INDENT(2) : 0);
	putc('\n', stdout);
	json_decref(value);
}

static void begin_line(size_t depth) {
	enum { DEPTH_SHOWN_MAX = 40 };
	printf("\n%*s", (int)(2 * MIN(depth, (size_t)DEPTH_SHOWN_MAX)), "");
}

static bool is_blank(char byte) {
	return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

static size_t blanks_before(struct str text) {
	size_t len = 0;
	while (len < text.len && is_blank(text.ptr[len]))
		len++;
	return len;
}

/* The length of the string that text begins with, with its quotes. */
static size_t string_length(struct str text) {
	for (size_t i = 1; i < text.len; i++) {
		if (text.ptr[i] == '"')
			return i + 1;
		i += text.ptr[i] == '\\';
	}
	return text.len;
}

/* Copies tokens as they are written; only the blanks between them are new. */
static void indent_json(struct str text) {
	size_t depth = 0;
	while ((text = str_from_offset(text, blanks_before(text))).len > 0) {
		char mark = text.ptr[0];
		struct str token = str_new(text.ptr, mark == '"' ? string_length(text) : 1);
		text = str_from_offset(text, token.len);
		size_t blanks = blanks_before(text);
		bool is_empty = blanks < text.len &&
				((mark == '{' && text.ptr[blanks] == '}') || (mark == '[' && text.ptr[blanks] == ']'));
		if ((mark == '}' || mark == ']') && depth > 0)
			begin_line(--depth);
		output_text(stdout, token);
		if (is_empty) {
			putchar(text.ptr[blanks]);
			text = str_from_offset(text, blanks + 1);
		} else if (mark == '{' || mark == '[') {
			begin_line(++depth);
		} else if (mark == ',') {
			begin_line(depth);
		} else if (mark == ':') {
			putchar(' ');
		}
	}
}

void output_json_text(struct str text) {
	if (output_is_terminal(stdout))
		indent_json(text);
	else
		fwrite(text.ptr, 1, text.len, stdout);
	putchar('\n');
}

void output_time(char ret_text[TIME_TEXT_MAX], int64_t wall_ms, bool utc) {
	time_t seconds = (time_t)(wall_ms / 1000);
	struct tm parts;
	char date[24], zone[8];
	if (utc || !output_is_terminal(stdout)) {
		time_format(ret_text, wall_ms);
		return;
	}
	localtime_r(&seconds, &parts);
	strftime(date, sizeof date, "%Y-%m-%d %H:%M:%S", &parts);
	strftime(zone, sizeof zone, "%z", &parts); /* "+0100" */
	snprintf(ret_text, TIME_TEXT_MAX, "%.19s.%03u%.3s:%.2s", date, (unsigned)(wall_ms % 1000) % 1000, zone,
		 zone + 3);
}

/* --- standard error ----------------------------------------------------------------------------------------------- */

static bool errors_are_json;

void output_errors_as_json(void) {
	errors_are_json = true;
}

static void set_text(json_t *object, const char *name, const char *text) {
	if (text != NULL && text[0] != '\0')
		json_object_set_new(object, name, json_string(text));
}

static void say_json(json_t *object) {
	progress_clear();
	output_json_value(stderr, object, 0);
	putc('\n', stderr);
	json_decref(object);
}

void output_failure(const char *code, const char *reason, const char *hint, const char *text) {
	if (errors_are_json) {
		json_t *object = json_object();
		set_text(object, "error", text);
		set_text(object, "code", code);
		set_text(object, "reason", reason);
		set_text(object, "hint", hint);
		say_json(object);
		return;
	}
	output_error("%s%s%s", text, hint != NULL ? "\nhint: " : "", hint != NULL ? hint : "");
}

void output_misuse(const char *text, const char *command) {
	char see[64];
	snprintf(see, sizeof see, "see: ftl help %.40s", command);
	if (errors_are_json)
		output_failure(code_name(CODE_INVALID_ARGUMENT), NULL, see, text);
	else
		output_error("%s\n%s", text, see);
}

static void say(enum style style, const char *word, const char *format, va_list args) {
	char text[4096];
	vsnprintf(text, sizeof text, format, args);
	progress_clear();
	if (errors_are_json && word[0] != '\0') {
		char name[16];
		snprintf(name, sizeof name, "%.*s", (int)strcspn(word, ":"), word);
		json_t *object = json_object();
		set_text(object, name, text);
		say_json(object);
		return;
	}
	output_style(stderr, style);
	fputs(word, stderr);
	output_style(stderr, STYLE_PLAIN);
	/* Line feeds of the text are kept; other control characters are not. */
	struct str rest = str_from(text);
	while (rest.ptr != NULL) {
		output_text(stderr, str_cut(rest, '\n', &rest));
		putc('\n', stderr);
	}
}

void output_error(const char *format, ...) {
	va_list args;
	va_start(args, format);
	say(STYLE_RED, "error: ", format, args);
	va_end(args);
}

void output_warning(const char *format, ...) {
	va_list args;
	va_start(args, format);
	say(STYLE_YELLOW, "warning: ", format, args);
	va_end(args);
}

void output_nothing(const char *format, ...) {
	va_list args;
	if (errors_are_json)
		return; /* an empty answer says it */
	va_start(args, format);
	say(STYLE_DIM, "", format, args);
	va_end(args);
}

void progress_show(const char *format, ...) {
	if (!output_is_terminal(stderr))
		return;
	char text[512];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	fputs("\r\033[K", stderr);
	output_text(stderr, str_from(text));
	fflush(stderr);
	progress_shown = true;
}

void progress_note(const char *format, ...) {
	if (!output_is_terminal(stderr))
		return;
	char text[2048];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	progress_clear();
	output_text(stderr, str_from(text));
	putc('\n', stderr);
}

void progress_clear(void) {
	if (progress_shown)
		fputs("\r\033[K", stderr);
	progress_shown = false;
}
