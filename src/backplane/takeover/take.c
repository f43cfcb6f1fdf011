/* SPDX-License-Identifier: Apache-2.0 */
/*
 * This process takes the place of the Backplane that runs (handover.h). All that can fail comes before GO, so that the
 * other one can go on as if nothing had been.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "backplane/context.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/reasons.h"

enum {
	OFFER_MAX_MS = 15000, /* the other one finishes what is in progress first */
	GO_MAX_MS = 15000,
};

/* --- what is offered ---------------------------------------------------------------------------------------------- */

static int read_listener(struct str rest, int fd, struct endpoint *ret_endpoint, int *ret_fd, struct error *err) {
	if (fd < 0 || *ret_fd >= 0)
		return error_set(err, CODE_FAILED_PRECONDITION, "the offer has %s",
				 fd < 0 ? "too few sockets" : "a socket twice");
	*ret_fd = fd;
	return ret_endpoint != NULL ? endpoint_parse(rest, ret_endpoint, err) : 0;
}

static int read_draining(struct offer *offer, struct str rest, struct error *err) {
	struct str left, key = str_cut(rest, ' ', &left);
	char number[24];
	if (key.len == 0 || key.len >= KEY_MAX || left.len == 0 || left.len >= sizeof number)
		return error_set(err, CODE_FAILED_PRECONDITION, "the offer has a line that is none: draining %.*s",
				 STR_ARG(rest));
	snprintf(number, sizeof number, "%.*s", STR_ARG(left));
	offer->draining = mem_realloc(offer->draining, (offer->draining_count + 1) * sizeof *offer->draining);
	struct draining *draining = &offer->draining[offer->draining_count++];
	*draining = (struct draining){.left_ms = strtoull(number, NULL, 10)};
	snprintf(draining->key, sizeof draining->key, "%.*s", STR_ARG(key));
	return 0;
}

/* Lines that name sockets take them in their order; what is left over are connections. */
static int read_line(struct offer *offer, struct str line, const struct takeover_packet *packet, size_t *at,
		     struct error *err) {
	struct str rest, word = str_cut(line, ' ', &rest);
	int fd = *at < packet->fd_count ? packet->fds[*at] : -1;
	if (str_eq(word, STR("draining")))
		return read_draining(offer, rest, err);
	++*at;
	if (str_eq(word, STR("listener")))
		return read_listener(rest, fd, &offer->endpoint, &offer->listener, err);
	if (str_eq(word, STR("inner")))
		return read_listener(rest, fd, &offer->inner_endpoint, &offer->inner, err);
	if (str_eq(word, STR("takeover")))
		return read_listener(rest, fd, NULL, &offer->takeover, err);
	return error_set(err, CODE_FAILED_PRECONDITION, "the offer has a line that is none: %.*s", STR_ARG(line));
}

static int read_offer(struct offer *offer, const struct takeover_packet *packet, struct error *err) {
	size_t at = 0;
	for (struct str text = str_new(packet->text, packet->text_len); text.len > 0;) {
		struct str line = str_cut(text, '\n', &text);
		if (read_line(offer, line, packet, &at, err) < 0)
			return -1;
	}
	while (at < packet->fd_count)
		offer->ends[offer->end_count++] = packet->fds[at++];
	if (offer->listener < 0 || offer->takeover < 0)
		return error_set(err, CODE_FAILED_PRECONDITION, "the offer lacks a socket");
	return 0;
}

/* --bind says where it is, or nothing. */
static int check_bind(const struct backplane *backplane, struct error *err) {
	const struct endpoint *there = &backplane->offer->endpoint;
	struct endpoint wanted;
	if (backplane->options->bind == NULL)
		return 0;
	if (endpoint_parse(str_from(backplane->options->bind), &wanted, err) < 0)
		return -1;
	bool same = wanted.kind == there->kind &&
		    (wanted.kind == ENDPOINT_UNIX ? strcmp(wanted.path, there->path) == 0
						  : strcmp(wanted.host, there->host) == 0 &&
							    (wanted.port == 0 || wanted.port == there->port));
	if (same)
		return 0;
	char text[ENDPOINT_MAX];
	endpoint_format(there, text);
	error_set(err, CODE_INVALID_ARGUMENT,
		  "a takeover keeps the address: the Backplane that runs listens on %s, not on %s", text,
		  backplane->options->bind);
	return error_set_reason(err, REASON_TAKEOVER_OTHER_ADDRESS);
}

int takeover_ask(struct backplane *backplane, struct error *err) {
	int talk;
	if (takeover_packet_connect(backplane->data_folder, &talk, err) < 0)
		return -1;
	struct offer *offer = backplane->offer = mem_zalloc(sizeof *offer);
	*offer = (struct offer){.talk = talk, .listener = -1, .inner = -1, .takeover = -1};
	struct arena arena = ARENA_INIT(2 * (size_t)TAKEOVER_TEXT_MAX);
	struct takeover_packet packet;
	int failed = takeover_packet_send(talk, TAKEOVER_ASK, NULL, NULL, 0, err) < 0 ||
		     takeover_packet_expect(talk, OFFER_MAX_MS, TAKEOVER_OFFER, &arena, &packet, err) < 0 ||
		     read_offer(offer, &packet, err) < 0 || check_bind(backplane, err) < 0;
	arena_deinit(&arena);
	return failed ? -1 : 0;
}

/* --- the end ------------------------------------------------------------------------------------------------------ */

static void offer_free(struct backplane *backplane) {
	struct offer *offer = backplane->offer;
	const int left[] = {offer->talk, offer->listener, offer->inner, offer->takeover};
	for (size_t i = 0; i < ARRAY_LEN(left); i++)
		if (left[i] >= 0)
			close(left[i]);
	while (offer->end_count > 0)
		close(offer->ends[--offer->end_count]);
	free(offer->draining);
	free(offer);
	backplane->offer = NULL;
}

void takeover_serve(struct backplane *backplane) {
	struct offer *offer = backplane->offer;
	if (offer == NULL)
		return;
	while (offer->end_count > 0) {
		struct worker *worker = backplane->workers[backplane->next_worker++ % backplane->worker_count];
		worker_accept(worker, offer->ends[--offer->end_count], true);
	}
	offer_free(backplane);
}

int takeover_finish(struct backplane *backplane, struct error *err) {
	struct offer *offer = backplane->offer;
	struct arena arena = ARENA_INIT(2 * (size_t)TAKEOVER_TEXT_MAX);
	struct takeover_packet packet;
	int failed = takeover_packet_send(offer->talk, TAKEOVER_READY, NULL, NULL, 0, err) < 0 ||
		     takeover_packet_expect(offer->talk, GO_MAX_MS, TAKEOVER_GO, &arena, &packet, err) < 0;
	arena_deinit(&arena);
	if (failed)
		return -1;
	/* If it is gone by now there is nobody to tell. */
	takeover_packet_send(offer->talk, TAKEOVER_TAKEN, NULL, NULL, 0, NULL);
	log_info("took over from process %ld", takeover_packet_peer_pid(offer->talk));
	return 0;
}

void takeover_fail(struct backplane *backplane, const struct error *why) {
	if (backplane->offer == NULL)
		return;
	/* It goes on with these, so their files stay. */
	listener_abandon(&backplane->listener);
	listener_abandon(&backplane->inner);
	takeover_close(backplane);
	/* The artefacts are closed as the loop runs out; the other process waits for their lock. */
	close_artefacts(backplane, NULL);
	close_store(backplane);
	takeover_packet_send(backplane->offer->talk, TAKEOVER_FAILED, why->msg, NULL, 0, NULL);
	offer_free(backplane);
}
