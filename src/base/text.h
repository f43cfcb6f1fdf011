/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes that other programs wrote, made fit for people, JSON and protobuf.
 */
#pragma once

#include "base/buf.h"

/* The value of a hexadecimal digit of either case, or -1. */
int text_hex_value(char digit);

/* Adds bytes as valid UTF-8 without NUL: what is none becomes U+FFFD, 3 bytes for one at most. The room is there. */
void text_repair(struct buf *to, struct str bytes);

/* The first max bytes of a text in UTF-8 at most, without a part of a character at their end. */
struct str text_cut(struct str text, size_t max);

/* Adds bytes as a JSON string with its quotes: repaired, and with what JSON wants escaped. Six bytes for one at most,
 * and two more; the room is there. */
void text_quote(struct buf *to, struct str bytes);
