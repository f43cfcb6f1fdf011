/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A listening socket: TCP or UNIX. Accepted sockets are handed out as descriptors, so that they can be given to
 * another thread's loop.
 */
#pragma once

#include "base/error.h"
#include "net/endpoint.h"
#include "net/loop.h"

struct listener {
	struct loop *loop;
	int fd;
	uv_poll_t poll;
	struct timer pause; /* out of descriptors: try again in a moment */
	struct endpoint endpoint; /* with the port that the system chose */
	void (*on_accept)(struct listener *listener, int fd); /* takes fd */
	void *owner;
	bool starved;
};

/* Each connection is a file: lets this process have as many of them as the system allows it. */
void listener_raise_file_limit(void);

/* Binds and listens. A port or socket in use is AlreadyExists and the error says who holds it and what to do. A
 * socket file that nobody listens on is replaced. */
int listener_open(struct listener *listener, struct loop *loop, const struct endpoint *endpoint,
		  void (*on_accept)(struct listener *listener, int fd), void *owner, struct error *err);

/* The same with a socket that listens already, which another process has passed on. Takes fd. */
void listener_adopt(struct listener *listener, struct loop *loop, int fd, const struct endpoint *endpoint,
		    void (*on_accept)(struct listener *listener, int fd), void *owner);

/* Takes no more connections and leaves the socket, and its file, to the process that has it too. */
void listener_abandon(struct listener *listener);

/* Takes no more connections and removes the socket file. The memory may go when the loop is done. */
void listener_close(struct listener *listener);
