/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An observer of calls that writes down what it is told.
 */
#pragma once

#include <pthread.h>

#include "router/call_observer.h"

enum { RECORDS_MAX = 256 };

/* A call, in the order in which they began. */
struct record {
	char verb[64], request_id[64];
	char attempts[128]; /* Runners' keys, each with a blank */
	char trace[64]; /* that the router made for the last attempt */
	bool ended;
	struct call_outcome outcome;
};

struct recorder {
	struct call_observer observer;
	pthread_mutex_t lock; /* the worker writes, the test reads */
	struct record records[RECORDS_MAX];
	size_t count;
};

void recorder_init(struct recorder *recorder);
