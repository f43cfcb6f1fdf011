/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who holds a TCP port or a socket's path, for the error that says so.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/un.h>

enum { PORT_HOLDER_MAX = 128 };

/* Writes "NAME (pid N)" of a process that listens on port. false: it cannot be told, as without the right to look
 * at another user's process. */
bool socket_owner(uint16_t port, char ret_text[PORT_HOLDER_MAX]);

/* The same of a UNIX socket. */
bool socket_holder(const struct sockaddr_un *address, char ret_text[PORT_HOLDER_MAX]);
