/* SPDX-License-Identifier: Apache-2.0 */
#include "scripted_peer.h"

#include <sys/socket.h>
#include <unistd.h>

#include "cmocka_test.h"

enum { PREFACE_SIZE = 24, FRAME_HEAD = 9 };
enum frame { FRAME_DATA, FRAME_HEADERS, FRAME_RST = 3, FRAME_SETTINGS = 4, FRAME_PING = 6, FRAME_GOAWAY };

static void send_frame(struct scripted_peer *peer, enum frame type, unsigned char flags, unsigned stream,
		       const char *body, size_t len) {
	char frame[64];
	char head[FRAME_HEAD] = {0, 0, (char)len, (char)type, (char)flags, 0, 0, (char)(stream >> 8), (char)stream};
	memcpy(frame, head, sizeof head);
	memcpy(frame + sizeof head, body, len);
	transport_write(peer->transport, str_new(frame, sizeof head + len));
}

/* ":status: 200", "content-type: application/grpc", "grpc-status: 0": a complete response without a message. */
static void answer(struct scripted_peer *peer, unsigned stream) {
	static const char block[] = "\x88\x0F\x10\x10"
				    "application/grpc"
				    "\x00\x0B"
				    "grpc-status"
				    "\x01"
				    "0";
	send_frame(peer, FRAME_HEADERS, 0x5, stream, block, sizeof block - 1);
}

static void send_goaway(struct scripted_peer *peer, unsigned last) {
	const char body[8] = {0, 0, 0, (char)last};
	send_frame(peer, FRAME_GOAWAY, 0, 0, body, sizeof body);
}

static void answer_held(struct scripted_peer *peer) {
	for (size_t i = 0; i < peer->held_count; i++)
		answer(peer, peer->held[i]);
	peer->held_count = 0;
}

static void on_request(struct scripted_peer *peer, unsigned stream) {
	static const char refused[] = {0, 0, 0, 7};
	peer->requests++;
	switch (peer->script) {
	case ANSWERS:
	case ANSWERS_ONE_AT_A_TIME:
	case SILENT:
	case HANGS:
	case CLOSES:
		return;
	case ANSWERS_AFTER_PINGS:
	case ANSWERS_ONE_AFTER_PINGS:
		peer->held[peer->held_count++] = stream;
		return;
	case REFUSES:
		send_frame(peer, FRAME_RST, 0, stream, refused, sizeof refused);
		return;
	case GOAWAY_EXCLUDING:
		send_goaway(peer, 0);
		return;
	case GOAWAY_INCLUDING:
		send_goaway(peer, stream);
		transport_close(peer->transport);
		return;
	case BREAKS:
		transport_close(peer->transport);
		return;
	}
}

static void on_request_end(struct scripted_peer *peer, unsigned stream) {
	if (peer->script == ANSWERS || peer->script == ANSWERS_ONE_AT_A_TIME)
		answer(peer, stream);
}

static void on_frame(struct scripted_peer *peer, unsigned char type, unsigned char flags, unsigned stream,
		     struct str body) {
	if (type == FRAME_HEADERS)
		on_request(peer, stream);
	if (type == FRAME_DATA)
		peer->body += body.len;
	if ((type == FRAME_HEADERS || type == FRAME_DATA) && (flags & 1))
		on_request_end(peer, stream);
	if (type == FRAME_PING && !(flags & 1) && peer->script != HANGS) {
		send_frame(peer, FRAME_PING, 1, 0, body.ptr, body.len);
		if (++peer->pings >= 2)
			answer_held(peer);
	}
}

static void on_peer_read(struct transport *transport, struct str bytes) {
	struct scripted_peer *peer = transport->owner;
	assert_int_equal(buf_append(&peer->received, bytes), 0);
	struct str view = buf_view(&peer->received);
	if (peer->script == SILENT || (!peer->greeted && view.len < PREFACE_SIZE))
		return;
	if (!peer->greeted) {
		static const char one_stream[] = {0, 3, 0, 0, 0, 1};
		peer->greeted = true;
		buf_consume(&peer->received, PREFACE_SIZE);
		bool one = peer->script == ANSWERS_ONE_AT_A_TIME || peer->script == ANSWERS_ONE_AFTER_PINGS;
		send_frame(peer, FRAME_SETTINGS, 0, 0, one_stream, one ? sizeof one_stream : 0);
	}
	while (view = buf_view(&peer->received), view.len >= FRAME_HEAD && !transport_is_closed(transport)) {
		const unsigned char *head = (const unsigned char *)view.ptr;
		size_t len = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];
		if (view.len < FRAME_HEAD + len)
			return;
		on_frame(peer, head[3], head[4], (unsigned)head[7] << 8 | head[8], str_new(view.ptr + FRAME_HEAD, len));
		buf_consume(&peer->received, FRAME_HEAD + len);
	}
}

static void on_peer_end(struct transport *transport, const struct error *err UNUSED) {
	transport_close(transport);
}

static void on_peer_drained(struct transport *transport UNUSED) {
}

static void on_peer_closed(struct transport *transport) {
	struct scripted_peer *peer = transport->owner;
	peer->transport = NULL;
	buf_deinit(&peer->received);
}

static const struct transport_events peer_events = {.on_read = on_peer_read,
						    .on_end = on_peer_end,
						    .on_drained = on_peer_drained,
						    .on_closed = on_peer_closed};

int scripted_peers_dial(void *data) {
	struct scripted_peers *peers = data;
	int fds[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	size_t at = peers->dials++;
	enum script script = peers->scripts[MIN(at, peers->script_count - 1)];
	if (script == CLOSES) {
		close(fds[1]);
		return fds[0];
	}
	assert_true(at < SCRIPTS_MAX);
	struct scripted_peer *peer = &peers->items[at];
	*peer = (struct scripted_peer){.script = script, .received = BUF_INIT(MIB(1))};
	peer->transport = transport_open(peers->loop, fds[1], &peer_events, peer);
	transport_start_reading(peer->transport);
	return fds[0];
}

void scripted_peers_close(struct scripted_peers *peers) {
	for (size_t i = 0; i < SCRIPTS_MAX; i++)
		if (peers->items[i].transport != NULL)
			transport_close(peers->items[i].transport);
}
