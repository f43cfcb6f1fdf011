/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hashes a file while it is written, on a thread of its own that reads the file back. The page cache is the queue
 * between the writer and that thread, so an upload takes the longer of hashing and writing, not their sum.
 */
#pragma once

#include <sys/types.h>

#include "store/digest.h"

struct file_hasher;

/* Continues hasher, which has seen the first `from` bytes, and takes it. Borrows fd, which must be readable. NULL when
 * no thread could be started: the hasher then stays the caller's. */
struct file_hasher *file_hasher_new(int fd, off_t from, struct hasher *hasher);

/* Reports that the file is written up to end. */
void file_hasher_advance(struct file_hasher *self, off_t end);

/* Waits until the file is hashed up to the last reported end. The hasher can only be freed afterwards, also after an
 * error. */
int file_hasher_final(struct file_hasher *self, struct digest *ret_digest, struct error *err);

/* Stops hashing. Takes NULL. */
void file_hasher_free(struct file_hasher *self);
