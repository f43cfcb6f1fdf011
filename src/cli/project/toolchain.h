/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compiler and linker flags for modules in C, found from the path of this program, both in a build folder and
 * installed.
 */
#pragma once

#include "base/arena.h"

struct toolchain {
	const char *cflags; /* for the compiler; empty: the headers were not found, or are in include_path */
	const char *libs; /* for the linker, of a module that runs as a process; empty: the library was not found */
	/* For the compiler's variables CPATH and LIBRARY_PATH; NULL: not needed. The shell splits flags at blanks,
	 * which no quote within a variable can prevent, so a folder with a blank goes this way. */
	const char *include_path, *library_path;
};

/* The texts are in arena or constant. */
void toolchain_find(struct arena *arena, struct toolchain *ret_toolchain);

/* The path of this program, in arena; NULL: the system does not tell. */
const char *toolchain_program(struct arena *arena);
