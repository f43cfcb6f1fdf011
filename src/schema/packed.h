/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The schema of a deployment, as it was sent: immutable, and shared by the books of the control side and by every
 * routing table that leads to the deployment.
 *
 * Thousands of models would be many megabytes, so it stays packed until a thread first asks for its model, and keeps
 * that from then on. Only calls whose JSON is checked ask.
 */
#pragma once

#include "base/str.h"

struct packed_schema;
struct schema_module;

/* Copies bytes: a packed schema.Module that was checked. */
struct packed_schema *packed_schema_new(struct str bytes);
struct packed_schema *packed_schema_ref(struct packed_schema *schema);
void packed_schema_unref(struct packed_schema *schema); /* takes NULL */

/* Whether they say the same: where a declaration stands in its file, and when it was deployed, says nothing. */
bool packed_schema_same(const struct packed_schema *a, const struct packed_schema *b);

/* From any thread. Both last as long as the schema. */
struct str packed_schema_bytes(const struct packed_schema *schema);
const struct schema_module *packed_schema_module(struct packed_schema *schema);
