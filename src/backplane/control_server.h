/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server of the control side. Its only clients are the workers, over socket pairs: whatever they are asked that is
 * no call they relay here.
 */
#pragma once

#include "net/loop.h"
#include "rpc/server.h"

struct control_server {
	struct loop *loop;
	struct rpc_server *rpc; /* NULL: stopped */
};

/* held_max: rpc_server_options. */
void control_server_start(struct control_server *server, struct loop *loop, size_t held_max);
void control_server_stop(struct control_server *server);

/* Takes the other end of a worker's connection; closes it when the server has stopped. */
void control_server_accept(struct control_server *server, int fd);

/* On a worker's thread: makes a connection. server is the struct control_server. Returns the worker's end, or -1. */
int control_server_dial(void *server);
