/* SPDX-License-Identifier: Apache-2.0 */
#include "artefacts_suite.h"

#include <pthread.h>
#include <stdlib.h>

#include "cmocka_test.h"

#include "content.h"

static const struct artefacts_backend *backend;

struct fixture {
	struct loop loop;
	void *place;
	struct artefacts *artefacts;
};

/* --- operations, each awaited ------------------------------------------------------------------------------------- */

struct waiter {
	struct artefact_op op;
	unsigned calls;
	bool failed;
	struct error err;
};

static void on_done(struct artefact_op *op, const struct error *err) {
	struct waiter *waiter = CONTAINER_OF(op, struct waiter, op);
	waiter->calls++;
	waiter->failed = err != NULL;
	if (err != NULL)
		waiter->err = *err;
}

static void waiter_init(struct waiter *waiter, struct loop *loop) {
	*waiter = (struct waiter){.op = {.loop = loop, .done = on_done}};
}

static int await(struct waiter *waiter, struct error *err) {
	while (waiter->calls == 0)
		uv_run(&waiter->op.loop->uv, UV_RUN_ONCE);
	if (waiter->failed)
		*err = waiter->err;
	return waiter->failed ? -1 : 0;
}

static bool have(struct artefacts *artefacts, struct loop *loop, const struct digest *digest) {
	struct waiter waiter;
	struct error err;
	bool found = false;
	waiter_init(&waiter, loop);
	artefacts_have(artefacts, &waiter.op, digest, 1, &found);
	return await(&waiter, &err) == 0 && found;
}

static void quarantine(struct artefacts *artefacts, struct loop *loop, const struct digest *digest) {
	struct waiter waiter;
	struct error err;
	waiter_init(&waiter, loop);
	artefacts_quarantine(artefacts, &waiter.op, digest);
	await(&waiter, &err);
}

/* Writes pieces of the given size; the last one goes with the commit. */
static int upload(struct artefacts *artefacts, struct loop *loop, struct str content, size_t piece,
		  struct digest *ret_digest, struct error *err) {
	struct artefact_writer *writer = artefact_writer_new(artefacts, loop);
	struct waiter waiter;
	int result = 0;
	for (; content.len > piece && result == 0; content = str_from_offset(content, piece)) {
		waiter_init(&waiter, loop);
		artefact_writer_write(writer, &waiter.op, str_new(content.ptr, piece));
		result = await(&waiter, err);
	}
	if (result == 0) {
		waiter_init(&waiter, loop);
		artefact_writer_commit(writer, &waiter.op, content, ret_digest);
		result = await(&waiter, err);
	}
	artefact_writer_free(writer);
	return result;
}

static int read_piece(struct artefact_reader *reader, char *bytes, size_t size, size_t *ret_len, struct error *err) {
	struct waiter waiter;
	waiter_init(&waiter, reader->loop);
	artefact_reader_read(reader, &waiter.op, bytes, size, ret_len);
	return await(&waiter, err);
}

/* 0: the content is as expected; 1: it is another one; -1: an error. */
static int read_back(struct artefacts *artefacts, struct loop *loop, const struct digest *digest, struct str expected,
		     struct error *err) {
	struct artefact_reader *reader = artefact_reader_new(artefacts, loop, digest);
	char bytes[10000];
	size_t len = 0, done = 0;
	bool same = true;
	int result;
	while ((result = read_piece(reader, bytes, sizeof bytes, &len, err)) == 0 && len > 0) {
		same = same && done + len <= expected.len && memcmp(bytes, expected.ptr + done, len) == 0;
		done += len;
	}
	/* The end stays the end. */
	if (result == 0 && (read_piece(reader, bytes, sizeof bytes, &len, err) < 0 || len > 0))
		same = false;
	artefact_reader_free(reader);
	return result < 0 ? -1 : same && done == expected.len ? 0 : 1;
}

/* --- the fixture -------------------------------------------------------------------------------------------------- */

static void close_artefacts(struct fixture *fixture) {
	struct waiter waiter;
	struct error err;
	waiter_init(&waiter, &fixture->loop);
	artefacts_close(fixture->artefacts, &waiter.op);
	assert_int_equal(await(&waiter, &err), 0);
	fixture->artefacts = NULL;
}

static int set_up(void **state) {
	struct fixture *fixture = mem_zalloc(sizeof *fixture);
	loop_init(&fixture->loop);
	fixture->place = backend->place_new();
	fixture->artefacts = backend->open(fixture->place);
	*state = fixture;
	return 0;
}

static int tear_down(void **state) {
	struct fixture *fixture = *state;
	if (fixture->artefacts != NULL)
		close_artefacts(fixture);
	loop_deinit(&fixture->loop);
	backend->place_free(fixture->place);
	free(fixture);
	return 0;
}

static struct digest put(struct fixture *fixture, struct str content) {
	struct digest digest;
	struct error err;
	if (upload(fixture->artefacts, &fixture->loop, content, 64 << 10, &digest, &err) < 0)
		fail_msg("%s", err.msg);
	return digest;
}

static bool is_there(struct fixture *fixture, const struct digest *digest) {
	return have(fixture->artefacts, &fixture->loop, digest);
}

static void assert_content(struct fixture *fixture, const struct digest *digest, struct str expected) {
	struct error err;
	assert_int_equal(read_back(fixture->artefacts, &fixture->loop, digest, expected, &err), 0);
}

/* --- tests -------------------------------------------------------------------------------------------------------- */

static void keeps_contents_of_all_sizes(void **state) {
	struct fixture *fixture = *state;
	static const struct {
		size_t size, piece;
	} cases[] = {{0, 1}, {1, 1}, {4096, 100}, {70000, 70000}, {(5 << 20) + 1, 70001}};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *bytes = make_content(cases[i].size, (unsigned)i);
		struct str content = str_new(bytes, cases[i].size);
		struct digest digest, expected;
		struct error err;
		digest_of(content, &expected);
		assert_false(is_there(fixture, &expected));
		assert_int_equal(upload(fixture->artefacts, &fixture->loop, content, cases[i].piece, &digest, &err), 0);
		assert_true(digest_eq(&digest, &expected));
		assert_true(is_there(fixture, &digest));
		assert_content(fixture, &digest, content);
		free(bytes);
	}
}

static void keeps_contents_while_it_is_closed(void **state) {
	struct fixture *fixture = *state;
	struct digest digest = put(fixture, STR("content"));
	close_artefacts(fixture);
	fixture->artefacts = backend->open(fixture->place);
	assert_true(is_there(fixture, &digest));
	assert_content(fixture, &digest, STR("content"));
}

static void discards_an_uncommitted_content(void **state) {
	struct fixture *fixture = *state;
	struct artefact_writer *writer = artefact_writer_new(fixture->artefacts, &fixture->loop);
	struct waiter waiter;
	struct error err;
	struct digest digest;
	digest_of(STR("content"), &digest);
	waiter_init(&waiter, &fixture->loop);
	artefact_writer_write(writer, &waiter.op, STR("content"));
	assert_int_equal(await(&waiter, &err), 0);
	artefact_writer_free(writer);
	assert_false(is_there(fixture, &digest));
	artefact_writer_free(artefact_writer_new(fixture->artefacts, &fixture->loop));
	artefact_writer_free(NULL);
	artefact_reader_free(NULL);
}

static void names_a_missing_content(void **state) {
	struct fixture *fixture = *state;
	struct digest digest;
	struct error err;
	digest_of(STR("never uploaded"), &digest);
	assert_int_equal(read_back(fixture->artefacts, &fixture->loop, &digest, STR(""), &err), -1);
	assert_int_equal(err.code, CODE_NOT_FOUND);
	assert_non_null(strstr(err.msg, digest_to_hex(&digest).text));
}

static void a_reader_finds_damage_and_an_upload_heals_it(void **state) {
	struct fixture *fixture = *state;
	static const size_t sizes[] = {0, 1, 100000};
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		char *bytes = make_content(sizes[i], 3);
		struct str content = str_new(bytes, sizes[i]);
		struct error err;
		struct digest digest = put(fixture, content);
		backend->damage(fixture->place, &digest);
		assert_true(is_there(fixture, &digest)); /* which reads nothing */
		assert_int_equal(read_back(fixture->artefacts, &fixture->loop, &digest, content, &err), -1);
		assert_int_equal(err.code, CODE_DATA_LOSS);
		assert_non_null(strstr(err.msg, digest_to_hex(&digest).text));
		assert_non_null(strstr(err.msg, "deploy again"));
		assert_false(is_there(fixture, &digest));
		put(fixture, content);
		assert_content(fixture, &digest, content);
		free(bytes);
	}
}

static void an_upload_heals_damage_that_nobody_has_read(void **state) {
	struct fixture *fixture = *state;
	struct digest digest = put(fixture, STR("content"));
	backend->damage(fixture->place, &digest);
	put(fixture, STR("content"));
	assert_content(fixture, &digest, STR("content"));
}

static void quarantine_takes_only_damaged_contents(void **state) {
	struct fixture *fixture = *state;
	struct digest sound = put(fixture, STR("sound")), damaged = put(fixture, STR("damaged")), missing;
	digest_of(STR("missing"), &missing);
	backend->damage(fixture->place, &damaged);
	quarantine(fixture->artefacts, &fixture->loop, &sound);
	quarantine(fixture->artefacts, &fixture->loop, &damaged);
	quarantine(fixture->artefacts, &fixture->loop, &missing);
	assert_true(is_there(fixture, &sound));
	assert_false(is_there(fixture, &damaged));
}

static void tells_of_many_contents_at_once(void **state) {
	struct fixture *fixture = *state;
	enum { COUNT = 10000, PRESENT_EACH = 2500 };
	struct digest *digests = mem_alloc(COUNT * sizeof *digests);
	bool *found = mem_zalloc(COUNT * sizeof *found);
	for (size_t i = 0; i < COUNT; i++) {
		digest_of(str_new((const char *)&i, sizeof i), &digests[i]);
		if (i % PRESENT_EACH == 1)
			put(fixture, str_new((const char *)&i, sizeof i));
	}
	struct waiter waiter;
	struct error err;
	waiter_init(&waiter, &fixture->loop);
	artefacts_have(fixture->artefacts, &waiter.op, digests, COUNT, found);
	assert_int_equal(await(&waiter, &err), 0);
	for (size_t i = 0; i < COUNT; i++)
		assert_int_equal(found[i], i % PRESENT_EACH == 1);
	waiter_init(&waiter, &fixture->loop);
	artefacts_have(fixture->artefacts, &waiter.op, NULL, 0, NULL);
	assert_int_equal(await(&waiter, &err), 0);
	free(digests);
	free(found);
}

/* Runs the loop until the operation is done, and then long enough for a second completion to show. */
static void assert_completes_once(struct waiter *waiter) {
	struct error err;
	assert_int_equal(waiter->calls, 0);
	assert_int_equal(await(waiter, &err), 0);
	for (int i = 0; i < 20; i++)
		uv_run(&waiter->op.loop->uv, UV_RUN_NOWAIT);
	assert_int_equal(waiter->calls, 1);
	waiter_init(waiter, waiter->op.loop);
}

static void an_operation_completes_once_and_never_inside_its_call(void **state) {
	struct fixture *fixture = *state;
	struct waiter waiter;
	struct digest digest;
	bool found;
	char byte;
	size_t len;
	waiter_init(&waiter, &fixture->loop);
	struct artefact_writer *writer = artefact_writer_new(fixture->artefacts, &fixture->loop);
	artefact_writer_write(writer, &waiter.op, STR("con"));
	assert_completes_once(&waiter);
	artefact_writer_commit(writer, &waiter.op, STR("tent"), &digest);
	assert_completes_once(&waiter);
	artefact_writer_free(writer);
	artefacts_have(fixture->artefacts, &waiter.op, &digest, 1, &found);
	assert_completes_once(&waiter);
	struct artefact_reader *reader = artefact_reader_new(fixture->artefacts, &fixture->loop, &digest);
	artefact_reader_read(reader, &waiter.op, &byte, 1, &len);
	assert_completes_once(&waiter);
	artefact_reader_free(reader);
	artefacts_quarantine(fixture->artefacts, &waiter.op, &digest);
	assert_completes_once(&waiter);
	artefacts_close(fixture->artefacts, &waiter.op);
	assert_completes_once(&waiter);
	fixture->artefacts = NULL;
}

static void closes_when_the_last_reader_and_writer_are_gone(void **state) {
	struct fixture *fixture = *state;
	struct digest digest = put(fixture, STR("content"));
	struct artefact_writer *writer = artefact_writer_new(fixture->artefacts, &fixture->loop);
	struct artefact_reader *reader = artefact_reader_new(fixture->artefacts, &fixture->loop, &digest);
	struct waiter writing, reading, closing;
	struct error err;
	char byte;
	size_t len;
	waiter_init(&writing, &fixture->loop);
	waiter_init(&reading, &fixture->loop);
	waiter_init(&closing, &fixture->loop);
	artefact_writer_write(writer, &writing.op, STR("more"));
	artefact_reader_read(reader, &reading.op, &byte, 1, &len);
	artefacts_close(fixture->artefacts, &closing.op);
	assert_int_equal(await(&writing, &err), 0);
	assert_int_equal(await(&reading, &err), 0);
	artefact_writer_free(writer);
	for (int i = 0; i < 20; i++)
		uv_run(&fixture->loop.uv, UV_RUN_NOWAIT);
	assert_int_equal(closing.calls, 0);
	artefact_reader_free(reader);
	assert_int_equal(await(&closing, &err), 0);
	fixture->artefacts = backend->open(fixture->place);
	assert_true(is_there(fixture, &digest));
}

/* --- many at once ------------------------------------------------------------------------------------------------- */

enum { UPLOADS = 24, UPLOAD_SIZE = 30000, UPLOAD_PIECE = 10000 };

struct transfer {
	struct artefact_op op;
	struct artefact_writer *writer;
	char *content;
	size_t at;
	struct digest digest;
	bool failed;
	unsigned *left;
};

static void on_piece_written(struct artefact_op *op, const struct error *err);

static void on_committed(struct artefact_op *op, const struct error *err) {
	struct transfer *transfer = CONTAINER_OF(op, struct transfer, op);
	transfer->failed |= err != NULL;
	artefact_writer_free(transfer->writer);
	--*transfer->left;
}

static void write_next(struct transfer *transfer) {
	struct str piece = str_new(transfer->content + transfer->at, UPLOAD_PIECE);
	transfer->at += UPLOAD_PIECE;
	bool is_last = transfer->at == UPLOAD_SIZE;
	transfer->op.done = is_last ? on_committed : on_piece_written;
	if (is_last)
		artefact_writer_commit(transfer->writer, &transfer->op, piece, &transfer->digest);
	else
		artefact_writer_write(transfer->writer, &transfer->op, piece);
}

static void on_piece_written(struct artefact_op *op, const struct error *err) {
	struct transfer *transfer = CONTAINER_OF(op, struct transfer, op);
	transfer->failed |= err != NULL;
	write_next(transfer);
}

static void many_uploads_on_one_loop(void **state) {
	struct fixture *fixture = *state;
	struct transfer transfers[UPLOADS];
	unsigned left = UPLOADS;
	for (unsigned i = 0; i < UPLOADS; i++) {
		transfers[i] = (struct transfer){.op.loop = &fixture->loop, .left = &left};
		transfers[i].content = make_content(UPLOAD_SIZE, i);
		transfers[i].writer = artefact_writer_new(fixture->artefacts, &fixture->loop);
		write_next(&transfers[i]);
	}
	while (left > 0)
		uv_run(&fixture->loop.uv, UV_RUN_ONCE);
	for (unsigned i = 0; i < UPLOADS; i++) {
		assert_false(transfers[i].failed);
		assert_content(fixture, &transfers[i].digest, str_new(transfers[i].content, UPLOAD_SIZE));
		free(transfers[i].content);
	}
}

enum { THREADS = 4, ROUNDS = 40, CONTENTS = 6 };

struct worker {
	pthread_t thread;
	struct artefacts *artefacts;
	struct loop loop;
	unsigned seed;
	const char *failed;
	struct error err;
};

/* The workers upload the same few contents, so that their commits meet. Content 0 is large enough that the folder
 * hashes it on a thread. */
static const char *work_round(struct worker *worker, unsigned which, struct error *err) {
	size_t size = which == 0 ? 5 << 20 : which * 1000;
	char *bytes = make_content(size, which);
	struct str content = str_new(bytes, size);
	struct digest digest, expected;
	const char *failed = NULL;
	digest_of(content, &expected);
	if (upload(worker->artefacts, &worker->loop, content, which == 0 ? 1 << 20 : 500, &digest, err) < 0)
		failed = "upload";
	else if (!digest_eq(&digest, &expected))
		failed = "digest";
	else if (!have(worker->artefacts, &worker->loop, &digest))
		failed = "have";
	else if (read_back(worker->artefacts, &worker->loop, &digest, content, err) != 0)
		failed = "read";
	quarantine(worker->artefacts, &worker->loop, &expected);
	free(bytes);
	return failed;
}

static void *run_worker(void *argument) {
	struct worker *worker = argument;
	loop_init(&worker->loop);
	for (int round = 0; round < ROUNDS && worker->failed == NULL; round++) {
		unsigned which = (unsigned)rand_r(&worker->seed) % CONTENTS;
		if (which > 0 || round % 8 == 0)
			worker->failed = work_round(worker, which, &worker->err);
	}
	loop_run_out(&worker->loop);
	loop_deinit(&worker->loop);
	return NULL;
}

static void several_loops_share_a_place(void **state) {
	struct fixture *fixture = *state;
	struct worker *workers = mem_zalloc(THREADS * sizeof *workers);
	for (unsigned i = 0; i < THREADS; i++) {
		workers[i].artefacts = fixture->artefacts;
		workers[i].seed = i + 1;
		assert_int_equal(pthread_create(&workers[i].thread, NULL, run_worker, &workers[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		if (workers[i].failed != NULL)
			fail_msg("%s: %s", workers[i].failed, workers[i].err.msg);
	}
	free(workers);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int artefacts_suite_run(const struct artefacts_backend *tested) {
	const struct CMUnitTest tests[] = {
		TEST(keeps_contents_of_all_sizes),
		TEST(keeps_contents_while_it_is_closed),
		TEST(discards_an_uncommitted_content),
		TEST(names_a_missing_content),
		TEST(a_reader_finds_damage_and_an_upload_heals_it),
		TEST(an_upload_heals_damage_that_nobody_has_read),
		TEST(quarantine_takes_only_damaged_contents),
		TEST(tells_of_many_contents_at_once),
		TEST(an_operation_completes_once_and_never_inside_its_call),
		TEST(closes_when_the_last_reader_and_writer_are_gone),
		TEST(many_uploads_on_one_loop),
		TEST(several_loops_share_a_place),
	};
	backend = tested;
	return cmocka_run_group_tests_name(tested->name, tests, NULL, NULL);
}
