/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/fetch.h"

#include "ftl.pb-c.h"

static const struct rpc_events receiving_events;

static void fail(struct fetch *fetch, const struct error *err) {
	if (fetch->failure.code == CODE_OK)
		fetch->failure = *err;
}

static void finish(struct fetch *fetch) {
	buf_deinit(&fetch->chunk);
	if (fetch->failure.code == CODE_OK)
		fetch->done(fetch, NULL);
	else
		fetch->done(fetch, &fetch->failure);
}

/* --- the files ---------------------------------------------------------------------------------------------------- */

static void receive_files(struct fetch *fetch) {
	fetch->receiving = rpc_call(fetch->backplane,
				    &(struct rpc_call_options){
					    .path = STR("/xyz.block.ftl.v1.BackplaneService/GetDeploymentArtefacts"),
					    .events = &receiving_events,
					    .owner = fetch,
				    });
	fetch->receiving->message_max = FETCH_MESSAGE_MAX;
	fetch->chunk = BUF_INIT(FETCH_MESSAGE_MAX);
	Ftl__GetDeploymentArtefactsRequest request = FTL__GET_DEPLOYMENT_ARTEFACTS_REQUEST__INIT;
	request.deployment_key = (char *)fetch->deployment_key;
	struct arena arena = ARENA_INIT(KIB(4));
	rpc_send(fetch->receiving, pb_pack(&request.base, &arena));
	rpc_half_close(fetch->receiving);
	arena_deinit(&arena);
}

static int write_chunk(struct fetch *fetch, struct str message, struct error *err) {
	struct arena arena = ARENA_INIT(message.len + KIB(64));
	ProtobufCMessage *unpacked;
	int result = pb_unpack(&ftl__get_deployment_artefacts_response__descriptor, message, &arena, &unpacked, err);
	if (result == 0) {
		const Ftl__GetDeploymentArtefactsResponse *part = (const Ftl__GetDeploymentArtefactsResponse *)unpacked;
		result = part->artefact == NULL ? error_set(err, CODE_INVALID_ARGUMENT,
							    "the Backplane sent a chunk without its artefact")
						: layout_write(&fetch->layout, str_from(part->artefact->digest),
							       str_from(part->artefact->path),
							       str_new(part->chunk.data, part->chunk.len), err);
	}
	arena_deinit(&arena);
	return result;
}

static void take_message(struct fetch *fetch) {
	struct error err;
	if (write_chunk(fetch, buf_view(&fetch->chunk), &err) < 0) {
		fail(fetch, &err);
		rpc_cancel(fetch->receiving, CODE_CANCELLED, "the deployment is not as announced");
	}
	buf_clear(&fetch->chunk);
}

static void on_message(struct rpc_stream *stream, size_t size) {
	struct fetch *fetch = stream->owner;
	if (size == 0)
		take_message(fetch);
}

static void on_data(struct rpc_stream *stream, struct str bytes) {
	struct fetch *fetch = stream->owner;
	int over = buf_append(&fetch->chunk, bytes);
	ASSERT(over == 0);
	rpc_consume(stream, bytes.len);
	if (stream->message_left == 0)
		take_message(fetch);
}

static void on_closed(struct rpc_stream *stream) {
	struct fetch *fetch = stream->owner;
	struct error err = {0};
	fetch->receiving = NULL;
	if (stream->status == CODE_OK)
		layout_finish(&fetch->layout, &err);
	else if (rpc_get_error(stream, &err) < 0)
		error_wrap(&err, "could not get the files of %s from the Backplane", fetch->deployment_key);
	if (err.code != CODE_OK)
		fail(fetch, &err);
	finish(fetch);
}

static const struct rpc_events receiving_events = {
	.message = on_message,
	.data = on_data,
	.closed = on_closed,
};

/* --- what it is --------------------------------------------------------------------------------------------------- */

static const char *keep_text(struct fetch *fetch, const char *text, const char *otherwise) {
	return arena_strdup(&fetch->layout.arena, str_from(text[0] != '\0' ? text : otherwise));
}

static int read_description(struct fetch *fetch, const Ftl__GetDeploymentResponse *response, struct error *err) {
	if (response->schema == NULL || response->schema->name[0] == '\0')
		return error_set(err, CODE_INVALID_ARGUMENT, "the deployment %s has a schema that names no module",
				 fetch->deployment_key);
	for (size_t i = 0; i < response->n_artefacts; i++) {
		const Ftl__DeploymentArtefact *artefact = response->artefacts[i];
		if (layout_add(&fetch->layout, str_from(artefact->digest), str_from(artefact->path),
			       artefact->executable, err) < 0)
			return -1;
	}
	const Schema__ModuleRuntime *runtime = response->schema->runtime;
	fetch->module = keep_text(fetch, response->schema->name, "");
	fetch->entry = keep_text(fetch, runtime ? runtime->entry : "", "main");
	fetch->bind = keep_text(fetch, runtime ? runtime->bind : "", "http");
	return 0;
}

static void on_described(void *owner, const ProtobufCMessage *response, const struct error *why) {
	struct fetch *fetch = owner;
	struct error err;
	fetch->describing = NULL;
	if (why != NULL) {
		err = *why;
		error_wrap(&err, "could not get %s from the Backplane", fetch->deployment_key);
		fail(fetch, &err);
	} else if (read_description(fetch, (const Ftl__GetDeploymentResponse *)response, &err) < 0) {
		fail(fetch, &err);
	}
	if (fetch->failure.code == CODE_OK && fetch->layout.count > 0)
		receive_files(fetch);
	else
		finish(fetch);
}

void fetch_start(struct fetch *fetch) {
	Ftl__GetDeploymentRequest request = FTL__GET_DEPLOYMENT_REQUEST__INIT;
	request.deployment_key = (char *)fetch->deployment_key;
	fetch->describing = rpc_unary_call(fetch->backplane,
					   &(struct rpc_unary_options){
						   .path = "/xyz.block.ftl.v1.BackplaneService/GetDeployment",
						   .response = &ftl__get_deployment_response__descriptor,
						   .done = on_described,
						   .owner = fetch,
					   },
					   &request.base);
}

void fetch_cancel(struct fetch *fetch) {
	struct error err;
	error_set(&err, CODE_CANCELLED, "the deployment was taken back while it was fetched");
	fail(fetch, &err);
	if (fetch->describing != NULL)
		rpc_unary_call_cancel(fetch->describing);
	else if (fetch->receiving != NULL)
		rpc_cancel(fetch->receiving, CODE_CANCELLED, "the deployment was taken back");
}
