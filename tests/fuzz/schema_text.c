/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any text as a schema: either there are diagnostics, or text and protobuf both hold the same schema.
 */
#include <stdlib.h>

#include "base/map.h"
#include "fuzz.h"
#include "schema/check.h"
#include "schema/compare.h"
#include "schema/openapi.h"
#include "schema/parse.h"
#include "schema/print.h"
#include "schema/proto.h"
#include "schema/references.h"

#include "schema.pb-c.h"

static struct schema_diagnostics diagnostics;

static struct schema_module *reread(const struct buf *text, struct arena *arena) {
	struct schema_module *module = NULL;
	ASSERT(schema_parse(buf_view(text), "again", arena, &module, &diagnostics) == 0);
	return module;
}

static struct schema_module *over_the_wire(const struct schema_module *module, struct arena *arena) {
	Schema__Module *message = schema_to_proto(module, arena);
	size_t size = schema__module__get_packed_size(message);
	uint8_t *bytes = arena_alloc(arena, size);
	schema__module__pack(message, bytes);
	Schema__Module *received = schema__module__unpack(NULL, size, bytes);
	struct schema_module *copy = NULL;
	ASSERT(received != NULL && schema_from_proto(received, arena, &copy, &diagnostics) == 0);
	schema__module__free_unpacked(received, NULL);
	return copy;
}

static void print_into(struct buf *buf, const struct schema_module *module) {
	buf_clear(buf);
	ASSERT(schema_print(module, buf) == 0);
}

static void use(struct schema_module *module, struct arena *arena, struct buf *buf) {
	struct schema_comparison comparison;
	struct map modules;
	struct error err;
	map_init(&modules);
	(void)map_put(&modules, str_from(module->name), module);
	(void)!schema_check_references(module, &modules, &diagnostics);
	schema_compare(module, module, NULL, arena, &comparison);
	ASSERT(comparison.count == 0);
	const struct schema_module *described = module;
	const struct schema_openapi options = {.described = &described,
					       .described_count = 1,
					       .modules = &modules,
					       .title = "t",
					       .version = "1",
					       .path_prefix = "/"};
	buf_clear(buf);
	(void)!schema_openapi(&options, buf, &err);
	map_deinit(&modules);
}

static void round_trip(struct schema_module *module, struct arena *arena, struct buf *buf, struct buf *again) {
	print_into(buf, module);
	print_into(again, reread(buf, arena));
	ASSERT(str_eq(buf_view(buf), buf_view(again)));
	print_into(again, over_the_wire(module, arena));
	ASSERT(str_eq(buf_view(buf), buf_view(again)));
	use(module, arena, buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct arena arena = ARENA_INIT((size_t)8 * SCHEMA_ARENA_MAX);
	struct buf buf = BUF_INIT(MIB(64)), again = BUF_INIT(MIB(64));
	schema_diagnostics_init(&diagnostics);
	struct schema_module *module = NULL;
	int parsed = schema_parse(str_new(data, size), "fuzz.ftl", &arena, &module, &diagnostics);
	ASSERT((parsed == 0) == (diagnostics.count == 0));
	bool checked = module != NULL && schema_check(module, &diagnostics) == 0;
	if (parsed == 0 && checked)
		round_trip(module, &arena, &buf, &again);
	buf_clear(&buf);
	ASSERT(schema_diagnostics_print(&diagnostics, &buf) == 0 && str_is_text(buf_view(&buf)));
	buf_deinit(&buf);
	buf_deinit(&again);
	schema_diagnostics_deinit(&diagnostics);
	arena_deinit(&arena);
	return 0;
}
