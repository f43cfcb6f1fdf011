/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers of bytes as people write and read them.
 */
#pragma once

#include "base/macros.h"

enum { SIZE_TEXT_MAX = 32 };

/* "17 bytes", "212 KB", "1.4 MB", "3.2 GB": powers of ten, two digits where one would say little. */
void size_format(char ret_text[SIZE_TEXT_MAX], uint64_t bytes);

/* "4096", "64MiB" (powers of two: KiB, MiB, GiB, TiB), "1MB" (powers of ten: KB, MB, GB, TB); a blank may stand before
 * the unit. false: it is none, or does not fit. */
_Bool size_parse(const char *text, uint64_t *ret_bytes);
