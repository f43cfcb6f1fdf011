/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names that mean something else in C, where the usual headers are included.
 */
#pragma once

#include <stdbool.h>

/* Whether a member of a struct, or a name with an underscore in it for all of the program, cannot be called that. */
bool c_words_has(const char *name);
