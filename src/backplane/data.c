/* SPDX-License-Identifier: Apache-2.0 */
#include "backplane/data.h"

#include <errno.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/path.h"
#include "store/registry.h"

void data_init(struct data *data, struct loop *loop, const struct store_writer_events *events) {
	*data = (struct data){.loop = loop};
	store_writer_init(&data->writer, loop, &data->queue, events);
}

void data_deinit(struct data *data) {
	ASSERT(data->store == NULL && data->shared.artefacts == NULL);
	store_writer_deinit(&data->writer);
	free(data->folder);
}

int data_find_folder(struct data *data, const char *given, struct error *err) {
	if (path_make_folders(given, err) < 0)
		return -1;
	data->folder = realpath(given, NULL);
	return data->folder != NULL ? 0 : error_set_errno(err, errno, "could not find the folder %s", given);
}

static int open_store(struct data *data, struct error *err) {
	char *url = mem_printf("sqlite:%s/ftl.db", data->folder);
	int result = store_open(url, &data->store, err);
	free(url);
	if (result < 0)
		return -1;
	uint64_t epoch;
	if (data->store->ops->acquire(data->store, &epoch, err) < 0) {
		data_close_store(data);
		return -1;
	}
	store_writer_open(&data->writer, epoch, data->folder);
	store_queue_init(&data->queue, data->loop, data->store);
	return 0;
}

static int open_artefacts(struct data *data, struct error *err) {
	char *path = mem_printf("%s/artefacts", data->folder);
	int result = artefacts_open(path, &data->shared.artefacts, err);
	free(path);
	return result;
}

int data_open(struct data *data, struct error *err) {
	bool had_store = data->store != NULL;
	if (!had_store && open_store(data, err) < 0)
		return -1;
	if (data->shared.artefacts == NULL && open_artefacts(data, err) < 0) {
		if (!had_store)
			data_close_store(data);
		return -1;
	}
	return 0;
}

void data_close_store(struct data *data) {
	if (data->store != NULL)
		data->store->ops->close(data->store);
	data->store = NULL;
	store_writer_close(&data->writer);
}

static void on_artefacts_closed(struct artefact_op *op, const struct error *err UNUSED) {
	struct data *data = CONTAINER_OF(op, struct data, closing.op);
	if (data->closing.closed != NULL)
		data->closing.closed(data->closing.owner);
}

void data_close_artefacts(struct data *data, void (*closed)(void *owner), void *owner) {
	struct artefacts *artefacts = data->shared.artefacts;
	if (artefacts == NULL)
		return;
	data->shared.artefacts = NULL;
	data->closing.op.loop = data->loop;
	data->closing.op.done = on_artefacts_closed;
	data->closing.closed = closed;
	data->closing.owner = owner;
	artefacts_close(artefacts, &data->closing.op);
}
