/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a module in C is compiled and linked with. Found from where this program lies, in a build folder as well as
 * installed, so that nobody has to say it.
 */
#pragma once

#include "base/arena.h"

struct toolchain {
	const char *cflags; /* for the compiler; empty: the headers are not there */
	const char *libs; /* for the linker, of a module that is a process; empty: the library is not there */
};

/* The texts are in arena or constant. */
void toolchain_find(struct arena *arena, struct toolchain *ret_toolchain);

/* The path of this program, in arena; NULL: the system does not tell. */
const char *toolchain_program(struct arena *arena);
