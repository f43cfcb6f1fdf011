/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The RPC server of the control side. Its only clients are the workers, over socket pairs: they relay every request
 * that is neither a call of a verb nor an upload.
 */
#pragma once

#include "net/loop.h"
#include "rpc/server.h"

struct control_server {
	struct loop *loop;
	struct rpc_server *rpc; /* NULL: the server has stopped */
};

/* held_max: the limit of that name in struct rpc_server_options. */
void control_server_start(struct control_server *server, struct loop *loop, size_t held_max);
void control_server_stop(struct control_server *server);

/* Serves the other end of a worker's connection; closes it when the server has stopped. */
void control_server_accept(struct control_server *server, int fd);

/* Called on a worker's thread: connects to the struct control_server. Returns the worker's end, or -1. */
int control_server_dial(void *server);
