/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/registry.h"

#include "../../platform/fake.h"
#include "../cmocka_test.h"

static const struct platform_driver later = {.version = PLATFORM_DRIVER_VERSION + 1, .name = "later"};
static const struct platform_driver plain = {.version = PLATFORM_DRIVER_VERSION, .name = "plain"};

static int choose(const char *text, struct platform_choice *ret_choice, struct error *err) {
	static const struct platform_driver *const drivers[] = {&platform_fake, &plain, &later};
	return platform_choose_among(drivers, ARRAY_LEN(drivers), text, ret_choice, err);
}

static void expect_error(const char *text, const char *message) {
	struct platform_choice choice;
	struct error err;
	assert_int_equal(choose(text, &choice, &err), -1);
	assert_string_equal(err.msg, message);
}

static void defaults_hold_without_options(void **state UNUSED) {
	struct platform_choice choice;
	struct error err;
	assert_int_equal(choose("fake", &choice, &err), 0);
	assert_ptr_equal(choice.driver, &platform_fake);
	const struct fake_values *values = choice.values;
	assert_int_equal(values->latency_ms, 3);
	assert_null(values->zone);
	assert_int_equal(values->disk_bytes, 1 << 30);
	platform_choice_deinit(&choice);
}

static void options_are_read_by_their_kind(void **state UNUSED) {
	struct platform_choice choice;
	struct error err;
	assert_int_equal(choose("fake:zone=eu=1:2,disk=64MiB,latency-ms=0", &choice, &err), 0);
	const struct fake_values *values = choice.values;
	assert_int_equal(values->latency_ms, 0);
	assert_string_equal(values->zone, "eu=1:2");
	assert_int_equal(values->disk_bytes, 64 << 20);
	platform_choice_deinit(&choice);
}

static void errors_name_what_exists(void **state UNUSED) {
	expect_error("", "there is no platform \"\"; there is \"fake\", \"plain\", \"later\"");
	expect_error("fkae:zone=a", "there is no platform \"fkae\"; there is \"fake\", \"plain\", \"later\"; did you "
				    "mean \"fake\"?");
	expect_error("fake:zoen=a", "the platform \"fake\" has no option \"zoen\"; it has \"latency-ms\", \"zone\", "
				    "\"disk\"; did you mean \"zone\"?");
	expect_error("plain:zone=a", "the platform \"plain\" has no option \"zone\"; it has no options");
	expect_error("fake:", "the platform \"fake\" has no option \"\"; it has \"latency-ms\", \"zone\", \"disk\"");
}

static void values_are_checked(void **state UNUSED) {
	expect_error("fake:zone", "the option \"zone\" of the platform \"fake\" has no value; give it as zone=VALUE");
	expect_error("fake:zone=", "the option \"zone\" of the platform \"fake\" has no value; give it as zone=VALUE");
	expect_error("fake:zone=a,zone=b", "the option \"zone\" of the platform \"fake\" is given twice");
	expect_error("fake:latency-ms=-1", "the option \"latency-ms\" of the platform \"fake\" is \"-1\"; it must be a "
					   "number up to 4294967295");
	expect_error("fake:latency-ms=4294967296", "the option \"latency-ms\" of the platform \"fake\" is "
						   "\"4294967296\"; it must be a number up to 4294967295");
	expect_error("fake:zone=a,disk=much", "the option \"disk\" of the platform \"fake\" is \"much\"; it must be a "
					      "size such as 64MiB");
}

static void another_version_of_the_interface_is_refused(void **state UNUSED) {
	expect_error("later", "the platform \"later\" was built for version 2 of the interface; this program has 1");
}

static void the_local_platform_is_built_in(void **state UNUSED) {
	struct platform_choice choice;
	struct error err;
	assert_int_equal(platform_choose("local", &choice, &err), 0);
	assert_string_equal(choice.driver->name, "local");
	platform_choice_deinit(&choice);
	assert_int_equal(platform_choose("fake", &choice, &err), -1);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_hold_without_options),
		cmocka_unit_test(options_are_read_by_their_kind),
		cmocka_unit_test(errors_name_what_exists),
		cmocka_unit_test(values_are_checked),
		cmocka_unit_test(another_version_of_the_interface_is_refused),
		cmocka_unit_test(the_local_platform_is_built_in),
	};
	return cmocka_run_group_tests_name("registry", tests, NULL, NULL);
}
