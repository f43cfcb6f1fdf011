/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths and small files: checks of paths from peers, and atomic writes.
 */
#pragma once

#include "base/error.h"
#include "base/str.h"

/* Bytes of a path of an artefact, and artefacts of one deployment. */
enum { ARTEFACT_PATH_MAX = 1024, ARTEFACTS_MAX = 10000 };

/* Checks that a path stays within its folder: relative, at most ARTEFACT_PATH_MAX bytes of UTF-8, no empty component,
 * no
 * "." or "..", no NUL, no backslash. The error names the path and the rule. */
int path_check_relative(struct str path, struct error *err);

/* Makes the folder and those above it, mode 0700 for the new ones. */
int path_make_folders(const char *path, struct error *err);

/* Removes a folder with its content, without following links. A missing folder is no error. */
int path_remove_tree(const char *path, struct error *err);

/* Reads a whole file of at most max bytes. *ret_bytes is terminated and the caller's to free. */
int file_read(const char *path, size_t max, char **ret_bytes, size_t *ret_len, struct error *err);

/* Writes a file beside path, syncs it and moves it into place. */
int file_write_whole(const char *path, struct str bytes, unsigned mode, struct error *err);

/* Syncs a folder, so that names made or moved in it survive a power cut. */
int folder_sync(const char *path, struct error *err);
