/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gzip (RFC 1952) of whole messages, by zlib.
 */
#pragma once

#include "base/buf.h"
#include "base/error.h"

/* Adds to out. Fails past its maximum only: ResourceExhausted. */
int gzip_compress(struct str bytes, struct buf *out, struct error *err);

/* Adds to out. InvalidArgument: it is no gzip; ResourceExhausted: it would grow over the maximum of out, by name. */
int gzip_expand(struct str bytes, struct buf *out, struct error *err);
