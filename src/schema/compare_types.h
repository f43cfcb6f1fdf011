/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the values of two types differ, by the structure of the types: their names, their modules and whether a generic
 * data stands for a part of them do not matter.
 */
#pragma once

#include "base/map.h"
#include "schema/schema.h"

struct schema_others;

/* See compare.h. */
struct difference {
	bool narrows, widens;
};

extern const struct difference difference_none, difference_both, difference_narrower, difference_wider;

/* The modules as they were before, or are now. */
struct type_side {
	const struct schema_module *module; /* the one that is compared */
	const struct schema_others *others; /* NULL: there are none */
};

struct type_comparer {
	struct type_side old_side, new_side;
	const struct schema_decl *old_decl, *new_decl; /* in which the types stand; their type parameters may occur */
	struct arena instances; /* types of generic data with their arguments put in */
	size_t steps; /* taken so far */
	/* Pairs of declarations reachable from one pair of types; each pair is compared once. */
	struct map seen;
	struct type_pair *waiting; /* pairs in seen that are not compared yet */
	struct map known; /* results: const struct difference by the first pair, for pairs without type arguments */
};

/* Borrows the modules, which were checked and have the same name, and others. */
void type_comparer_init(struct type_comparer *comparer, const struct schema_module *old_module,
			const struct schema_module *new_module, const struct schema_others *others);
void type_comparer_deinit(struct type_comparer *comparer);

/* The types stand in old_decl of the old module and in new_decl of the new one. A type of the same name is the same:
 * what became of it is told where it is declared. */
struct difference type_comparer_compare(struct type_comparer *comparer, const struct schema_decl *old_decl,
					const struct schema_decl *new_decl, const struct schema_type *old_type,
					const struct schema_type *new_type);

/* What a field that is new, or gone, makes of its data. */
struct difference type_comparer_added(const struct type_comparer *comparer, const struct schema_field *field);
struct difference type_comparer_removed(const struct type_comparer *comparer, const struct schema_field *field);

/* Both data, sums, aliases, verbs, or enums of values of the same type. */
bool type_is_same_kind(const struct schema_decl *old_decl, const struct schema_decl *new_decl);
