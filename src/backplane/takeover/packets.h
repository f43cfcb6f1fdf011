/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The protocol by which a new process takes over from an old one: packets over DATA/takeover.sock, a socket that only
 * this user can open. Both ends check the user of their peer as well.
 *
 *   new                                  old
 *    ── ASK: the versions it speaks ────▶    pauses: no request in progress, all changes stored, the data closed
 *    ◀─ OFFER: sockets and facts ────────    waits
 *    opens the data, starts
 *    ── READY ──────────────────────────▶
 *    ◀─ GO ──────────────────────────────    waits for TAKEN, as the new process may have died
 *    ── TAKEN ──────────────────────────▶    finishes its calls and exits
 *
 * The old process continues as before after REFUSED, which it sends, after FAILED, which the new one sends, and when
 * the connection ends before TAKEN.
 */
#pragma once

#include "base/arena.h"
#include "base/error.h"
#include "net/endpoint.h"

enum {
	/* Of the packets. An OFFER with a new fact that an older reader must not ignore needs a new version. */
	TAKEOVER_VERSION = 1,
	TAKEOVER_FDS_MAX = 250, /* the kernel's limit is 253 */
	TAKEOVER_TEXT_MAX = 64 << 10,
	TAKEOVER_BACKLOG = 4,
};

enum takeover_packet_kind {
	TAKEOVER_ASK = 1,
	TAKEOVER_REFUSED,
	TAKEOVER_OFFER,
	TAKEOVER_READY,
	TAKEOVER_GO,
	TAKEOVER_TAKEN,
	TAKEOVER_FAILED,
};

struct takeover_packet {
	enum takeover_packet_kind kind;
	/* ASK: the versions that the process speaks; in other packets the version in use. */
	uint32_t version_first, version_last;
	char *text; /* lines of facts, or an error's text; NUL-terminated */
	size_t text_len;
	int fds[TAKEOVER_FDS_MAX];
	size_t fd_count;
};

/* Called by the new process. NotFound: no process listens there. */
int takeover_packet_connect(const char *data_folder, int *ret_fd, struct error *err);
/* Called by the old process, which holds the data folder's lock. Replaces the file that an earlier process left. */
int takeover_packet_listen(const char *data_folder, int *ret_fd, struct error *err);
void takeover_packet_unlink(const char *data_folder);
/* Returns -1 when there is no connection, or it is of another user. */
int takeover_packet_accept(int listener);
long takeover_packet_peer_pid(int fd);

/* The text is borrowed; NULL: none. The caller keeps its descriptors. */
int takeover_packet_send(int fd, enum takeover_packet_kind kind, const char *text, const int *fds, size_t fd_count,
			 struct error *err);

/* Waits at most timeout_ms (DeadlineExceeded). The text is in arena; the caller closes the descriptors. Unavailable:
 * the connection has ended; FailedPrecondition: the bytes are no packet, or one of another version. */
int takeover_packet_receive(int fd, int timeout_ms, struct arena *arena, struct takeover_packet *ret_packet,
			    struct error *err);
/* The same for a packet of one kind. REFUSED and FAILED become errors with their text, other kinds Internal. */
int takeover_packet_expect(int fd, int timeout_ms, enum takeover_packet_kind kind, struct arena *arena,
			   struct takeover_packet *ret_packet, struct error *err);
