/* SPDX-License-Identifier: Apache-2.0 */
#include "backplane/takeover/take.h"

#include <inttypes.h>
#include <string.h>

#include "backplane/takeover/offer.h"
#include "backplane/workers.h"
#include "base/log.h"
#include "base/reasons.h"

enum {
	OFFER_MAX_MS = 15000, /* includes the other process's max-takeover-pause */
	GO_MAX_MS = 15000,
};

/* Runners, and modules that call others, know the address as clear text. */
static int check_clear_text(const struct endpoint *there, bool tls_only, struct error *err) {
	char text[ENDPOINT_MAX];
	if (!tls_only || there->tls)
		return 0;
	endpoint_format(there, text);
	error_set(
		err, CODE_INVALID_ARGUMENT,
		"a takeover keeps the address: the Backplane that runs takes clear text on %s, where its Runners look for "
		"the next one, and this one would take TLS only",
		text);
	return error_set_reason(err, REASON_TAKEOVER_TLS_ONLY);
}

/* A takeover keeps the address, so bind must name that address or be NULL. */
static int check_bind(const struct endpoint *there, const char *bind, bool tls_only, struct error *err) {
	struct endpoint wanted;
	if (bind == NULL)
		return check_clear_text(there, tls_only, err);
	if (endpoint_parse(str_from(bind), &wanted, err) < 0)
		return -1;
	bool same = wanted.kind == there->kind &&
		    (wanted.kind == ENDPOINT_UNIX ? strcmp(wanted.path, there->path) == 0
						  : strcmp(wanted.host, there->host) == 0 &&
							    (wanted.port == 0 || wanted.port == there->port));
	if (same)
		return check_clear_text(there, tls_only || wanted.tls, err);
	char text[ENDPOINT_MAX];
	endpoint_format(there, text);
	error_set(err, CODE_INVALID_ARGUMENT,
		  "a takeover keeps the address: the Backplane that runs listens on %s, not on %s", text, bind);
	return error_set_reason(err, REASON_TAKEOVER_OTHER_ADDRESS);
}

static int receive_offer(struct offer *offer, const char *bind, bool tls_only, struct arena *arena, struct error *err) {
	struct takeover_packet packet;
	if (takeover_packet_send(offer->talk, TAKEOVER_ASK, NULL, NULL, 0, err) < 0 ||
	    takeover_packet_expect(offer->talk, OFFER_MAX_MS, TAKEOVER_OFFER, arena, &packet, err) < 0 ||
	    offer_read(offer, &packet, err) < 0)
		return -1;
	return check_bind(&offer->endpoint, bind, tls_only, err);
}

int takeover_ask(const char *data_folder, const char *bind, bool tls_only, struct offer **ret_offer,
		 struct error *err) {
	int talk;
	if (takeover_packet_connect(data_folder, &talk, err) < 0)
		return -1;
	*ret_offer = offer_new(talk);
	struct arena arena = ARENA_INIT(2 * (size_t)TAKEOVER_TEXT_MAX);
	int result = receive_offer(*ret_offer, bind, tls_only, &arena, err);
	arena_deinit(&arena);
	return result;
}

int takeover_finish(const struct offer *offer, struct error *err) {
	struct arena arena = ARENA_INIT(2 * (size_t)TAKEOVER_TEXT_MAX);
	struct takeover_packet packet;
	bool failed = takeover_packet_send(offer->talk, TAKEOVER_READY, NULL, NULL, 0, err) < 0 ||
		      takeover_packet_expect(offer->talk, GO_MAX_MS, TAKEOVER_GO, &arena, &packet, err) < 0;
	arena_deinit(&arena);
	if (failed)
		return -1;
	/* Ignore a failure: the other process has exited. */
	takeover_packet_send(offer->talk, TAKEOVER_TAKEN, NULL, NULL, 0, NULL);
	log_info("took over from process %ld", takeover_packet_peer_pid(offer->talk));
	return 0;
}

void takeover_serve(struct offer *offer, struct workers *workers) {
	while (offer->end_count > 0)
		workers_accept(workers, offer->ends[--offer->end_count], true);
}

void takeover_fail(const struct offer *offer, const struct error *why) {
	takeover_packet_send(offer->talk, TAKEOVER_FAILED, why->msg, NULL, 0, NULL);
}
