/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The packed schema of a deployment, as its client sent it: immutable, shared by the control side and every routing
 * table that leads to the deployment.
 *
 * The schema stays packed until a thread first asks for its model and keeps the model from then on, as the models of
 * thousands of modules would take many megabytes. Only calls whose JSON is checked ask for it.
 */
#pragma once

#include "base/str.h"

struct packed_schema;
struct schema_module;

/* Copies bytes: a packed schema.Module that was checked. */
struct packed_schema *packed_schema_new(struct str bytes);
struct packed_schema *packed_schema_ref(struct packed_schema *schema);
void packed_schema_unref(struct packed_schema *schema); /* takes NULL */

/* Whether both declare the same; positions and the time of creation are ignored. */
bool packed_schema_same(const struct packed_schema *a, const struct packed_schema *b);

/* From any thread; valid as long as the schema. */
struct str packed_schema_bytes(const struct packed_schema *schema);
/* A module that exports nothing exports all, as its client knows no export. */
const struct schema_module *packed_schema_module(struct packed_schema *schema);
