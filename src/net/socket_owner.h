/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which process listens on a TCP port or a socket's path, for the error that names it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/un.h>

enum { SOCKET_OWNER_MAX = 128 };

/* Writes "NAME (pid N)" of a process that listens on port. false: unknown, as for another user's process. */
bool socket_owner_of_port(uint16_t port, char ret_text[SOCKET_OWNER_MAX]);

/* The same for a UNIX socket. */
bool socket_owner_of_path(const struct sockaddr_un *address, char ret_text[SOCKET_OWNER_MAX]);
