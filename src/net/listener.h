/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A listening socket: TCP or UNIX. Accepted sockets are passed on as descriptors, so that another thread's loop can
 * take them.
 */
#pragma once

#include "base/error.h"
#include "net/endpoint.h"
#include "net/file_check.h"
#include "net/loop.h"

/* How often a UNIX listener looks whether its socket file is still there: cleaners of temporary folders remove files,
 * and nobody who connects anew finds the socket then, while the connections of before live on. */
enum { LISTENER_CHECK_MS = 2000 };

struct listener {
	struct loop *loop;
	int fd;
	uv_poll_t poll;
	struct timer pause; /* until the next attempt, without a free descriptor */
	struct endpoint endpoint; /* with the port that the system chose */
	void (*on_accept)(struct listener *listener, int fd); /* takes fd */
	void *owner;
	bool starved; /* without a free descriptor, which has been logged */
	struct file_check check; /* UNIX: of the socket's file */
	bool is_lost; /* UNIX: the file is gone and could not be made again, which has been logged */
};

/* Raises the soft limit of open files to the hard one, as each connection is a file. */
void listener_raise_file_limit(void);

/* Binds and listens; a socket file that is removed is made again. A port or path in use is AlreadyExists, with the
 * reason ADDRESS_IN_USE or NOT_A_SOCKET; the error names the process that has it. A socket file on which no process
 * listens is replaced. */
int listener_open(struct listener *listener, struct loop *loop, const struct endpoint *endpoint,
		  void (*on_accept)(struct listener *listener, int fd), void *owner, struct error *err);

/* Takes fd, a listening socket that another process has passed on. */
void listener_adopt(struct listener *listener, struct loop *loop, int fd, const struct endpoint *endpoint,
		    void (*on_accept)(struct listener *listener, int fd), void *owner);

/* Takes no more connections; the socket and its file stay for the process that shares it. */
void listener_abandon(struct listener *listener);

/* Takes no more connections and removes the socket file. The memory must last until the loop has run on. */
void listener_close(struct listener *listener);
