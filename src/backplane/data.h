/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The data of a Backplane: its store and its artefacts. One process has them at a time; a takeover closes them here and
 * opens them there.
 */
#pragma once

#include <stdatomic.h>

#include "store/artefacts.h"
#include "store/queue.h"
#include "store/writer.h"

struct data {
	struct loop *loop;
	char *folder; /* DATA, absolute: Runners and their children run in other folders */
	struct store *store; /* NULL: closed */
	struct store_queue queue;
	struct store_writer writer;
	struct {
		struct artefact_op op;
		void (*closed)(void *owner);
		void *owner;
	} closing;
	size_t downloads; /* artefacts that are being read for Runners */
	/* Workers receive uploads. artefacts changes only while no upload is in progress and none can begin. */
	struct {
		struct artefacts *artefacts; /* NULL: closed */
		atomic_size_t uploads; /* in progress, on all threads */
	} shared;
};

void data_init(struct data *data, struct loop *loop, const struct store_writer_events *events);
/* The store and the artefacts are closed. */
void data_deinit(struct data *data);

/* Makes the folder if it does not exist, and sets data->folder. */
int data_find_folder(struct data *data, const char *given, struct error *err);

/* Opens the store and the artefacts, unless they are open. Blocks. */
int data_open(struct data *data, struct error *err);
void data_close_store(struct data *data);
/* The artefacts are not used from here on. closed(owner), if it is not NULL, follows on the loop when they are closed.
 * Does nothing when they are closed already. */
void data_close_artefacts(struct data *data, void (*closed)(void *owner), void *owner);
