/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parses types and references: "[String]", "{String: Int}", "Page<Item>?", "verb time.now".
 */
#pragma once

#include "schema/schema.h"

struct parser;

/* Parses a type; -1 when it is none, or nested deeper than SCHEMA_DEPTH_MAX. */
int parse_type(struct parser *parser, struct schema_type *ret_type);

/* Parses a name, or a module's name, a '.' and a name. what: for the diagnostic. */
int parse_ref(struct parser *parser, const char *what, struct schema_ref *ret_ref);

/* An empty type in the arena. */
struct schema_type *parse_new_type(struct parser *parser, enum schema_type_kind kind, struct schema_pos pos);
