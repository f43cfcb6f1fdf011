/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gzip (RFC 1952) of whole messages, by zlib.
 */
#pragma once

#include "base/buf.h"
#include "base/error.h"

/* Appends to out. Fails only past the maximum of out: ResourceExhausted. */
int gzip_compress(struct str bytes, struct buf *out, struct error *err);

/* Appends to out. InvalidArgument: bytes are not gzip; ResourceExhausted: the result would pass the maximum of out. */
int gzip_expand(struct str bytes, struct buf *out, struct error *err);
