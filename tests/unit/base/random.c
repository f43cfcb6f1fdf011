/* SPDX-License-Identifier: Apache-2.0 */
#include "base/random.h"

#include "cmocka_test.h"

/* The vectors of splitmix64 as others publish them, for the state 1234567. */
static void random_next_is_splitmix64(void **state UNUSED) {
	static const uint64_t vectors[] = {6457827717110365317u, 3203168211198807973u, 9817491932198370423u,
					   4593380528125082431u, 16408922859458223821u};
	uint64_t generator = 1234567;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++)
		assert_true(random_next(&generator) == vectors[i]);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_next_is_splitmix64),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
