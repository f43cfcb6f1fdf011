/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes over from the Backplane that runs (packets.h). Every step that can fail comes before GO, so that the other
 * process can continue unchanged after a failure.
 */
#pragma once

#include <stdbool.h>

#include "base/error.h"

struct offer;
struct workers;

/* Asks the Backplane of the data folder, which blocks from its OFFER on. bind: the address to serve on; NULL: that of
 * the other process. tls_only: this process would take no clear text there, whatever bind says. After an error, too,
 * *ret_offer must be freed if it was set. */
int takeover_ask(const char *data_folder, const char *bind, bool tls_only, struct offer **ret_offer, struct error *err);
/* Sends READY, waits for GO, by which this process has taken over, and confirms with TAKEN. */
int takeover_finish(const struct offer *offer, struct error *err);
/* Passes the connections that waited in the other process to the workers, which have routes by now. */
void takeover_serve(struct offer *offer, struct workers *workers);
/* Sends FAILED: this process could not start, and the other one continues. */
void takeover_fail(const struct offer *offer, const struct error *why);
