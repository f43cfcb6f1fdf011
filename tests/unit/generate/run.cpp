/* SPDX-License-Identifier: Apache-2.0 */
/* The header of generated C is one for C++ too. */
#include "run.ftl.h"

size_t run_count(const run_Tree &tree);

size_t run_count(const run_Tree &tree) {
	return tree.kids.count + (tree.shape.kind == run_Shape_List ? tree.shape.List.count : 0);
}
