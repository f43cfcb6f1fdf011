/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UploadArtefact alone: streams a file and prints the digest that the Backplane returns.
 *
 *   bench-upload --to URL --file FILE
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "pb/wire.h"
#include "rpc/channel.h"

enum { PIECE_SIZE = 256 << 10, CONTENT = 1, ANSWER_MAX = 1024 };

static struct {
	struct loop loop;
	struct buf answer;
	int fd;
	char piece[PIECE_SIZE];
	const char *to, *file;
} bench = {.answer = {.max = ANSWER_MAX}};

static void stop_if(int failed, const struct error *err) {
	if (failed) {
		fprintf(stderr, "bench-upload: %s\n", err->msg);
		exit(1);
	}
}

static void send_next(struct rpc_stream *stream) {
	struct error err;
	ssize_t got = read(bench.fd, bench.piece, PIECE_SIZE);
	if (got < 0)
		error_set_errno(&err, errno, "could not read %s", bench.file);
	stop_if(got < 0, &err);
	if (got == 0) {
		rpc_half_close(stream);
		return;
	}
	struct buf head = BUF_INIT(16);
	int failed = wire_put_tag(&head, CONTENT, WIRE_BYTES) | wire_put_varint(&head, (uint64_t)got);
	ASSERT(failed == 0);
	rpc_begin(stream, buf_len(&head) + (size_t)got);
	rpc_write(stream, buf_view(&head));
	rpc_write(stream, str_new(bench.piece, (size_t)got));
	buf_deinit(&head);
}

static void on_message(struct rpc_stream *stream UNUSED, size_t size UNUSED) {
}

static void on_data(struct rpc_stream *stream, struct str bytes) {
	int failed = buf_append(&bench.answer, bytes);
	stop_if(failed, &(struct error){.msg = "the answer is too long"});
	rpc_consume(stream, bytes.len);
}

static void on_closed(struct rpc_stream *stream) {
	struct error err;
	if (stream->status != CODE_OK)
		error_set(&err, stream->status, "%.*s", STR_ARG(stream->status_text));
	stop_if(stream->status != CODE_OK, &err);
	loop_stop(&bench.loop);
}

static const struct rpc_events events = {
	.message = on_message, .data = on_data, .writable = send_next, .closed = on_closed};

static void print_answer(void) {
	struct str answer = buf_view(&bench.answer);
	struct wire_field field = {0};
	stop_if(!wire_take(&answer, &field), &(struct error){.msg = "the answer has no digest"});
	for (size_t i = 0; i < field.bytes.len; i++)
		printf("%02x", (unsigned char)field.bytes.ptr[i]);
	printf("\n");
}

int main(int argc, char **argv) {
	struct endpoint endpoint;
	struct error err;
	signal(SIGPIPE, SIG_IGN);
	log_init(LOG_WARN, "bench-upload");
	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--to") == 0)
			bench.to = argv[i + 1];
		else if (strcmp(argv[i], "--file") == 0)
			bench.file = argv[i + 1];
	}
	stop_if(bench.to == NULL || bench.file == NULL, &(struct error){.msg = "it needs --to URL and --file FILE"});
	stop_if(endpoint_parse(str_from(bench.to), &endpoint, &err), &err);
	bench.fd = open(bench.file, O_RDONLY | O_CLOEXEC);
	if (bench.fd < 0)
		error_set_errno(&err, errno, "could not open %s", bench.file);
	stop_if(bench.fd < 0, &err);
	loop_init(&bench.loop);
	struct rpc_channel *channel = rpc_channel_new(&bench.loop, &endpoint, &rpc_channel_options_default);
	send_next(rpc_call(channel,
			   &(struct rpc_call_options){.path = STR("/xyz.block.ftl.v1.BackplaneService/UploadArtefact"),
						      .events = &events}));
	loop_run(&bench.loop);
	print_answer();
	return 0;
}
