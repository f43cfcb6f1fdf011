/* SPDX-License-Identifier: Apache-2.0 */
#include "cmocka_test.h"

#include "json_test_types.h"
#include "pb/json.h"
#include "pb/wire.h"

static struct types *types;
static const struct type_message *all;

static int set_up(void **state UNUSED) {
	struct error err;
	assert_int_equal(types_new(&json_test_types, 1, &types, &err), 0);
	all = types_message(types, STR("test.All"));
	assert_non_null(all);
	return 0;
}

static int tear_down(void **state UNUSED) {
	types_free(types);
	return 0;
}

/* Converts JSON to protobuf and back. */
static void assert_becomes(const char *text, const char *expected) {
	struct buf pb = BUF_INIT(1 << 20), json = BUF_INIT(1 << 20);
	struct error err = {.msg = ""};
	int failed = json_to_pb(types, all, str_from(text), &pb, &err) ||
		     json_from_pb(types, all, buf_view(&pb), &json, &err) || buf_append(&json, str_new("", 1));
	if (failed)
		fail_msg("%s: %s", text, err.msg);
	assert_string_equal(buf_view(&json).ptr, expected);
	buf_deinit(&pb);
	buf_deinit(&json);
}

static void assert_same(const char *text) {
	assert_becomes(text, text);
}

static void assert_refused(const char *text, const char *because) {
	struct buf pb = BUF_INIT(1 << 20);
	struct error err;
	assert_int_equal(json_to_pb(types, all, str_from(text), &pb, &err), -1);
	if (strstr(err.msg, because) == NULL)
		fail_msg("%s: %s", text, err.msg);
	buf_deinit(&pb);
}

static void scalars(void **state UNUSED) {
	assert_same(
		"{\"real\":1.5,\"narrow\":0.1,\"small\":-1,\"large\":\"-9223372036854775808\",\"huge\":\"18446744073709551615\","
		"\"zigzag\":-7,\"four\":4294967295,\"eight\":\"-8\",\"truth\":true,\"text\":\"\xC3\xA4\\n\",\"rawBytes\":\"AAE=\","
		"\"colour\":\"COLOUR_RED\"}");
	assert_becomes(
		"{\"small\":\"12\",\"large\":3,\"four\":1e3,\"raw_bytes\":\"-_8\",\"colour\":1,\"real\":\"Infinity\"}",
		"{\"small\":12,\"large\":\"3\",\"four\":1000,\"rawBytes\":\"+/8=\",\"colour\":\"COLOUR_RED\",\"real\":\"Infinity\"}");
	assert_becomes("{\"small\":0,\"text\":\"\",\"maybe\":0,\"numbers\":[],\"inner\":null}", "{\"maybe\":0}");
	assert_becomes("{\"nobody\":[1,{}],\"another\":2}", "{\"another\":2}");
	assert_becomes("{\"colour\":77}", "{\"colour\":77}");
}

/* Many senders write 64-bit integers without quotes. */
static void integers_past_int64(void **state UNUSED) {
	assert_becomes("{\"huge\":18446744073709551615}", "{\"huge\":\"18446744073709551615\"}");
	assert_becomes("{ \"text\": \"\\\"9223372036854775808\", \"huge\" : 9223372036854775808 , \"small\": 1}",
		       "{\"text\":\"\\\"9223372036854775808\",\"huge\":\"9223372036854775808\",\"small\":1}");
	assert_becomes("{\"real\":12345678901234567890,\"huge\":3}",
		       "{\"real\":1.2345678901234567e+19,\"huge\":\"3\"}");
	assert_becomes("{\"real\":-12345678901234567890}", "{\"real\":-1.2345678901234567e+19}");
	assert_becomes("{\"value\":[18446744073709551616]}", "{\"value\":[1.8446744073709552e+19]}");
	assert_refused("{\"huge\":18446744073709551616}", "huge");
	assert_refused("{\"large\":9223372036854775808}", "large");
	assert_refused("{\"large\":-9223372036854775809}", "large");
	assert_refused("{\"huge\":-9223372036854775809}", "huge");
	assert_refused("{\"text\":9223372036854775808}", "text");
	assert_refused("{\"rawBytes\":9223372036854775808}", "rawBytes");
	assert_refused("{\"mask\":9223372036854775808}", "FieldMask");
	assert_refused("{\"colour\":9223372036854775808}", "colour");
	assert_refused("{\"huge\":09223372036854775808}", "JSON");
	assert_refused("{\"huge\":9223372036854775808", "JSON");
	assert_refused("{\"real\":1e999}", "JSON");
	assert_refused("{\"real\":9223372036854775808,\"small\":1e999}", "JSON");
	assert_refused("{\"huge\":\"\\u00009223372036854775808\"}", "huge");
}

static void composites(void **state UNUSED) {
	assert_same(
		"{\"inner\":{\"inner\":{\"small\":1}},\"numbers\":[1,0,2],\"list\":[{},{\"small\":2}],\"names\":{\"a\":1,\"b\":0},"
		"\"byNumber\":{\"-3\":{\"truth\":true}},\"byTruth\":{\"true\":\"x\"},\"right\":0}");
}

static void well_known_types(void **state UNUSED) {
	assert_same("{\"time\":\"2026-02-03T04:05:06.070Z\",\"span\":\"-1.500s\",\"mask\":\"fooBar,baz\","
		    "\"object\":{\"a\":[1,\"b\",null,true,{\"c\":1.5}]},\"value\":null,\"wrapped\":\"5\","
		    "\"any\":{\"@type\":\"type.googleapis.com/google.protobuf.Duration\",\"value\":\"3s\"}}");
	assert_same("{\"any\":{\"@type\":\"x/test.All\",\"small\":1}}");
	assert_becomes("{\"time\":\"2026-02-03T04:05:06+01:00\"}", "{\"time\":\"2026-02-03T03:05:06Z\"}");
}

static void refuses(void **state UNUSED) {
	assert_refused("{\"small\":2147483648}", "small");
	assert_refused("{\"small\":1.5}", "small");
	assert_refused("{\"four\":-1}", "four");
	assert_refused("{\"narrow\":1e40}", "narrow");
	assert_refused("{\"text\":1}", "text");
	assert_refused("{\"rawBytes\":\"?\"}", "rawBytes");
	assert_refused("{\"colour\":\"COLOUR_BLUE\"}", "colour");
	assert_refused("{\"left\":\"a\",\"right\":1}", "oneof");
	assert_refused("{\"numbers\":[null]}", "numbers");
	assert_refused("{\"small\":1,\"small\":2}", "JSON");
	assert_refused("{\"time\":\"2026-02-30T00:00:00Z\"}", "Timestamp");
	assert_refused("{\"time\":\"0000-01-01T00:00:00Z\"}", "Timestamp");
	assert_refused("{\"span\":\"1\"}", "Duration");
	assert_refused("{\"any\":{\"@type\":\"x/nobody.Knows\"}}", "nobody.Knows");
	assert_refused("[]", "object");
	assert_refused("{", "line 1");
}

static void limits_depth_and_values(void **state UNUSED) {
	struct buf text = BUF_INIT(1 << 22), pb = BUF_INIT(1 << 22);
	struct error err;
	int over = 0;
	for (int i = 0; i < 100; i++)
		over |= buf_append(&text, STR("{\"inner\":"));
	over |= buf_append(&text, STR("{}"));
	for (int i = 0; i < 100; i++)
		over |= buf_append(&text, STR("}"));
	assert_int_equal(over, 0);
	assert_int_equal(json_to_pb(types, all, buf_view(&text), &pb, &err), -1);
	assert_non_null(strstr(err.msg, "deeper than 64"));
	buf_clear(&text);
	over = buf_append(&text, STR("{\"numbers\":[1"));
	for (int i = 0; i < JSON_VALUES_MAX; i++)
		over |= buf_append(&text, STR(",1"));
	over |= buf_append(&text, STR("]}"));
	assert_int_equal(over, 0);
	assert_int_equal(json_to_pb(types, all, buf_view(&text), &pb, &err), -1);
	assert_int_equal(err.code, CODE_RESOURCE_EXHAUSTED);
	assert_non_null(strstr(err.msg, "max-json-values is 250000"));
	buf_deinit(&text);
	buf_deinit(&pb);
}

/* Fields out of order, repeated, packed and not packed; unknown fields; messages that are merged. */
static void reads_every_wire_format(void **state UNUSED) {
	struct buf json = BUF_INIT(4096);
	struct error err;
	static const char wire[] = "\x70\x05"
				   "\x18\x01"
				   "\x72\x02\x06\x07"
				   "\x18\x02"
				   "\x6A\x02\x18\x01"
				   "\xFA\x3F\x01x"
				   "\x6A\x02\x48\x01"
				   "\x9A\x01\x01"
				   "a"
				   "\xA0\x01\x03";
	assert_int_equal(json_from_pb(types, all, str_new(wire, sizeof wire - 1), &json, &err), 0);
	assert_int_equal(buf_append(&json, str_new("", 1)), 0);
	assert_string_equal(buf_view(&json).ptr,
			    "{\"numbers\":[5,6,7],\"small\":2,\"inner\":{\"small\":1,\"truth\":true},\"right\":3}");
	assert_int_equal(json_from_pb(types, all, STR("\x6A\x05"), &json, &err), -1);
	assert_non_null(strstr(err.msg, "cut short"));
	buf_deinit(&json);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scalars),
		cmocka_unit_test(integers_past_int64),
		cmocka_unit_test(composites),
		cmocka_unit_test(well_known_types),
		cmocka_unit_test(refuses),
		cmocka_unit_test(limits_depth_and_values),
		cmocka_unit_test(reads_every_wire_format),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
