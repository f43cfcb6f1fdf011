/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hash of a file while it is being written, on a thread of its own that reads back what the writer has written.
 * The page cache is the queue between the two, so an upload costs the longer of hashing and writing, not their sum.
 */
#pragma once

#include <sys/types.h>

#include "store/digest.h"

struct file_hasher;

/* Goes on with hasher, which has seen the first `from` bytes; takes it. fd is borrowed and readable. NULL when no
 * thread is to be had: the hasher is then still the caller's. */
struct file_hasher *file_hasher_new(int fd, off_t from, struct hasher *hasher);

/* The file is written up to end. */
void file_hasher_advance(struct file_hasher *self, off_t end);

/* Waits until the file is hashed up to the end last told. It is to be freed either way. */
int file_hasher_final(struct file_hasher *self, struct digest *ret_digest, struct error *err);

/* Stops where it is. Takes NULL. */
void file_hasher_free(struct file_hasher *self);
