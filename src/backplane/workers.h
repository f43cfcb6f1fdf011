/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The workers of a Backplane, one thread each. New connections are spread over them in turn.
 */
#pragma once

#include "router/worker.h"

enum { WORKERS_MAX = 64 };

struct workers {
	struct worker *items[WORKERS_MAX];
	size_t count;
	size_t next; /* the worker for the next connection, modulo count */
};

/* The number of workers for --threads; 0: one for each core. */
size_t workers_wanted(unsigned threads);
/* Starts count workers and sets options.index for each. After an error those that were started run on. */
int workers_start(struct workers *workers, size_t count, struct worker_options options, struct error *err);
void workers_stop(struct workers *workers);

/* Passes a connected socket to the next worker. */
void workers_accept(struct workers *workers, int fd, bool trusted);
