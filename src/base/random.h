/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random numbers of the operating system, a fast generator, and keys.
 */
#pragma once

#include "base/macros.h"

void random_bytes(void *ret_bytes, size_t size);
uint64_t random_u64(void);

/* splitmix64: the next number of the generator whose state is *state, which may be any number. The same state gives the
 * same numbers. For spreading load and for ids that must only differ; a key needs random_u64. */
uint64_t random_next(uint64_t *state);

enum { KEY_MAX = 96 };

/* Makes a readable, unguessable key: "PREFIX-NAME-" (name may be NULL) and 13 characters for the 64 bits of random. */
void key_make(char ret_key[KEY_MAX], const char *prefix, const char *name, uint64_t random);
