/* SPDX-License-Identifier: Apache-2.0 */
#include "store/digest.h"

#include <openssl/evp.h>
#include <pthread.h>

enum { TEXT_SHOWN = 72 };

static pthread_once_t sha256_once = PTHREAD_ONCE_INIT;
static EVP_MD *sha256;

/* Fetched once: OpenSSL's look-up at each use costs more than hashing a small content. */
static void fetch_sha256(void) {
	sha256 = EVP_MD_fetch(NULL, "SHA2-256", NULL);
}

static const EVP_MD *sha256_get(void) {
	pthread_once(&sha256_once, fetch_sha256);
	ASSERT(sha256 != NULL);
	return sha256;
}

void hasher_init(struct hasher *hasher) {
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	ASSERT(context != NULL && EVP_DigestInit_ex2(context, sha256_get(), NULL) == 1);
	hasher->context = context;
}

void hasher_update(struct hasher *hasher, struct str bytes) {
	ASSERT(EVP_DigestUpdate(hasher->context, bytes.ptr, bytes.len) == 1);
}

void hasher_final(struct hasher *hasher, struct digest *ret_digest) {
	unsigned int size = 0;
	ASSERT(EVP_DigestFinal_ex(hasher->context, ret_digest->bytes, &size) == 1 && size == DIGEST_SIZE);
	hasher_deinit(hasher);
}

void hasher_deinit(struct hasher *hasher) {
	EVP_MD_CTX_free(hasher->context);
	hasher->context = NULL;
}

void digest_of(struct str bytes, struct digest *ret_digest) {
	ASSERT(EVP_Digest(bytes.ptr, bytes.len, ret_digest->bytes, NULL, sha256_get(), NULL) == 1);
}

bool digest_eq(const struct digest *a, const struct digest *b) {
	return memcmp(a->bytes, b->bytes, DIGEST_SIZE) == 0;
}

struct digest_hex digest_to_hex(const struct digest *digest) {
	static const char digits[] = "0123456789abcdef";
	struct digest_hex hex;
	for (size_t i = 0; i < DIGEST_SIZE; i++) {
		hex.text[2 * i] = digits[digest->bytes[i] >> 4];
		hex.text[2 * i + 1] = digits[digest->bytes[i] & 15];
	}
	hex.text[DIGEST_HEX_SIZE] = '\0';
	return hex;
}

static int hex_value(char digit) {
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* Shows only the printable start of the text, as a peer chose it. */
static int not_a_digest(struct str text, struct error *err) {
	char shown[TEXT_SHOWN + 1] = "";
	for (size_t i = 0; i < MIN(text.len, (size_t)TEXT_SHOWN); i++)
		shown[i] = text.ptr[i] >= ' ' && text.ptr[i] <= '~' ? text.ptr[i] : '?';
	return error_set(
		err, CODE_INVALID_ARGUMENT,
		"\"%s\"%s (%zu characters) is not a digest: a digest is %d lower-case hex characters of SHA-256", shown,
		text.len > TEXT_SHOWN ? "…" : "", text.len, DIGEST_HEX_SIZE);
}

int digest_from_hex(struct str text, struct digest *ret_digest, struct error *err) {
	if (text.len != DIGEST_HEX_SIZE)
		return not_a_digest(text, err);
	struct digest digest;
	for (size_t i = 0; i < DIGEST_SIZE; i++) {
		int high = hex_value(text.ptr[2 * i]), low = hex_value(text.ptr[2 * i + 1]);
		if (high < 0 || low < 0)
			return not_a_digest(text, err);
		digest.bytes[i] = (unsigned char)(high << 4 | low);
	}
	*ret_digest = digest;
	return 0;
}
