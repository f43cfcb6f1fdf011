/* SPDX-License-Identifier: Apache-2.0 */
#include "backplane/services/log_filter.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "backplane/services/log_folder.h"

int log_filter_add_module(struct log_filter *filter, const char *name, struct error *err) {
	if (!schema_is_name(str_from(name)))
		return error_set(err, CODE_INVALID_ARGUMENT, "\"%.80s\" cannot be the name of a module", name);
	if (filter->module_count == LOG_FILTER_MODULES_MAX)
		return error_set(err, CODE_INVALID_ARGUMENT,
				 "the logs of more than %d modules are asked for; ask for all", LOG_FILTER_MODULES_MAX);
	snprintf(filter->modules[filter->module_count++], sizeof filter->modules[0], "%s", name);
	return 0;
}

int log_filter_set(struct log_filter *filter, int64_t since_ms, const char *level, const char *request,
		   struct error *err) {
	enum log_level lowest = LOG_DEBUG;
	if (level[0] != '\0' && !log_level_parse(level, &lowest))
		return error_set(err, CODE_INVALID_ARGUMENT,
				 "there is no level \"%.20s\"; there is debug, info, warn and error", level);
	if (strlen(request) > LOG_FILTER_REQUEST_MAX)
		return error_set(err, CODE_INVALID_ARGUMENT, "the request id has %zu bytes; it has at most %d",
				 strlen(request), LOG_FILTER_REQUEST_MAX);
	filter->since_ms = since_ms;
	filter->level = lowest;
	snprintf(filter->request, sizeof filter->request, "%s", request);
	return 0;
}

bool log_filter_takes_module(const struct log_filter *filter, struct str module) {
	for (size_t i = 0; i < filter->module_count; i++)
		if (str_eq(str_from(filter->modules[i]), module))
			return true;
	return filter->module_count == 0;
}

/* SDKs write the id of the request that a line belongs to among its attributes. */
static bool is_of_request(const struct log_entry *entry, const char *request) {
	if (strstr(entry->attributes, request) == NULL)
		return false; /* without reading the JSON of every line */
	json_t *attributes = json_loads(entry->attributes, 0, NULL);
	const char *id = json_string_value(json_object_get(attributes, "request_id"));
	bool is = id != NULL && strcmp(id, request) == 0;
	json_decref(attributes);
	return is;
}

bool log_filter_takes(const struct log_filter *filter, const struct log_entry *entry) {
	enum log_level level;
	if (entry->time_ms < filter->since_ms || !log_filter_takes_module(filter, str_from(entry->module)))
		return false;
	/* A Runner of another version may know other levels; those count as the highest. */
	if (log_level_parse(entry->level, &level) && level < filter->level)
		return false;
	return filter->request[0] == '\0' || is_of_request(entry, filter->request);
}
