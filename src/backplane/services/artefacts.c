/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory does not grow with the size of an artefact: the sender of an upload may be UPLOAD_AHEAD bytes ahead of the
 * disk, and a download reads its next chunk once the one before has left.
 *
 * The worker that has the connection receives the upload: over the socket pair to the control side a large content
 * would be copied four more times, and each piece would wake two threads.
 */
#include "backplane/services/artefacts.h"

#include <stdio.h>
#include <stdlib.h>

#include "backplane/context.h"
#include "backplane/services/upload_parser.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/path.h"
#include "ftl.pb-c.h"
#include "pb/pb.h"
#include "router/worker.h"
#include "rpc/unary.h"

#define UPLOAD_PATH "/xyz.block.ftl.v1.BackplaneService/UploadArtefact"

enum {
	UPLOAD_PIECE = 256 << 10, /* bytes of one write */
	/* Bytes that may wait for the disk before the sender has to wait; a window of the stream comes on top. */
	UPLOAD_AHEAD = 512 << 10,
	UPLOAD_BUFFER = 1 << 20, /* more than UPLOAD_AHEAD and a window together */
	UPLOADS_HELD_PART = 4, /* the fraction of max-held from which on senders wait for the disk */
	CHUNK_SIZE = 256 << 10,
};

/* --- GetArtefactDiffs --------------------------------------------------------------------------------------------- */

struct diff {
	struct artefact_op op;
	struct rpc_unary *unary;
	const Ftl__GetArtefactDiffsRequest *request; /* belongs to unary */
	struct digest *digests;
	bool *have;
	uint64_t max_bytes; /* of one artefact */
};

int artefacts_check_count(size_t count, struct error *err) {
	if (count > ARTEFACTS_MAX)
		return error_set(err, CODE_RESOURCE_EXHAUSTED,
				 "%zu artefacts were named; at most %d are allowed at once", count, ARTEFACTS_MAX);
	return 0;
}

static void diff_free(struct diff *diff) {
	free(diff->digests);
	free(diff->have);
	free(diff);
}

static void diff_reply(const struct diff *diff) {
	const Ftl__GetArtefactDiffsRequest *request = diff->request;
	size_t count = request->n_client_digests;
	Ftl__DeploymentArtefact *artefacts = mem_alloc((count + 1) * sizeof *artefacts);
	Ftl__GetArtefactDiffsResponse response;
	ftl__get_artefact_diffs_response__init(&response);
	response.max_artefact_bytes = diff->max_bytes;
	response.missing_digests = mem_alloc((count + 1) * sizeof *response.missing_digests);
	response.client_artefacts = mem_alloc((count + 1) * sizeof(Ftl__DeploymentArtefact *));
	for (size_t i = 0; i < count; i++) {
		if (!diff->have[i]) {
			response.missing_digests[response.n_missing_digests++] = request->client_digests[i];
			continue;
		}
		ftl__deployment_artefact__init(&artefacts[i]);
		artefacts[i].digest = request->client_digests[i];
		response.client_artefacts[response.n_client_artefacts++] = &artefacts[i];
	}
	rpc_unary_reply(diff->unary, &response.base);
	free(response.client_artefacts);
	free(response.missing_digests);
	free(artefacts);
}

static void on_diff_known(struct artefact_op *op, const struct error *err) {
	struct diff *diff = CONTAINER_OF(op, struct diff, op);
	if (err != NULL)
		rpc_unary_fail(diff->unary, err);
	else
		diff_reply(diff);
	diff_free(diff);
}

static int read_digests(struct diff *diff, struct error *err) {
	size_t count = diff->request->n_client_digests;
	if (artefacts_check_count(count, err) < 0)
		return -1;
	diff->digests = mem_alloc((count + 1) * sizeof *diff->digests);
	diff->have = mem_zalloc((count + 1) * sizeof *diff->have);
	for (size_t i = 0; i < count; i++)
		if (digest_from_hex(str_from(diff->request->client_digests[i]), &diff->digests[i], err) < 0)
			return -1;
	return 0;
}

static void on_get_diffs(struct rpc_unary *unary, const ProtobufCMessage *message) {
	struct context *context = unary->service;
	struct diff *diff = mem_zalloc(sizeof *diff);
	diff->unary = unary;
	diff->max_bytes = context->options->artefact_max;
	diff->request = (const Ftl__GetArtefactDiffsRequest *)message;
	diff->op.loop = unary->loop;
	diff->op.done = on_diff_known;
	struct error err;
	if (read_digests(diff, &err) < 0) {
		rpc_unary_fail(unary, &err);
		diff_free(diff);
		return;
	}
	artefacts_have(context->data.shared.artefacts, &diff->op, diff->digests, diff->request->n_client_digests,
		       diff->have);
}

/* --- UploadArtefact ----------------------------------------------------------------------------------------------- */

/*
 *   RECEIVING ──enough has arrived──▶ WRITING ──written──▶ RECEIVING
 *       │                                │
 *       ├──────the end has arrived──▶ COMMITTING ──stored─▶ ANSWERED
 *       └──refused──▶ ANSWERED ◀──failed─┴──┘
 *
 * The stream may close in each state; the upload is freed when no operation is in progress.
 */
#define TO(state) (1u << (state))

static const unsigned allowed[UPLOAD_STATE_COUNT] = {
	[UPLOAD_RECEIVING] = TO(UPLOAD_WRITING) | TO(UPLOAD_COMMITTING) | TO(UPLOAD_ANSWERED),
	[UPLOAD_WRITING] = TO(UPLOAD_RECEIVING) | TO(UPLOAD_ANSWERED),
	[UPLOAD_COMMITTING] = TO(UPLOAD_ANSWERED),
};

void upload_state_change(enum upload_state *state, enum upload_state next) {
	ASSERT(allowed[*state] & TO(next));
	*state = next;
}

struct upload {
	struct context *context;
	struct rpc_stream *stream; /* NULL: closed */
	struct upload_parser parser;
	enum upload_state state;
	bool has_message, has_end;
	uint64_t size;
	size_t unpaid; /* received bytes that were not given back to the stream's window yet */
	struct buf arrived; /* content to be written next */
	struct buf writing; /* content being written; lent to the writer */
	struct artefact_writer *writer;
	struct artefact_op op;
	struct digest digest;
};

static bool is_at_work(const struct upload *upload) {
	return upload->state == UPLOAD_WRITING || upload->state == UPLOAD_COMMITTING;
}

static void upload_free(struct upload *upload) {
	struct context *context = upload->context;
	artefact_writer_free(upload->writer);
	buf_deinit(&upload->arrived);
	buf_deinit(&upload->writing);
	free(upload);
	atomic_fetch_sub(&context->data.shared.uploads, 1);
}

static void upload_refuse(struct upload *upload, const struct error *err) {
	upload_state_change(&upload->state, UPLOAD_ANSWERED);
	rpc_fail(upload->stream, err);
}

static void upload_answer(struct upload *upload) {
	failpoint(FAILPOINT_ARTEFACT_ANSWERING);
	Ftl__UploadArtefactResponse response;
	ftl__upload_artefact_response__init(&response);
	response.digest = (ProtobufCBinaryData){.data = upload->digest.bytes, .len = DIGEST_SIZE};
	struct arena arena = ARENA_INIT(KIB(1));
	upload_state_change(&upload->state, UPLOAD_ANSWERED);
	rpc_send(upload->stream, pb_pack(&response.base, &arena));
	rpc_finish(upload->stream, CODE_OK, "");
	arena_deinit(&arena);
}

/* Gives received bytes back to the stream's window, so that the peer sends more, while few bytes wait for the disk. */
static void upload_pay(struct upload *upload) {
	size_t waiting = buf_len(&upload->arrived) + buf_len(&upload->writing);
	const struct buf_budget *held = &upload->op.loop->held;
	bool may_be_ahead = waiting <= UPLOAD_AHEAD && held->used <= held->max / UPLOADS_HELD_PART;
	if (waiting > 0 && !may_be_ahead)
		return;
	rpc_consume(upload->stream, upload->unpaid);
	upload->unpaid = 0;
}

/* Starts the next operation, if none is in progress and enough content has arrived for one. */
static void upload_advance(struct upload *upload) {
	/* A small piece waits for more content while the sender's window is open. */
	bool can_wait = buf_len(&upload->arrived) < UPLOAD_PIECE && upload->unpaid == 0;
	if (upload->state != UPLOAD_RECEIVING || (can_wait && !upload->has_end) || rpc_has_ended(upload->stream))
		return;
	struct buf spare = upload->writing;
	upload->writing = upload->arrived;
	upload->arrived = spare;
	upload_state_change(&upload->state, upload->has_end ? UPLOAD_COMMITTING : UPLOAD_WRITING);
	if (upload->has_end)
		artefact_writer_commit(upload->writer, &upload->op, buf_view(&upload->writing), &upload->digest);
	else
		artefact_writer_write(upload->writer, &upload->op, buf_view(&upload->writing));
}

static void on_upload_stored(struct artefact_op *op, const struct error *err) {
	struct upload *upload = CONTAINER_OF(op, struct upload, op);
	buf_clear(&upload->writing);
	if (upload->stream == NULL) {
		upload_free(upload);
	} else if (rpc_has_ended(upload->stream)) { /* its deadline has passed */
		upload_state_change(&upload->state, UPLOAD_ANSWERED);
	} else if (err != NULL) {
		log_failure(LOG_ERROR, err, "an upload failed");
		upload_refuse(upload, err);
	} else if (upload->state == UPLOAD_COMMITTING) {
		upload_answer(upload);
	} else {
		upload_state_change(&upload->state, UPLOAD_RECEIVING);
		upload_pay(upload);
		upload_advance(upload);
	}
}

static void on_upload_message(struct rpc_stream *stream, size_t size UNUSED) {
	struct upload *upload = stream->owner;
	upload->has_message = true;
	upload_parser_start(&upload->parser);
}

static int take_content(struct upload *upload, struct str bytes, struct error *err) {
	uint64_t max = upload->context->options->artefact_max;
	while (bytes.len > 0) {
		struct str piece;
		if (upload_parser_next(&upload->parser, &bytes, &piece, err) < 0)
			return -1;
		upload->size += piece.len;
		if (upload->size > max)
			return error_set(err, CODE_RESOURCE_EXHAUSTED,
					 "the artefact has more than %llu bytes, and max-artefact is %llu",
					 (unsigned long long)max, (unsigned long long)max);
		int over = buf_append(&upload->arrived, piece);
		ASSERT(over == 0);
	}
	if (upload->stream->message_left == 0 && !upload_parser_may_end(&upload->parser))
		return error_set(err, CODE_INVALID_ARGUMENT,
				 "the message is malformed: its content is longer than the message");
	return 0;
}

static void on_upload_data(struct rpc_stream *stream, struct str bytes) {
	struct upload *upload = stream->owner;
	struct error err;
	if (take_content(upload, bytes, &err) < 0) {
		/* An operation in progress ends first, and then changes the state. */
		if (upload->state == UPLOAD_RECEIVING)
			upload_state_change(&upload->state, UPLOAD_ANSWERED);
		rpc_fail(stream, &err);
		return;
	}
	upload->unpaid += bytes.len;
	upload_pay(upload);
	upload_advance(upload);
}

static void on_upload_end(struct rpc_stream *stream) {
	struct upload *upload = stream->owner;
	if (!upload->has_message) {
		rpc_finish(stream, CODE_INVALID_ARGUMENT, "the request has no message");
		return;
	}
	upload->has_end = true;
	upload_advance(upload);
}

static void on_upload_closed(struct rpc_stream *stream) {
	struct upload *upload = stream->owner;
	upload->stream = NULL;
	if (!is_at_work(upload))
		upload_free(upload);
}

static const struct rpc_events upload_events = {
	.message = on_upload_message,
	.data = on_upload_data,
	.end = on_upload_end,
	.closed = on_upload_closed,
};

static void begin_upload(struct rpc_stream *stream, struct context *context) {
	struct upload *upload = mem_zalloc(sizeof *upload);
	atomic_fetch_add(&context->data.shared.uploads, 1);
	upload->context = context;
	upload->stream = stream;
	upload->op.loop = stream->loop;
	upload->op.done = on_upload_stored;
	upload->writer = artefact_writer_new(context->data.shared.artefacts, stream->loop);
	buf_init_counted(&upload->arrived, UPLOAD_BUFFER, &stream->loop->held);
	buf_init_counted(&upload->writing, UPLOAD_BUFFER, &stream->loop->held);
	/* A message is parsed as it arrives, so only the size of the content has a limit. */
	stream->message_max = UINT32_MAX;
	stream->owner = upload;
	stream->events = &upload_events;
}

static void start_upload(struct rpc_stream *stream) {
	begin_upload(stream, stream->service);
}

/* A transcoded upload (JSON, gzip) arrives on the worker as complete messages, so it is relayed to the control side,
 * which receives the worker's messages in pieces. */
static void start_upload_on_worker(struct rpc_stream *stream) {
	struct worker *worker = stream->service;
	if (worker->control.state == CONTROL_HERE && stream->transcoder == NULL)
		begin_upload(stream, worker->owner);
	else
		worker_relay_to_control(stream);
}

const struct rpc_method upload_method = {.path = UPLOAD_PATH, .start = start_upload_on_worker};

/* --- GetDeploymentArtefacts --------------------------------------------------------------------------------------- */

struct download {
	struct context *context;
	struct rpc_stream *stream; /* NULL: closed */
	const Ftl__GetDeploymentArtefactsRequest *request;
	struct arena asked; /* holds the request */
	struct store_job job;
	bool has_job; /* the job is queued or running */
	struct arena arena;
	struct deployment_record record;
	bool failed; /* the job failed with err */
	struct error err;
	size_t at; /* index of the artefact that is being sent */
	bool began; /* a chunk of that artefact was sent */
	struct artefact_reader *reader;
	struct artefact_op op;
	bool reading;
	char *chunk; /* lent to the reader while reading */
	size_t chunk_len;
};

static void download_free_if_done(struct download *download) {
	if (download->stream != NULL || download->reading || download->has_job)
		return;
	artefact_reader_free(download->reader);
	download->context->loop.held.used -= download->asked.used;
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

static void download_advance(struct download *download);

static void next_artefact(struct download *download) {
	artefact_reader_free(download->reader);
	download->reader = NULL;
	download->began = false;
	download->at++;
	download_advance(download);
}

static void on_chunk_read(struct artefact_op *op, const struct error *err) {
	struct download *download = CONTAINER_OF(op, struct download, op);
	download->reading = false;
	download->context->data.downloads--;
	if (download->stream == NULL) {
		download_free_if_done(download);
	} else if (rpc_has_ended(download->stream)) {
		return;
	} else if (err != NULL) {
		log_failure(LOG_ERROR, err, "could not read an artefact of %s", download->record.key);
		rpc_fail(download->stream, err);
	} else if (download->chunk_len == 0 && download->began) {
		next_artefact(download);
	} else {
		/* An empty artefact is sent as one empty chunk. The next chunk is read once this one has left. */
		send_chunk(download);
	}
}

/* Reads the next chunk of the present artefact, or the first one of the next artefact that the client lacks. */
static void download_advance(struct download *download) {
	while (!download->began && download->at < download->record.artefact_count &&
	       client_has(download, &download->record.artefacts[download->at]))
		download->at++;
	if (download->at == download->record.artefact_count) {
		rpc_finish(download->stream, CODE_OK, "");
		return;
	}
	struct context *context = download->context;
	download->reading = true;
	context->data.downloads++;
	if (download->reader == NULL)
		download->reader = artefact_reader_new(context->data.shared.artefacts, &context->loop,
						       &download->record.artefacts[download->at].digest);
	artefact_reader_read(download->reader, &download->op, download->chunk, CHUNK_SIZE, &download->chunk_len);
}

static void on_download_writable(struct rpc_stream *stream) {
	struct download *download = stream->owner;
	if (!download->reading && download->began)
		download_advance(download);
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
		download_advance(download);
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
	download->context = stream->service;
	download->stream = stream;
	download->request = asked;
	download->asked = *arena;
	*arena = (struct arena){0};
	download->context->loop.held.used += download->asked.used;
	arena_init(&download->arena, MIB(256));
	download->op.loop = &download->context->loop;
	download->op.done = on_chunk_read;
	download->job = (struct store_job){.work = record_work, .done = record_done};
	download->has_job = true;
	stream->owner = download;
	stream->events = &download_events;
	store_queue_add(&download->context->data.queue, &download->job);
}

static const struct rpc_method artefact_methods[] = {
	RPC_UNARY_METHOD("/xyz.block.ftl.v1.BackplaneService/GetArtefactDiffs", on_get_diffs,
			 ftl__get_artefact_diffs_request__descriptor),
	{.path = UPLOAD_PATH, .start = start_upload},
	RPC_STREAMING_METHOD("/xyz.block.ftl.v1.BackplaneService/GetDeploymentArtefacts", start_download,
			     ftl__get_deployment_artefacts_request__descriptor),
};

void artefacts_service_add(struct context *context, struct rpc_server *server) {
	rpc_server_add(server, artefact_methods, ARRAY_LEN(artefact_methods), context);
}
