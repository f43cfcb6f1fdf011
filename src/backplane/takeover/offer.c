/* SPDX-License-Identifier: Apache-2.0 */
#include "backplane/takeover/offer.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/memory.h"

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
		return error_set(err, CODE_FAILED_PRECONDITION, "the offer has a malformed line: draining %.*s",
				 STR_ARG(rest));
	snprintf(number, sizeof number, "%.*s", STR_ARG(left));
	offer->draining = mem_realloc(offer->draining, (offer->draining_count + 1) * sizeof *offer->draining);
	struct draining *draining = &offer->draining[offer->draining_count++];
	*draining = (struct draining){.left_ms = strtoull(number, NULL, 10)};
	snprintf(draining->key, sizeof draining->key, "%.*s", STR_ARG(key));
	return 0;
}

/* A line that names a socket takes the next descriptor of the packet; descriptors that are left are connections. */
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
	return error_set(err, CODE_FAILED_PRECONDITION, "the offer has an unknown line: %.*s", STR_ARG(line));
}

int offer_read(struct offer *offer, const struct takeover_packet *packet, struct error *err) {
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

struct offer *offer_new(int talk) {
	struct offer *offer = mem_zalloc(sizeof *offer);
	*offer = (struct offer){.talk = talk, .listener = -1, .inner = -1, .takeover = -1};
	return offer;
}

void offer_free(struct offer *offer) {
	if (offer == NULL)
		return;
	const int left[] = {offer->talk, offer->listener, offer->inner, offer->takeover};
	for (size_t i = 0; i < ARRAY_LEN(left); i++)
		if (left[i] >= 0)
			close(left[i]);
	while (offer->end_count > 0)
		close(offer->ends[--offer->end_count]);
	free(offer->draining);
	free(offer);
}
