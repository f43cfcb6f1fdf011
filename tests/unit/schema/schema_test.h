/* SPDX-License-Identifier: Apache-2.0 */
/* A text on its way through the schema code, and all that it leaves behind to free. */
#pragma once

#include "cmocka_test.h"

#include "base/buf.h"
#include "schema/check.h"
#include "schema/parse.h"
#include "schema/print.h"
#include "schema/proto.h"

struct world {
	struct arena arena;
	struct schema_diagnostics diagnostics;
	struct buf buf;
};

static inline struct world *world_new(void) {
	struct world *world = test_calloc(1, sizeof *world);
	arena_init(&world->arena, (size_t)16 * SCHEMA_ARENA_MAX);
	schema_diagnostics_init(&world->diagnostics);
	buf_init(&world->buf, MIB(16));
	return world;
}

static inline void world_free(struct world *world) {
	arena_deinit(&world->arena);
	schema_diagnostics_deinit(&world->diagnostics);
	buf_deinit(&world->buf);
	test_free(world);
}

/* The text in the buffer, terminated; until the buffer's next change. */
static inline const char *buf_text(struct buf *buf) {
	char *end = buf_reserve(buf, 1);
	assert_non_null(end);
	*end = '\0';
	return buf->base + buf->read;
}

static inline const char *diagnostics_text(struct world *world) {
	buf_clear(&world->buf);
	schema_diagnostics_sort(&world->diagnostics);
	assert_int_equal(schema_diagnostics_print(&world->diagnostics, &world->buf), 0);
	return buf_text(&world->buf);
}

/* NULL: it had errors, which are in the diagnostics. */
static inline struct schema_module *parse(struct world *world, const char *text) {
	struct schema_module *module = NULL;
	if (schema_parse(str_from(text), "t.ftl", &world->arena, &module, &world->diagnostics) != 0)
		return NULL;
	return module;
}

static inline struct schema_module *parse_good(struct world *world, const char *text) {
	struct schema_module *module = parse(world, text);
	if (module == NULL)
		fail_msg("%s", diagnostics_text(world));
	return module;
}

static inline struct schema_module *check_good(struct world *world, const char *text) {
	struct schema_module *module = parse_good(world, text);
	if (schema_check(module, &world->diagnostics) != 0)
		fail_msg("%s", diagnostics_text(world));
	return module;
}

static inline const char *print(struct world *world, const struct schema_module *module) {
	buf_clear(&world->buf);
	assert_int_equal(schema_print(module, &world->buf), 0);
	return buf_text(&world->buf);
}
