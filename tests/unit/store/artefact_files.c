/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What only the folder shows: its files, and full disks. artefacts_suite.c has what every implementation promises.
 */
#include "store/artefact_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "content.h"
#include "place.h"

struct fixture {
	struct place place;
	struct artefact_files *files;
};

static struct artefact_files *open_folder(const struct fixture *fixture) {
	struct artefact_files *files;
	struct error err;
	if (artefact_files_open(fixture->place.path, &files, &err) < 0)
		fail_msg("%s", err.msg);
	return files;
}

static int set_up(void **state) {
	struct fixture *fixture = mem_zalloc(sizeof *fixture);
	place_make(&fixture->place);
	fixture->files = open_folder(fixture);
	*state = fixture;
	return 0;
}

static int tear_down(void **state) {
	struct fixture *fixture = *state;
	artefact_files_close(fixture->files);
	place_remove(&fixture->place);
	free(fixture);
	return 0;
}

static int upload(struct artefact_files *files, struct str content, size_t piece, struct digest *ret_digest,
		  struct error *err) {
	struct artefact_file_writer *writer;
	if (artefact_file_writer_new(files, &writer, err) < 0)
		return -1;
	int result = 0;
	for (size_t at = 0; at < content.len && result == 0; at += piece)
		result = artefact_file_writer_write(writer, str_new(content.ptr + at, MIN(piece, content.len - at)),
						    err);
	if (result == 0)
		result = artefact_file_writer_commit(writer, ret_digest, err);
	artefact_file_writer_free(writer);
	return result;
}

static struct digest put(struct artefact_files *files, struct str content) {
	struct digest digest;
	struct error err;
	if (upload(files, content, 64 << 10, &digest, &err) < 0)
		fail_msg("%s", err.msg);
	return digest;
}

/* Reads a content and compares it with the expected one. -1: the reader failed. */
static int read_back(struct artefact_files *files, const struct digest *digest, struct str content, struct error *err) {
	struct artefact_file_reader *reader;
	if (artefact_file_reader_new(files, digest, &reader, err) < 0)
		return -1;
	char bytes[10000];
	size_t len = 0, done = 0;
	int result;
	bool same = true;
	while ((result = artefact_file_reader_read(reader, bytes, sizeof bytes, &len, err)) == 0 && len > 0) {
		same = same && done + len <= content.len && memcmp(bytes, content.ptr + done, len) == 0;
		done += len;
	}
	if (result == 0) {
		assert_true(same && done == content.len);
		assert_int_equal(artefact_file_reader_read(reader, bytes, sizeof bytes, &len, err), 0);
		assert_int_equal(len, 0);
	}
	artefact_file_reader_free(reader);
	return result;
}

static char *file_of(const struct fixture *fixture, const struct digest *digest) {
	struct digest_hex hex = digest_to_hex(digest);
	return mem_printf("%s/%.2s/%s", fixture->place.path, hex.text, hex.text);
}

static int count_files(const struct fixture *fixture, const char *folder) {
	char *path = mem_printf("%s/%s", fixture->place.path, folder);
	DIR *entries = opendir(path);
	free(path);
	int count = 0;
	for (struct dirent *entry; entries != NULL && (entry = readdir(entries)) != NULL;)
		count += entry->d_name[0] != '.';
	if (entries != NULL)
		closedir(entries);
	return count;
}

enum damage { FLIP, SHORTEN, LENGTHEN, REPLACE_BY_FOLDER, DAMAGE_COUNT };

static void damage_file(const struct fixture *fixture, const struct digest *digest, enum damage damage) {
	char *path = file_of(fixture, digest);
	struct stat status;
	assert_int_equal(stat(path, &status), 0);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	char byte;
	switch (damage) {
	case FLIP:
		assert_int_equal(pread(fd, &byte, 1, status.st_size / 2), 1);
		byte ^= 4;
		assert_int_equal(pwrite(fd, &byte, 1, status.st_size / 2), 1);
		break;
	case SHORTEN:
		assert_int_equal(ftruncate(fd, status.st_size - 1), 0);
		break;
	case LENGTHEN:
		assert_int_equal(pwrite(fd, "x", 1, status.st_size), 1);
		break;
	case REPLACE_BY_FOLDER:
		assert_int_equal(unlink(path), 0);
		assert_int_equal(mkdir(path, 0700), 0);
		break;
	case DAMAGE_COUNT:
		break;
	}
	close(fd);
	free(path);
}

static void keeps_contents_of_all_sizes(void **state) {
	struct fixture *fixture = *state;
	static const struct {
		size_t size, piece;
	} cases[] = {{0, 1},
		     {1, 1},
		     {4096, 100},
		     {(4 << 20), 16 << 10},
		     {(4 << 20) + 1, 70001},
		     {(9 << 20) + 3, 1 << 20},
		     {(21 << 20) + 7, 16 << 10},
		     {5 << 20, 5 << 20}};
	struct error err;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *content = make_content(cases[i].size, (unsigned)i);
		struct str all = str_new(content, cases[i].size);
		struct digest digest, expected;
		digest_of(all, &expected);
		assert_false(artefact_files_have(fixture->files, &expected));
		assert_int_equal(upload(fixture->files, all, cases[i].piece, &digest, &err), 0);
		assert_true(digest_eq(&digest, &expected));
		assert_true(artefact_files_have(fixture->files, &digest));
		assert_int_equal(read_back(fixture->files, &digest, all, &err), 0);
		char *path = file_of(fixture, &digest);
		assert_int_equal(access(path, R_OK), 0);
		free(path);
		free(content);
	}
	assert_int_equal(count_files(fixture, "incoming"), 0);
	artefact_files_close(fixture->files);
	assert_int_equal(count_files(fixture, "incoming"), 0);
	fixture->files = open_folder(fixture);
	struct digest empty;
	digest_of(STR(""), &empty);
	assert_int_equal(read_back(fixture->files, &empty, STR(""), &err), 0);
}

static void removes_the_file_of_an_uncommitted_content(void **state) {
	struct fixture *fixture = *state;
	static const size_t sizes[] = {0, 100, 7 << 20};
	struct error err;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct artefact_file_writer *writer;
		char *content = make_content(sizes[i], 1);
		assert_int_equal(artefact_file_writer_new(fixture->files, &writer, &err), 0);
		for (size_t at = 0; at < sizes[i]; at += 1 << 20)
			assert_int_equal(artefact_file_writer_write(writer,
								    str_new(content + at,
									    MIN(sizes[i] - at, (size_t)1 << 20)),
								    &err),
					 0);
		assert_int_equal(count_files(fixture, "incoming"), 1);
		artefact_file_writer_free(writer);
		assert_int_equal(count_files(fixture, "incoming"), 0);
		struct digest digest;
		digest_of(str_new(content, sizes[i]), &digest);
		assert_false(artefact_files_have(fixture->files, &digest));
		free(content);
	}
	artefact_file_writer_free(NULL);
	artefact_file_reader_free(NULL);
	artefact_files_close(NULL);
}

static void removes_unfinished_uploads_of_a_killed_process(void **state) {
	struct fixture *fixture = *state;
	artefact_files_close(fixture->files);
	pid_t child = fork();
	if (child == 0) {
		struct artefact_files *files = open_folder(fixture);
		struct artefact_file_writer *half, *more;
		put(files, STR("whole"));
		artefact_file_writer_new(files, &half, NULL);
		artefact_file_writer_new(files, &more, NULL);
		if (artefact_file_writer_write(half, STR("half"), NULL) == 0)
			kill(getpid(), SIGKILL);
		_exit(1);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(count_files(fixture, "incoming"), 2);
	fixture->files = open_folder(fixture);
	assert_int_equal(count_files(fixture, "incoming"), 0);
	struct digest digest;
	struct error err;
	digest_of(STR("whole"), &digest);
	assert_int_equal(read_back(fixture->files, &digest, STR("whole"), &err), 0);
	put(fixture->files, STR("more"));
}

static void moves_damaged_files_to_quarantine_and_takes_them_again(void **state) {
	struct fixture *fixture = *state;
	char *content = make_content(100000, 3);
	struct str all = str_new(content, 100000);
	struct error err;
	for (enum damage damage = 0; damage < DAMAGE_COUNT; damage++) {
		struct digest digest = put(fixture->files, all);
		damage_file(fixture, &digest, damage);
		assert_true(artefact_files_have(fixture->files, &digest));
		assert_int_equal(read_back(fixture->files, &digest, all, &err), -1);
		assert_int_equal(err.code, CODE_DATA_LOSS);
		assert_non_null(strstr(err.msg, digest_to_hex(&digest).text));
		assert_non_null(strstr(err.msg, "deploy again"));
		assert_false(artefact_files_have(fixture->files, &digest));
		assert_int_equal(count_files(fixture, "quarantine"), (int)damage + 1);
		put(fixture->files, all);
		assert_int_equal(read_back(fixture->files, &digest, all, &err), 0);
	}
	free(content);
}

static void notices_damage_that_happens_while_it_reads(void **state) {
	struct fixture *fixture = *state;
	struct error err;
	char *content = make_content(50000, 4);
	for (enum damage damage = FLIP; damage <= LENGTHEN; damage++) {
		struct digest digest = put(fixture->files, str_new(content, 50000));
		struct artefact_file_reader *reader;
		char bytes[1000];
		size_t len;
		assert_int_equal(artefact_file_reader_new(fixture->files, &digest, &reader, &err), 0);
		assert_int_equal(artefact_file_reader_read(reader, bytes, sizeof bytes, &len, &err), 0);
		damage_file(fixture, &digest, damage);
		int result, reads = 0;
		while ((result = artefact_file_reader_read(reader, bytes, sizeof bytes, &len, &err)) == 0 && len > 0) {
			if (damage == LENGTHEN) /* it grows as fast as it is read */
				damage_file(fixture, &digest, LENGTHEN);
			assert_true(++reads < 100);
		}
		assert_int_equal(result, -1);
		assert_int_equal(err.code, CODE_DATA_LOSS);
		artefact_file_reader_free(reader);
		assert_false(artefact_files_have(fixture->files, &digest));
	}
	free(content);
}

static void a_reader_of_a_damaged_file_spares_the_one_that_replaced_it(void **state) {
	struct fixture *fixture = *state;
	struct error err;
	struct digest digest = put(fixture->files, STR("content"));
	damage_file(fixture, &digest, FLIP);
	struct artefact_file_reader *reader;
	char bytes[100];
	size_t len;
	assert_int_equal(artefact_file_reader_new(fixture->files, &digest, &reader, &err), 0);
	put(fixture->files, STR("content"));
	assert_int_equal(artefact_file_reader_read(reader, bytes, sizeof bytes, &len, &err), 0);
	assert_int_equal(artefact_file_reader_read(reader, bytes, sizeof bytes, &len, &err), -1);
	assert_int_equal(err.code, CODE_DATA_LOSS);
	assert_non_null(strstr(err.msg, "try again"));
	artefact_file_reader_free(reader);
	assert_int_equal(read_back(fixture->files, &digest, STR("content"), &err), 0);
}

static void quarantine_keeps_a_bounded_number_of_files(void **state) {
	struct fixture *fixture = *state;
	for (int i = 0; i < 40; i++) {
		struct digest digest = put(fixture->files, i % 2 ? STR("one") : STR("other"));
		damage_file(fixture, &digest, FLIP);
		artefact_files_quarantine(fixture->files, &digest);
		assert_false(artefact_files_have(fixture->files, &digest));
	}
	assert_int_equal(count_files(fixture, "quarantine"), 16);
}

/* An upload of `over` bytes fails and leaves no file; one of `below` bytes still works afterwards. */
static void assert_full_disk(struct fixture *fixture, size_t over, size_t below) {
	struct error err;
	struct digest digest;
	char *content = make_content(over, 5);
	assert_int_equal(upload(fixture->files, str_new(content, over), 16 << 10, &digest, &err), -1);
	assert_int_equal(err.code, CODE_RESOURCE_EXHAUSTED);
	assert_non_null(strstr(err.msg, fixture->place.path));
	assert_int_equal(count_files(fixture, "incoming"), 0);
	digest_of(str_new(content, over), &digest);
	assert_false(artefact_files_have(fixture->files, &digest));
	digest = put(fixture->files, str_new(content, below));
	assert_int_equal(read_back(fixture->files, &digest, str_new(content, below), &err), 0);
	free(content);
}

static void an_upload_fails_when_its_file_cannot_grow(void **state) {
	limit_files(1 << 20);
	assert_full_disk(*state, 2 << 20, 1 << 20);
	limit_files(6 << 20); /* late enough that a thread hashes the file */
	assert_full_disk(*state, 8 << 20, 6 << 20);
	limit_files(RLIM_INFINITY);
}

static void an_upload_fails_when_the_disk_is_full(void **state) {
	struct fixture *fixture = *state;
	artefact_files_close(fixture->files);
	bool mounted = mount_small(fixture->place.path, "size=8m");
	fixture->files = open_folder(fixture);
	if (!mounted)
		skip();
	assert_full_disk(fixture, 9 << 20, 7 << 20);
	artefact_files_close(fixture->files);
	assert_int_equal(umount(fixture->place.path), 0);
	fixture->files = open_folder(fixture);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
	const struct CMUnitTest tests[] = {
		TEST(keeps_contents_of_all_sizes),
		TEST(removes_the_file_of_an_uncommitted_content),
		TEST(removes_unfinished_uploads_of_a_killed_process),
		TEST(moves_damaged_files_to_quarantine_and_takes_them_again),
		TEST(notices_damage_that_happens_while_it_reads),
		TEST(a_reader_of_a_damaged_file_spares_the_one_that_replaced_it),
		TEST(quarantine_keeps_a_bounded_number_of_files),
		TEST(an_upload_fails_when_its_file_cannot_grow),
		TEST(an_upload_fails_when_the_disk_is_full),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
