/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Schemas of one verb each, so that "a:x" is module a with the verb x. What a reader is told reads "+a:x *".
 */
#include "backplane/services/schema_feed.h"

#include <stdio.h>

#include "../schema/schema_test.h"

#include "pb/pb.h"
#include "schema.pb-c.h"
#include "schema/packed.h"

struct stage {
	struct world *world;
	struct schema_feed book;
	struct schema_reader reader;
	struct buf told;
	size_t room; /* news that are taken before no more is wanted */
};

static int setup(void **state) {
	struct stage *stage = test_calloc(1, sizeof *stage);
	stage->world = world_new();
	schema_feed_init(&stage->book);
	schema_reader_init(&stage->reader, "");
	buf_init(&stage->told, KIB(64));
	*state = stage;
	return 0;
}

static int teardown(void **state) {
	struct stage *stage = *state;
	schema_reader_deinit(&stage->reader);
	schema_feed_deinit(&stage->book);
	buf_deinit(&stage->told);
	world_free(stage->world);
	test_free(stage);
	return 0;
}

static struct packed_schema *make_schema(struct stage *stage, const char *module, const char *verb, int64_t created) {
	struct arena *arena = &stage->world->arena;
	struct schema_module *model =
		check_good(stage->world, arena_printf(arena, "module %s { verb %s(Unit) Unit }", module, verb));
	model->language = "c";
	model->has_create_time = true;
	model->create_time.seconds = created;
	return packed_schema_new(pb_pack((const ProtobufCMessage *)schema_to_proto(model, arena), arena));
}

/* verb NULL: nothing of it runs. */
static bool set_at(struct stage *stage, const char *module, const char *verb, int64_t created) {
	struct packed_schema *schema = verb != NULL ? make_schema(stage, module, verb, created) : NULL;
	bool changed = schema_feed_set(&stage->book, module, schema);
	packed_schema_unref(schema);
	return changed;
}

static bool set(struct stage *stage, const char *module, const char *verb) {
	static int64_t created;
	return set_at(stage, module, verb, ++created);
}

static bool tell(void *owner, const struct schema_news *news) {
	static const char marks[] =
		{[SCHEMA_ADDED] = '+', [SCHEMA_CHANGED] = '~', [SCHEMA_REMOVED] = '-', [SCHEMA_ALL_TOLD] = '*'};
	struct stage *stage = owner;
	const char *verb = "";
	if (news->schema != NULL)
		verb = packed_schema_module((struct packed_schema *)news->schema)->decls[0].name;
	assert_int_equal(buf_printf(&stage->told, "%s%c%s%s%s", buf_len(&stage->told) > 0 ? " " : "", marks[news->kind],
				    news->module, verb[0] ? ":" : "", verb),
			 0);
	return --stage->room > 0;
}

/* What the reader is told now, at most room pieces of it. */
static const char *read_some(struct stage *stage, size_t room) {
	buf_clear(&stage->told);
	stage->room = room;
	schema_reader_read(&stage->reader, &stage->book, tell, stage);
	return buf_text(&stage->told);
}

static const char *read_all(struct stage *stage) {
	return read_some(stage, SIZE_MAX);
}

static void test_first_all_then_a_mark_then_each_change(void **state) {
	struct stage *stage = *state;
	assert_true(set(stage, "b", "x"));
	assert_true(set(stage, "a", "x"));
	assert_string_equal(read_all(stage), "+b:x +a:x *");
	assert_string_equal(read_all(stage), "");
	set(stage, "c", "x");
	assert_string_equal(read_all(stage), "+c:x");
	set(stage, "b", "y");
	set(stage, "a", NULL);
	assert_string_equal(read_all(stage), "~b:y -a");
	set(stage, "a", "z");
	assert_string_equal(read_all(stage), "+a:z");
	assert_string_equal(read_all(stage), "");
}

static void test_the_mark_also_comes_of_nothing(void **state) {
	struct stage *stage = *state;
	assert_string_equal(read_all(stage), "*");
	assert_string_equal(read_all(stage), "");
	assert_false(set(stage, "a", NULL));
	assert_string_equal(read_all(stage), "");
}

static void test_the_same_schema_again_is_no_change(void **state) {
	struct stage *stage = *state;
	assert_true(set_at(stage, "a", "x", 1));
	assert_string_equal(read_all(stage), "+a:x *");
	assert_false(set_at(stage, "a", "x", 2));
	assert_string_equal(read_all(stage), "");
	assert_true(set_at(stage, "a", "y", 3));
	assert_false(set_at(stage, "a", "y", 3));
	assert_string_equal(read_all(stage), "~a:y");
	assert_true(set(stage, "a", NULL));
	assert_false(set(stage, "a", NULL));
	assert_string_equal(read_all(stage), "-a");
}

static void test_who_reads_slowly_is_told_how_it_is_now(void **state) {
	struct stage *stage = *state;
	set(stage, "a", "x");
	set(stage, "b", "x");
	set(stage, "c", "x");
	assert_string_equal(read_some(stage, 1), "+a:x");
	set(stage, "a", "y");
	set(stage, "a", "z"); /* two changes of what it knows: one */
	set(stage, "b", NULL); /* gone before it was told */
	set(stage, "d", "x");
	set(stage, "d", NULL); /* came and went */
	set(stage, "e", "x");
	set(stage, "e", NULL);
	set(stage, "e", "y"); /* and came again */
	assert_string_equal(read_some(stage, 1), "+c:x");
	assert_string_equal(read_some(stage, 1), "~a:z");
	set(stage, "a", NULL);
	set(stage, "a", "w"); /* it never saw it gone */
	assert_string_equal(read_all(stage), "+e:y ~a:w *");
}

static void test_no_change_is_lost_to_any_pace(void **state) {
	struct stage *stage = *state;
	char name[8], verb[8];
	for (unsigned seed = 0; seed < 200; seed++) {
		snprintf(name, sizeof name, "m%u", seed * 7 % 5);
		snprintf(verb, sizeof verb, "v%u", seed);
		set(stage, name, seed % 3 == 0 ? NULL : verb);
		if (seed % 4 == 0)
			read_some(stage, 1 + seed % 3);
	}
	read_all(stage);
	/* What it knows is what a new reader is told. */
	struct schema_reader late;
	schema_reader_init(&late, "");
	buf_clear(&stage->told);
	stage->room = SIZE_MAX;
	schema_reader_read(&late, &stage->book, tell, stage);
	assert_int_equal(late.known.len, stage->reader.known.len);
	size_t cursor = 0;
	assert_true(late.known.len > 0 && map_next(&late.known, &cursor) != NULL);
	schema_reader_deinit(&late);
}

static void test_a_reader_of_one_module(void **state) {
	struct stage *stage = *state;
	schema_reader_deinit(&stage->reader);
	schema_reader_init(&stage->reader, "b");
	set(stage, "a", "x");
	assert_string_equal(read_all(stage), "*");
	set(stage, "b", "x");
	set(stage, "a", "y");
	assert_string_equal(read_all(stage), "+b:x");
	set(stage, "a", NULL);
	assert_string_equal(read_all(stage), "");
}

int main(void) {
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		CASE(test_first_all_then_a_mark_then_each_change),
		CASE(test_the_mark_also_comes_of_nothing),
		CASE(test_the_same_schema_again_is_no_change),
		CASE(test_who_reads_slowly_is_told_how_it_is_now),
		CASE(test_no_change_is_lost_to_any_pace),
		CASE(test_a_reader_of_one_module),
#undef CASE
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
