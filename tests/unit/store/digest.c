/* SPDX-License-Identifier: Apache-2.0 */
#include "store/digest.h"

#include "cmocka_test.h"

static void assert_digest(const struct digest *digest, const char *hex) {
	assert_string_equal(digest_to_hex(digest).text, hex);
}

/* FIPS 180-2, appendix B. */
static void hashes_the_examples_of_the_standard(void **state UNUSED) {
	struct digest digest;
	digest_of(STR(""), &digest);
	assert_digest(&digest, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	digest_of(STR("abc"), &digest);
	assert_digest(&digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	char piece[1000];
	memset(piece, 'a', sizeof piece);
	struct hasher hasher;
	hasher_init(&hasher);
	for (int i = 0; i < 1000; i++)
		hasher_update(&hasher, str_new(piece, sizeof piece));
	hasher_final(&hasher, &digest);
	assert_digest(&digest, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void a_hasher_can_be_freed_at_any_time(void **state UNUSED) {
	struct hasher hasher;
	struct digest digest;
	hasher_init(&hasher);
	hasher_update(&hasher, STR("half"));
	hasher_deinit(&hasher);
	hasher_deinit(&hasher);
	hasher_init(&hasher);
	hasher_update(&hasher, STR(""));
	hasher_final(&hasher, &digest);
	hasher_deinit(&hasher);
	assert_digest(&digest, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void reads_the_hex_that_it_writes(void **state UNUSED) {
	struct digest digest, again;
	struct error err;
	digest_of(STR("content"), &digest);
	struct digest_hex hex = digest_to_hex(&digest);
	assert_int_equal(digest_from_hex(str_from(hex.text), &again, &err), 0);
	assert_true(digest_eq(&digest, &again));
	again.bytes[DIGEST_SIZE - 1] ^= 1;
	assert_false(digest_eq(&digest, &again));
}

static void refuses_texts_that_are_not_digests(void **state UNUSED) {
	static const char good[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
	struct digest digest, before;
	memset(&digest, 7, sizeof digest);
	before = digest;
	struct error err;
	for (size_t at = 0; at < DIGEST_HEX_SIZE; at += 9) {
		static const char wrong[] = {'g', 'A', '/', ':', '`', '\0', '\xFF', '\n'};
		for (size_t i = 0; i < sizeof wrong; i++) {
			char text[sizeof good];
			memcpy(text, good, sizeof good);
			text[at] = wrong[i];
			assert_int_equal(digest_from_hex(str_new(text, DIGEST_HEX_SIZE), &digest, &err), -1);
			assert_int_equal(err.code, CODE_INVALID_ARGUMENT);
		}
	}
	assert_int_equal(digest_from_hex(str_new(good, 63), &digest, &err), -1);
	assert_int_equal(digest_from_hex(str_new(good, 65), &digest, &err), -1);
	assert_int_equal(digest_from_hex(STR(""), &digest, &err), -1);
	assert_memory_equal(&digest, &before, sizeof digest);
	assert_int_equal(digest_from_hex(STR("sha256:\x1b[31m"), &digest, &err), -1);
	assert_string_equal(err.msg, "\"sha256:?[31m\" (12 characters) is not a digest: a digest is 64 lower-case hex "
				     "characters of SHA-256");
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hashes_the_examples_of_the_standard),
		cmocka_unit_test(a_hasher_can_be_freed_at_any_time),
		cmocka_unit_test(reads_the_hex_that_it_writes),
		cmocka_unit_test(refuses_texts_that_are_not_digests),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
