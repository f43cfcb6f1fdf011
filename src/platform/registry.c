/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/registry.h"

#include <limits.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/nearest.h"
#include "base/size.h"
#include "base/str.h"
#include "platform/local/local.h"

enum { NAMES_MAX = 512 };

static const struct platform_driver *const built_in[] = {&platform_local};

/* "; did you mean …?", or nothing. */
static const char *hint(const struct nearest *nearest, char ret_text[NEAREST_HINT_MAX + 2]) {
	char text[NEAREST_HINT_MAX];
	const char *found = nearest_hint(nearest, text);
	snprintf(ret_text, NEAREST_HINT_MAX + 2, "%s%s", found != NULL ? "; " : "", found != NULL ? found : "");
	return ret_text;
}

static void add_name(char names[NAMES_MAX], const char *name) {
	size_t len = strlen(names);
	snprintf(names + len, NAMES_MAX - len, "%s\"%s\"", len > 0 ? ", " : "", name);
}

/* --- drivers ------------------------------------------------------------------------------------------------------ */

static int no_driver(const struct platform_driver *const *drivers, size_t count, struct str name, struct error *err) {
	struct nearest nearest;
	char names[NAMES_MAX] = "", near[NEAREST_HINT_MAX + 2];
	nearest_init(&nearest, name);
	for (size_t i = 0; i < count; i++) {
		nearest_offer(&nearest, drivers[i]->name);
		add_name(names, drivers[i]->name);
	}
	return error_set(err, CODE_INVALID_ARGUMENT, "there is no platform \"%.*s\"; there is %s%s", STR_ARG(name),
			 names, hint(&nearest, near));
}

static int find_driver(const struct platform_driver *const *drivers, size_t count, struct str name,
		       const struct platform_driver **ret_driver, struct error *err) {
	size_t i = 0;
	while (i < count && !str_eq_c(name, drivers[i]->name))
		i++;
	if (i == count)
		return no_driver(drivers, count, name, err);
	if (drivers[i]->version != PLATFORM_DRIVER_VERSION)
		return error_set(err, CODE_FAILED_PRECONDITION,
				 "the platform \"%s\" was built for version %u of the interface; this program has %d",
				 drivers[i]->name, drivers[i]->version, PLATFORM_DRIVER_VERSION);
	*ret_driver = drivers[i];
	return 0;
}

/* --- options ------------------------------------------------------------------------------------------------------ */

static int no_option(const struct platform_driver *driver, struct str name, struct error *err) {
	struct nearest nearest;
	char names[NAMES_MAX] = "", near[NEAREST_HINT_MAX + 2];
	if (driver->option_count == 0)
		return error_set(err, CODE_INVALID_ARGUMENT,
				 "the platform \"%s\" has no option \"%.*s\"; it has no options", driver->name,
				 STR_ARG(name));
	nearest_init(&nearest, name);
	for (size_t i = 0; i < driver->option_count; i++) {
		nearest_offer(&nearest, driver->options[i].name);
		add_name(names, driver->options[i].name);
	}
	return error_set(err, CODE_INVALID_ARGUMENT, "the platform \"%s\" has no option \"%.*s\"; it has %s%s",
			 driver->name, STR_ARG(name), names, hint(&nearest, near));
}

static const struct platform_option *find_option(const struct platform_driver *driver, struct str name) {
	for (size_t i = 0; i < driver->option_count; i++)
		if (str_eq_c(name, driver->options[i].name))
			return &driver->options[i];
	return NULL;
}

static bool read_count(const char *text, void *where) {
	uint64_t number;
	if (!str_to_u64(str_from(text), &number) || number > UINT_MAX)
		return false;
	*(unsigned *)where = (unsigned)number;
	return true;
}

/* value must live as long as the choice. */
static int set_value(const struct platform_choice *choice, const struct platform_option *option, const char *value,
		     struct error *err) {
	void *where = (char *)choice->values + option->offset;
	switch (option->kind) {
	case PLATFORM_TEXT:
		*(const char **)where = value;
		return 0;
	case PLATFORM_COUNT:
		if (read_count(value, where))
			return 0;
		return error_set(err, CODE_INVALID_ARGUMENT,
				 "the option \"%s\" of the platform \"%s\" is \"%s\"; it must be a number up to %u",
				 option->name, choice->driver->name, value, UINT_MAX);
	case PLATFORM_SIZE:
		if (size_parse(value, where))
			return 0;
		return error_set(err, CODE_INVALID_ARGUMENT,
				 "the option \"%s\" of the platform \"%s\" is \"%s\"; it must be a size such as 64MiB",
				 option->name, choice->driver->name, value);
	}
	return 0;
}

/* part: "NAME=VALUE", within the choice's text. */
static int read_option(const struct platform_choice *choice, char *part, bool given[], struct error *err) {
	const struct platform_driver *driver = choice->driver;
	char *equals = strchr(part, '=');
	struct str name = equals != NULL ? str_new(part, (size_t)(equals - part)) : str_from(part);
	const struct platform_option *option = find_option(driver, name);
	if (option == NULL)
		return no_option(driver, name, err);
	if (equals == NULL || equals[1] == '\0')
		return error_set(err, CODE_INVALID_ARGUMENT,
				 "the option \"%s\" of the platform \"%s\" has no value; give it as %s=VALUE",
				 option->name, driver->name, option->name);
	if (given[option - driver->options])
		return error_set(err, CODE_INVALID_ARGUMENT, "the option \"%s\" of the platform \"%s\" is given twice",
				 option->name, driver->name);
	given[option - driver->options] = true;
	return set_value(choice, option, equals + 1, err);
}

static int set_defaults(const struct platform_choice *choice, struct error *err) {
	for (size_t i = 0; i < choice->driver->option_count; i++) {
		const struct platform_option *option = &choice->driver->options[i];
		if (option->standard != NULL && set_value(choice, option, option->standard, err) < 0)
			return -1;
	}
	return 0;
}

/* rest: "NAME=VALUE,…", within the choice's text; NULL: none. */
static int read_options(const struct platform_choice *choice, char *rest, struct error *err) {
	if (set_defaults(choice, err) < 0)
		return -1;
	bool *given = mem_zalloc(choice->driver->option_count + 1);
	int result = 0;
	while (result == 0 && rest != NULL) {
		char *part = rest, *comma = strchr(rest, ',');
		rest = comma != NULL ? comma + 1 : NULL;
		if (comma != NULL)
			*comma = '\0';
		result = read_option(choice, part, given, err);
	}
	free(given);
	return result;
}

/* --- the choice --------------------------------------------------------------------------------------------------- */

int platform_choose_among(const struct platform_driver *const *drivers, size_t count, const char *text,
			  struct platform_choice *ret_choice, struct error *err) {
	struct str rest, name = str_cut(str_from(text), ':', &rest);
	struct platform_choice choice = {0};
	if (find_driver(drivers, count, name, &choice.driver, err) < 0)
		return -1;
	choice.text = rest.ptr != NULL ? mem_strdup(rest.ptr) : NULL;
	choice.values = choice.driver->values_size > 0 ? mem_zalloc(choice.driver->values_size) : NULL;
	if (read_options(&choice, choice.text, err) < 0) {
		platform_choice_deinit(&choice);
		return -1;
	}
	*ret_choice = choice;
	return 0;
}

int platform_choose(const char *text, struct platform_choice *ret_choice, struct error *err) {
	return platform_choose_among(built_in, ARRAY_LEN(built_in), text, ret_choice, err);
}

void platform_choice_deinit(struct platform_choice *choice) {
	free(choice->text);
	free(choice->values);
	*choice = (struct platform_choice){0};
}

struct platform *platform_open(const struct platform_choice *choice, struct platform_options options,
			       struct error *err) {
	options.values = choice->values;
	return choice->driver->open(&options, err);
}
