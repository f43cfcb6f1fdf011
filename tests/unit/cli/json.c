/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "cmocka_test.h"

#include "base/macros.h"
#include "cli/json.h"
#include "ftl.pb-c.h"

static void assert_json(const ProtobufCMessage *message, const char *expected) {
	json_t *value = json_from_message(message);
	char *text = json_dumps(value, JSON_COMPACT);
	assert_string_equal(text, expected);
	free(text);
	json_decref(value);
}

static void writes_every_field(void **state UNUSED) {
	Ftl__StatusResponse__Runner runner = FTL__STATUS_RESPONSE__RUNNER__INIT;
	runner.key = (char *)"rnr-1";
	runner.since_ms = -5;
	runner.managed = 1;
	runner.calls = UINT64_MAX;
	assert_json(
		&runner.base,
		"{\"key\":\"rnr-1\",\"language\":\"\",\"endpoint\":\"\",\"state\":\"\",\"deployment_key\":\"\","
		"\"since_ms\":-5,\"managed\":true,\"calls\":9223372036854775807,\"left_out\":\"\",\"trouble\":\"\"}");
}

static void writes_lists_and_enums(void **state UNUSED) {
	Ftl__WatchDeploymentResponse step = FTL__WATCH_DEPLOYMENT_RESPONSE__INIT;
	char *lines[] = {(char *)"one", (char *)"two"};
	step.state = FTL__DEPLOYMENT_STATE__DEPLOYMENT_STATE_LIVE;
	step.last_lines = lines;
	step.n_last_lines = 2;
	assert_json(&step.base, "{\"time_ms\":0,\"state\":\"live\",\"text\":\"\",\"last_lines\":[\"one\",\"two\"]}");
}

static void leaves_out_what_is_not_set(void **state UNUSED) {
	Schema__Verb verb = SCHEMA__VERB__INIT;
	Schema__Decl decl = SCHEMA__DECL__INIT;
	assert_json(&decl.base, "{}");
	verb.name = (char *)"echo";
	decl.value_case = SCHEMA__DECL__VALUE_VERB;
	decl.verb = &verb;
	json_t *value = json_from_message(&decl.base);
	assert_string_equal(json_string_value(json_object_get(json_object_get(value, "verb"), "name")), "echo");
	assert_null(json_object_get(json_object_get(value, "verb"), "request"));
	assert_null(json_object_get(value, "data"));
	json_decref(value);
}

static void names_enums(void **state UNUSED) {
	char word[ENUM_WORD_MAX];
	const ProtobufCEnumDescriptor *states = &ftl__deployment_state__descriptor;
	assert_string_equal(enum_word(states, FTL__DEPLOYMENT_STATE__DEPLOYMENT_STATE_DRAINING, word), "draining");
	assert_string_equal(enum_word(states, 0, word), "unspecified");
	assert_string_equal(enum_word(states, 77, word), "77");
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_every_field),
		cmocka_unit_test(writes_lists_and_enums),
		cmocka_unit_test(leaves_out_what_is_not_set),
		cmocka_unit_test(names_enums),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
