/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parses schema text into the model. docs/schema.md has the language.
 */
#pragma once

#include "schema/diagnostics.h"

/*
 * Finds all errors of a text in one run; sets the diagnostics' text to this one, which must outlast them. The model is
 * in arena and keeps nothing of text. Returns -1 when there were errors. *ret_module is then what could be read, for
 * schema_check to find what else is wrong, or NULL when there are names missing and it would take that for errors.
 *
 * What it makes is well-formed and no more: schema_check tells whether it means something.
 */
int schema_parse(struct str text, const char *file, struct arena *arena, struct schema_module **ret_module,
		 struct schema_diagnostics *diagnostics) MUST_USE;
