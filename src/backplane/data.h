/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The data of a Backplane: its store and its artefacts. One process at a time has them open: in a takeover the old
 * process closes them before the new one opens them.
 */
#pragma once

#include <stdatomic.h>

#include "store/artefacts.h"
#include "store/queue.h"
#include "store/writer.h"

struct data {
	struct loop *loop;
	char *folder; /* absolute, as Runners and their children run in other folders */
	struct store *store; /* NULL: closed */
	struct store_queue queue;
	struct store_writer writer;
	struct {
		struct artefact_op op;
		void (*closed)(void *owner);
		void *owner;
	} closing;
	size_t downloads; /* number of artefacts that are being read for Runners */
	/* Used by workers as well, which receive uploads. artefacts changes only while no upload is in progress and
	 * none can begin. */
	struct {
		struct artefacts *artefacts; /* NULL: closed */
		atomic_size_t uploads; /* number of uploads in progress on all threads */
	} shared;
};

void data_init(struct data *data, struct loop *loop, const struct store_writer_events *events);
/* Called once the store and the artefacts are closed. */
void data_deinit(struct data *data);

/* Creates the folder if it does not exist, and sets data->folder. */
int data_find_folder(struct data *data, const char *given, struct error *err);

/* Blocks. Opens the store and the artefacts, unless they are open. */
int data_open(struct data *data, struct error *err);
void data_close_store(struct data *data);
/* Starts to close the artefacts, which may not be used from here on, and calls closed(owner) on the loop when they are
 * closed. closed may be NULL. Does nothing when they are closed already. */
void data_close_artefacts(struct data *data, void (*closed)(void *owner), void *owner);
