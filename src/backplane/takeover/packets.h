/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The conversation of two processes of which the one takes the place of the other: packets over DATA/takeover.sock, a
 * socket that only this user can open, and whose ends look at each other's user as well.
 *
 *   new                                  old
 *    ── ASK: the versions it speaks ────▶    stops at a clean point: nothing in progress, all kept, the data closed
 *    ◀─ OFFER: sockets and facts ────────    waits
 *    opens the data, comes up
 *    ── READY ──────────────────────────▶
 *    ◀─ GO ──────────────────────────────    waits for the last word, as the new one may be gone by now
 *    ── TAKEN ──────────────────────────▶    finishes its calls and leaves
 *
 * REFUSED from the old one, FAILED from the new one, and the end of the connection before TAKEN, all mean that the old
 * one goes on as before.
 */
#pragma once

#include "base/arena.h"
#include "base/error.h"
#include "net/endpoint.h"

enum {
	/* Of the packets. An OFFER that says something new, which an old reader must not overlook, is a new version. */
	TAKEOVER_VERSION = 1,
	TAKEOVER_FDS_MAX = 250, /* what the system passes in one packet is 253 */
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
	/* ASK: those that are spoken; else the one that is used. */
	uint32_t version_first, version_last;
	char *text; /* lines of facts, or why; terminated */
	size_t text_len;
	int fds[TAKEOVER_FDS_MAX];
	size_t fd_count;
};

/* The new one's end. NotFound: nobody listens there. */
int takeover_packet_connect(const char *data_folder, int *ret_fd, struct error *err);
/* The old one's: replaces a file that a process which is gone has left; the caller holds the data folder's lock. */
int takeover_packet_listen(const char *data_folder, int *ret_fd, struct error *err);
void takeover_packet_unlink(const char *data_folder);
/* -1: none, or not of this user. */
int takeover_packet_accept(int listener);
long takeover_packet_peer_pid(int fd);

/* The text is borrowed; NULL for none. fds stay the caller's. */
int takeover_packet_send(int fd, enum takeover_packet_kind kind, const char *text, const int *fds, size_t fd_count,
			 struct error *err);

/* Waits at most timeout_ms. The text is in arena, the descriptors are the caller's. Unavailable: the other end is gone;
 * DeadlineExceeded: it says nothing. A packet that is none, or of a version that is not ours, is FailedPrecondition. */
int takeover_packet_receive(int fd, int timeout_ms, struct arena *arena, struct takeover_packet *ret_packet,
			    struct error *err);
/* The same for the one packet that must come now. REFUSED and FAILED become errors with their text. */
int takeover_packet_expect(int fd, int timeout_ms, enum takeover_packet_kind kind, struct arena *arena,
			   struct takeover_packet *ret_packet, struct error *err);
