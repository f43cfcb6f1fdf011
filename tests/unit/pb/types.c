/* SPDX-License-Identifier: Apache-2.0 */
#include "cmocka_test.h"

#include "json_test_types.h"
#include "pb/types.h"
#include "rpc/reflection.h"

static struct types *types;

static int set_up(void **state UNUSED) {
	const struct str sets[] = {json_test_types, rpc_own_descriptors};
	struct error err;
	assert_int_equal(types_new(sets, ARRAY_LEN(sets), &types, &err), 0);
	return 0;
}

static int tear_down(void **state UNUSED) {
	types_free(types);
	return 0;
}

static void describes_fields(void **state UNUSED) {
	const struct type_message *all = types_message(types, STR("test.All"));
	assert_non_null(all);
	const struct type_field *bytes = type_field_by_number(all, 11), *renamed = type_field_by_number(all, 29);
	assert_string_equal(bytes->name, "raw_bytes");
	assert_string_equal(bytes->json_name, "rawBytes");
	assert_int_equal(bytes->kind, KIND_BYTES);
	assert_string_equal(renamed->json_name, "another");
	assert_ptr_equal(type_field_by_json_name(all, STR("raw_bytes")), bytes);
	assert_ptr_equal(type_field_by_json_name(all, STR("rawBytes")), bytes);
	assert_ptr_equal(type_field_by_number(all, 13)->message, all);
	assert_true(type_field_by_number(all, 14)->repeated);
	assert_true(type_field_by_number(all, 16)->message->is_map_entry);
	assert_true(type_field_by_number(all, 3)->implicit);
	assert_false(type_field_by_number(all, 21)->implicit);
	assert_true(type_field_by_number(all, 19)->oneof >= 0);
	assert_int_equal(type_field_by_number(all, 19)->oneof, type_field_by_number(all, 20)->oneof);
	assert_int_equal(type_field_by_number(all, 3)->oneof, -1);
	assert_null(type_field_by_number(all, 0));
	assert_null(type_field_by_number(all, 1000));
	assert_null(type_field_by_json_name(all, STR("nobody")));
}

static void knows_messages_with_a_json_form_of_their_own(void **state UNUSED) {
	static const struct {
		const char *name;
		enum type_special special;
	} cases[] = {
		{"test.All", SPECIAL_NONE},
		{"google.protobuf.Any", SPECIAL_ANY},
		{"google.protobuf.Timestamp", SPECIAL_TIMESTAMP},
		{"google.protobuf.Duration", SPECIAL_DURATION},
		{"google.protobuf.FieldMask", SPECIAL_FIELD_MASK},
		{"google.protobuf.Struct", SPECIAL_STRUCT},
		{"google.protobuf.Value", SPECIAL_VALUE},
		{"google.protobuf.ListValue", SPECIAL_LIST_VALUE},
		{"google.protobuf.Int64Value", SPECIAL_WRAPPER},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(types_message(types, str_from(cases[i].name))->special, cases[i].special);
}

static void describes_methods(void **state UNUSED) {
	const struct type_method *check = types_method(types, STR("/grpc.health.v1.Health/Check"));
	const struct type_method *watch = types_method(types, STR("/grpc.health.v1.Health/Watch"));
	assert_string_equal(check->request->name, "grpc.health.v1.HealthCheckRequest");
	assert_string_equal(check->response->name, "grpc.health.v1.HealthCheckResponse");
	assert_false(check->client_streaming || check->server_streaming);
	assert_true(watch->server_streaming);
	assert_null(types_method(types, STR("/grpc.health.v1.Health/Nothing")));
	assert_null(types_method(types, STR("")));
	assert_null(types_method(NULL, STR("/grpc.health.v1.Health/Check")));
}

static void finds_the_file_of_every_symbol(void **state UNUSED) {
	static const char *const symbols[] = {"test.All",	 "test.All.small", "test.Colour",
					      "test.COLOUR_RED", "test.All.ByNumberEntry"};
	for (size_t i = 0; i < ARRAY_LEN(symbols); i++) {
		const struct type_file *file = types_file_of(types, str_from(symbols[i]));
		if (file == NULL)
			fail_msg("%s", symbols[i]);
		assert_string_equal(file->name, "json.proto");
	}
	const struct type_file *health = types_file_of(types, STR("grpc.health.v1.Health.Check"));
	assert_ptr_equal(health, types_file_of(types, STR("grpc.health.v1.Health")));
	assert_ptr_equal(health, types_file(types, str_from(health->name)));
	assert_null(types_file_of(types, STR("test")));
	assert_null(types_file_of(types, STR("test.All.")));
	assert_null(types_file(types, STR("nobody.proto")));
}

/* A message "M" with a field "f" of the type "N". */
static void refuses_a_set_without_its_imports(void **state UNUSED) {
	const struct str set = STR("\x0A\x15\x0A\x01"
				   "a\x22\x10\x0A\x01M\x12\x0B\x0A\x01"
				   "f\x18\x01\x28\x0B\x32\x02.N");
	struct types *none = NULL;
	struct error err;
	assert_int_equal(types_new(&set, 1, &none, &err), -1);
	assert_null(none);
	assert_non_null(strstr(err.msg, "the field f is of type N"));
	assert_non_null(strstr(err.msg, "--include_imports"));
}

static void reads_a_set_given_twice_once(void **state UNUSED) {
	const struct str sets[] = {json_test_types, json_test_types};
	struct types *twice;
	struct error err;
	assert_int_equal(types_new(sets, ARRAY_LEN(sets), &twice, &err), 0);
	assert_int_equal(types_message(twice, STR("test.All"))->field_count,
			 types_message(types, STR("test.All"))->field_count);
	types_free(twice);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(describes_fields),
		cmocka_unit_test(knows_messages_with_a_json_form_of_their_own),
		cmocka_unit_test(describes_methods),
		cmocka_unit_test(finds_the_file_of_every_symbol),
		cmocka_unit_test(refuses_a_set_without_its_imports),
		cmocka_unit_test(reads_a_set_given_twice_once),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
