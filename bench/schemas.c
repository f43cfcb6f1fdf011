/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parses, checks and compares 1,000 modules with 20 verbs each, and resolves their references.
 */
#include <stdio.h>
#include <time.h>

#include "base/map.h"
#include "schema/check.h"
#include "schema/compare.h"
#include "schema/parse.h"
#include "schema/references.h"

enum { MODULES = 1000, VERBS = 20 };

static void write_module(struct buf *text, int number, bool newer) {
	int failed = buf_printf(text, "// Module %d.\nmodule m%d {\n", number, number);
	for (int i = 0; i < VERBS; i++) {
		failed |= buf_printf(text,
				     "  export data Request%d { name String  count Int?  tags [String]%s }\n"
				     "  export data Response%d { message String  at Time  more {String: Int} }\n"
				     "  // Does it.\n"
				     "  export verb verb%d(m%d.Request%d) m%d.Response%d\n      +calls m%d.verb%d\n",
				     i, newer ? "  note String?" : "", i, i, number, i, number, i,
				     (number + 1) % MODULES, i);
	}
	failed |= buf_append(text, STR("}\n"));
	ASSERT(!failed);
}

static struct schema_module *parse(struct str text, struct arena *arena, struct schema_diagnostics *diagnostics) {
	struct schema_module *module = NULL;
	int failed = schema_parse(text, "bench.ftl", arena, &module, diagnostics) < 0 ||
		     schema_check(module, diagnostics) < 0;
	ASSERT(!failed);
	return module;
}

static double now_ms(void) {
	struct timespec now;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

int main(void) {
	static struct buf before[MODULES], after[MODULES];
	static struct schema_module *modules[MODULES], *newer[MODULES];
	struct arena arena = ARENA_INIT((size_t)4 << 30);
	struct schema_diagnostics diagnostics;
	struct map map;
	map_init(&map);
	schema_diagnostics_init(&diagnostics);
	for (int i = 0; i < MODULES; i++) {
		buf_init(&before[i], MIB(1));
		buf_init(&after[i], MIB(1));
		write_module(&before[i], i, false);
		write_module(&after[i], i, true);
	}
	/* The deployed modules, which the Backplane has parsed before. */
	for (int i = 0; i < MODULES; i++)
		modules[i] = parse(buf_view(&before[i]), &arena, &diagnostics);
	double start = now_ms();
	for (int i = 0; i < MODULES; i++) {
		newer[i] = parse(buf_view(&after[i]), &arena, &diagnostics);
		map_put(&map, str_from(newer[i]->name), newer[i]);
	}
	double parsed = now_ms();
	size_t changes = 0;
	for (int i = 0; i < MODULES; i++) {
		struct schema_comparison comparison;
		int failed = schema_check_references(newer[i], &map, &diagnostics);
		ASSERT(!failed);
		schema_compare(modules[i], newer[i], NULL, &arena, &comparison);
		changes += comparison.count;
	}
	double end = now_ms();
	printf("%d modules of %d verbs, CPU time: parse and check %.0f ms, references and compare %.0f ms, together %.0f ms "
	       "(%zu changes)\n",
	       MODULES, VERBS, parsed - start, end - parsed, end - start, changes);
	for (int i = 0; i < MODULES; i++) {
		buf_deinit(&before[i]);
		buf_deinit(&after[i]);
	}
	schema_diagnostics_deinit(&diagnostics);
	map_deinit(&map);
	arena_deinit(&arena);
	return changes != (size_t)MODULES * VERBS;
}
