/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints the model as text. Parsing the text gives the same model, positions aside.
 */
#pragma once

#include "base/buf.h"
#include "schema/schema.h"

/* -1: over the buffer's maximum; buf holds a part then. */
int schema_print(const struct schema_module *module, struct buf *buf) MUST_USE;
int schema_print_decl(const struct schema_decl *decl, struct buf *buf) MUST_USE;
int schema_print_type(const struct schema_type *type, struct buf *buf) MUST_USE;

enum { SCHEMA_TYPE_TEXT_MAX = 200 };

/* A type for a message; one that is longer ends in "…". Returns ret_text. */
const char *schema_type_text(const struct schema_type *type, char ret_text[SCHEMA_TYPE_TEXT_MAX]);
