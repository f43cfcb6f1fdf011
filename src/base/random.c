/* SPDX-License-Identifier: Apache-2.0 */
#include "base/random.h"

#include <errno.h>
#include <stdio.h>
#include <sys/random.h>

void random_bytes(void *ret_bytes, size_t size) {
	for (size_t done = 0; done < size;) {
		ssize_t got = getrandom((char *)ret_bytes + done, size - done, 0);
		ASSERT(got > 0 || errno == EINTR);
		done += got > 0 ? (size_t)got : 0;
	}
}

uint64_t random_u64(void) {
	uint64_t number;
	random_bytes(&number, sizeof number);
	return number;
}

uint64_t random_next(uint64_t *state) {
	uint64_t z = *state += 0x9E3779B97F4A7C15u;
	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
	z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
	return z ^ (z >> 31);
}

void key_make(char ret_key[KEY_MAX], const char *prefix, const char *name, uint64_t random) {
	/* Crockford's alphabet: no letter that reads as a digit. */
	static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";
	char tail[14];
	for (int i = 12; i >= 0; i--, random >>= 5)
		tail[i] = alphabet[random & 31];
	tail[13] = '\0';
	if (name != NULL)
		snprintf(ret_key, KEY_MAX, "%s-%.64s-%s", prefix, name, tail);
	else
		snprintf(ret_key, KEY_MAX, "%s-%s", prefix, tail);
}
