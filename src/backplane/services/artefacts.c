/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Contents up and down: UploadArtefact and GetDeploymentArtefacts.
 *
 * The disk is worked on by threads of libuv's pool, one piece at a time for each stream. Who sends may be a few pieces
 * ahead of what is written, and the next piece is read when the one before has left: memory does not grow with the
 * content.
 *
 * An upload is taken by the worker that has its connection: through the socket pair to the control side a large content
 * would be copied four times more, and each piece would wake two threads.
 */
#include <stdio.h>
#include <stdlib.h>

#include "backplane/context.h"
#include "backplane/services/upload_parser.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/memory.h"
#include "ftl.pb-c.h"

#define UPLOAD_PATH "/xyz.block.ftl.v1.BackplaneService/UploadArtefact"

enum {
	UPLOAD_PIECE = 256 << 10, /* what a thread is woken for */
	UPLOAD_AHEAD =
		512 << 10, /* what waits for the disk before its sender has to; a stream's window may come behind it */
	UPLOAD_BUFFER = 1 << 20, /* more than that together */
	UPLOADS_HELD_PART = 4, /* of max-held: once so much is held, senders wait for the disk */
	CHUNK_SIZE = 256 << 10,
};

/* --- up ----------------------------------------------------------------------------------------------------------- */

struct upload {
	struct backplane *backplane;
	struct loop *loop; /* of a worker, or of the control side */
	struct rpc_stream *stream; /* NULL: closed */
	struct upload_parser skim;
	struct buf arrived; /* content that is not written yet */
	size_t unpaid; /* bytes of the stream that were not given back yet */
	uint64_t size;
	bool has_message, ended, over;

	uv_work_t request;
	bool working;
	/* With the thread while working: */
	struct artefact_writer *writer;
	struct buf writing;
	bool commit, failed;
	struct digest digest;
	struct error err;
};

static void upload_free(struct upload *upload) {
	struct backplane *backplane = upload->backplane;
	artefact_writer_free(upload->writer);
	buf_deinit(&upload->arrived);
	buf_deinit(&upload->writing);
	free(upload);
	/* From here on the folder may be closed. */
	atomic_fetch_sub(&backplane->uploads, 1);
}

static void upload_work(uv_work_t *request) {
	struct upload *upload = request->data;
	if (upload->writer == NULL)
		upload->failed = artefact_writer_new(upload->backplane->artefacts, &upload->writer, &upload->err) < 0;
	if (!upload->failed && buf_len(&upload->writing) > 0)
		upload->failed = artefact_writer_write(upload->writer, buf_view(&upload->writing), &upload->err) < 0;
	if (!upload->failed && upload->commit)
		upload->failed = artefact_writer_commit(upload->writer, &upload->digest, &upload->err) < 0;
}

static void upload_answer(struct upload *upload) {
	failpoint(FAILPOINT_ARTEFACT_ANSWERING);
	Ftl__UploadArtefactResponse response;
	ftl__upload_artefact_response__init(&response);
	response.digest = (ProtobufCBinaryData){.data = upload->digest.bytes, .len = DIGEST_SIZE};
	struct arena arena = ARENA_INIT(KIB(1));
	rpc_send(upload->stream, pb_pack(&response.base, &arena));
	rpc_finish(upload->stream, CODE_OK, "");
	arena_deinit(&arena);
}

/* Lets the peer send more, if what waits for the disk is little. */
static void upload_pay(struct upload *upload) {
	size_t waiting = buf_len(&upload->arrived) + buf_len(&upload->writing);
	const struct buf_budget *held = &upload->loop->held;
	bool may_be_ahead = waiting <= UPLOAD_AHEAD && held->used <= held->max / UPLOADS_HELD_PART;
	if (waiting > 0 && !may_be_ahead)
		return;
	rpc_consume(upload->stream, upload->unpaid);
	upload->unpaid = 0;
}

static void upload_go_on(struct upload *upload);

static void upload_done(uv_work_t *request, int status UNUSED) {
	struct upload *upload = request->data;
	upload->working = false;
	buf_clear(&upload->writing);
	if (upload->stream == NULL) {
		upload_free(upload);
		return;
	}
	if (rpc_has_ended(upload->stream))
		return;
	if (upload->failed) {
		log_failure(LOG_ERROR, &upload->err, "an upload failed");
		rpc_fail(upload->stream, &upload->err);
	} else if (upload->commit) {
		upload_answer(upload);
	} else {
		upload_pay(upload);
		upload_go_on(upload);
	}
}

static void upload_go_on(struct upload *upload) {
	/* A sender that is owed nothing goes on sending, so there will be more to write at once. */
	bool can_wait = buf_len(&upload->arrived) < UPLOAD_PIECE && upload->unpaid == 0;
	if (upload->working || (can_wait && !upload->ended) || rpc_has_ended(upload->stream))
		return;
	struct buf spare = upload->writing;
	upload->writing = upload->arrived;
	upload->arrived = spare;
	upload->commit = upload->ended;
	upload->working = true;
	upload->request.data = upload;
	int failed = uv_queue_work(&upload->loop->uv, &upload->request, upload_work, upload_done);
	ASSERT(failed == 0);
}

static void on_upload_message(struct rpc_stream *stream, size_t size UNUSED) {
	struct upload *upload = stream->owner;
	upload->has_message = true;
	upload_parser_start(&upload->skim);
}

static int upload_take(struct upload *upload, struct str bytes, struct error *err) {
	uint64_t max = upload->backplane->options->artefact_max;
	while (bytes.len > 0) {
		struct str piece;
		if (upload_parser_next(&upload->skim, &bytes, &piece, err) < 0)
			return -1;
		upload->size += piece.len;
		if (upload->size > max)
			return error_set(err, CODE_RESOURCE_EXHAUSTED,
					 "the artefact has more than %llu bytes, and max-artefact is %llu",
					 (unsigned long long)max, (unsigned long long)max);
		int over = buf_append(&upload->arrived, piece);
		ASSERT(over == 0);
	}
	return 0;
}

static void on_upload_data(struct rpc_stream *stream, struct str bytes) {
	struct upload *upload = stream->owner;
	struct error err;
	if (upload_take(upload, bytes, &err) < 0) {
		rpc_fail(stream, &err);
		return;
	}
	upload->unpaid += bytes.len;
	if (stream->message_left == 0 && !upload_parser_is_whole(&upload->skim)) {
		rpc_finish(stream, CODE_INVALID_ARGUMENT,
			   "the message is malformed: its content is longer than the message");
		return;
	}
	upload_pay(upload);
	upload_go_on(upload);
}

static void on_upload_end(struct rpc_stream *stream) {
	struct upload *upload = stream->owner;
	if (!upload->has_message) {
		rpc_finish(stream, CODE_INVALID_ARGUMENT, "the request has no message");
		return;
	}
	upload->ended = true;
	upload_go_on(upload);
}

static void on_upload_closed(struct rpc_stream *stream) {
	struct upload *upload = stream->owner;
	upload->stream = NULL;
	if (!upload->working)
		upload_free(upload);
}

static const struct rpc_events upload_events = {
	.message = on_upload_message,
	.data = on_upload_data,
	.end = on_upload_end,
	.closed = on_upload_closed,
};

static void begin_upload(struct rpc_stream *stream, struct backplane *backplane) {
	struct upload *upload = mem_zalloc(sizeof *upload);
	atomic_fetch_add(&backplane->uploads, 1);
	upload->backplane = backplane;
	upload->loop = stream->loop;
	upload->stream = stream;
	buf_init_counted(&upload->arrived, UPLOAD_BUFFER, &stream->loop->held);
	buf_init_counted(&upload->writing, UPLOAD_BUFFER, &stream->loop->held);
	/* A message is never held, so only its content is limited. */
	stream->message_max = UINT32_MAX;
	stream->owner = upload;
	stream->events = &upload_events;
}

static void start_upload(struct rpc_stream *stream) {
	begin_upload(stream, stream->service);
}

/* What has to be turned first (JSON, gzip) comes in whole messages; the control side gets those in pieces. */
static void start_upload_on_worker(struct rpc_stream *stream) {
	struct worker *worker = stream->service;
	if (worker->control.state == CONTROL_HERE && stream->transcoder == NULL)
		begin_upload(stream, worker->owner);
	else
		worker_relay_to_control(stream);
}

const struct rpc_method upload_method = {.path = UPLOAD_PATH, .start = start_upload_on_worker};

/* --- down --------------------------------------------------------------------------------------------------------- */

struct download {
	struct backplane *backplane;
	struct rpc_stream *stream; /* NULL: closed */
	const Ftl__GetDeploymentArtefactsRequest *request;
	struct arena asked; /* the request */
	struct store_job job;
	bool has_job; /* the store's thread has it */
	struct arena arena;
	struct deployment_record record;
	size_t at; /* the artefact that is being sent */
	bool began; /* a chunk of it was sent */

	uv_work_t work;
	bool working;
	/* With the thread while working: */
	struct artefact_reader *reader;
	char *chunk;
	size_t chunk_len;
	bool failed;
	struct error err;
};

static void download_free_if_done(struct download *download) {
	if (download->stream != NULL || download->working || download->has_job)
		return;
	artefact_reader_free(download->reader);
	download->backplane->loop.held.used -= download->asked.used;
	arena_deinit(&download->asked);
	arena_deinit(&download->arena);
	free(download->chunk);
	free(download);
}

static bool client_has(const struct download *download, const struct artefact_record *artefact) {
	struct digest_hex hex = digest_to_hex(&artefact->digest);
	for (size_t i = 0; i < download->request->n_have_artefacts; i++) {
		const Ftl__DeploymentArtefact *have = download->request->have_artefacts[i];
		if (strcmp(have->digest, hex.text) == 0 && str_eq_c(artefact->path, have->path))
			return true;
	}
	return false;
}

static void download_work(uv_work_t *request) {
	struct download *download = request->data;
	const struct artefact_record *artefact = &download->record.artefacts[download->at];
	if (download->reader == NULL)
		download->failed = artefact_reader_new(download->backplane->artefacts, &artefact->digest,
						       &download->reader, &download->err) < 0;
	if (!download->failed)
		download->failed = artefact_reader_read(download->reader, download->chunk, CHUNK_SIZE,
							&download->chunk_len, &download->err) < 0;
}

static void send_chunk(struct download *download) {
	const struct artefact_record *artefact = &download->record.artefacts[download->at];
	struct digest_hex hex = digest_to_hex(&artefact->digest);
	Ftl__DeploymentArtefact about;
	ftl__deployment_artefact__init(&about);
	about.digest = hex.text;
	about.path = (char *)artefact->path.ptr;
	about.executable = artefact->executable;
	Ftl__GetDeploymentArtefactsResponse response;
	ftl__get_deployment_artefacts_response__init(&response);
	response.artefact = &about;
	response.chunk = (ProtobufCBinaryData){.data = (uint8_t *)download->chunk, .len = download->chunk_len};
	struct arena arena = ARENA_INIT(CHUNK_SIZE + KIB(4));
	rpc_send(download->stream, pb_pack(&response.base, &arena));
	arena_deinit(&arena);
	download->began = true;
}

static void download_go_on(struct download *download);

static void next_artefact(struct download *download) {
	artefact_reader_free(download->reader);
	download->reader = NULL;
	download->began = false;
	download->at++;
	download_go_on(download);
}

static void download_done(uv_work_t *request, int status UNUSED) {
	struct download *download = request->data;
	download->working = false;
	download->backplane->transfers_at_work--;
	if (download->stream == NULL) {
		download_free_if_done(download);
		return;
	}
	if (rpc_has_ended(download->stream))
		return;
	if (download->failed) {
		log_failure(LOG_ERROR, &download->err, "an artefact of %s could not be read", download->record.key);
		rpc_fail(download->stream, &download->err);
	} else if (download->chunk_len == 0 && download->began) {
		next_artefact(download);
	} else {
		/* An empty content is one empty chunk. The rest goes on when this one has left. */
		send_chunk(download);
	}
}

static void download_go_on(struct download *download) {
	while (!download->began && download->at < download->record.artefact_count &&
	       client_has(download, &download->record.artefacts[download->at]))
		download->at++;
	if (download->at == download->record.artefact_count) {
		rpc_finish(download->stream, CODE_OK, "");
		return;
	}
	download->working = true;
	download->backplane->transfers_at_work++;
	download->work.data = download;
	int failed = uv_queue_work(&download->backplane->loop.uv, &download->work, download_work, download_done);
	ASSERT(failed == 0);
}

static void on_download_writable(struct rpc_stream *stream) {
	struct download *download = stream->owner;
	if (!download->working && download->began)
		download_go_on(download);
}

static void on_download_closed(struct rpc_stream *stream) {
	struct download *download = stream->owner;
	download->stream = NULL;
	download_free_if_done(download);
}

static void record_work(struct store_job *job, struct store *store) {
	struct download *download = CONTAINER_OF(job, struct download, job);
	download->failed = store->ops->get_deployment(store, download->request->deployment_key, &download->arena,
						      &download->record, &download->err) < 0;
}

static void record_done(struct store_job *job) {
	struct download *download = CONTAINER_OF(job, struct download, job);
	download->has_job = false;
	if (download->stream == NULL) {
		download_free_if_done(download);
	} else if (rpc_has_ended(download->stream)) {
		return;
	} else if (download->failed) {
		rpc_fail(download->stream, &download->err);
	} else {
		download->chunk = mem_alloc(CHUNK_SIZE);
		download_go_on(download);
	}
}

static const struct rpc_events download_events = {
	.writable = on_download_writable,
	.closed = on_download_closed,
};

static void start_download(struct rpc_stream *stream, const ProtobufCMessage *request, struct arena *arena) {
	const Ftl__GetDeploymentArtefactsRequest *asked = (const Ftl__GetDeploymentArtefactsRequest *)request;
	if (asked->deployment_key[0] == '\0') {
		rpc_finish(stream, CODE_INVALID_ARGUMENT,
			   "deployment_key is missing: name the deployment whose artefacts are wanted");
		return;
	}
	struct download *download = mem_zalloc(sizeof *download);
	download->backplane = stream->service;
	download->stream = stream;
	download->request = asked;
	download->asked = *arena;
	*arena = (struct arena){0};
	download->backplane->loop.held.used += download->asked.used;
	arena_init(&download->arena, MIB(256));
	download->job = (struct store_job){.work = record_work, .done = record_done};
	download->has_job = true;
	stream->owner = download;
	stream->events = &download_events;
	store_queue_add(&download->backplane->store_queue, &download->job);
}

const struct rpc_method artefact_methods[] = {
	{.path = UPLOAD_PATH, .start = start_upload},
	RPC_STREAMING_METHOD("/xyz.block.ftl.v1.BackplaneService/GetDeploymentArtefacts", start_download,
			     ftl__get_deployment_artefacts_request__descriptor),
};
const size_t artefact_method_count = ARRAY_LEN(artefact_methods);
