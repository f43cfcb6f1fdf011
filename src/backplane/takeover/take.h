/* SPDX-License-Identifier: Apache-2.0 */
/*
 * This process takes the place of the Backplane that runs (packets.h). Everything that can fail comes before GO, so
 * that the other process can go on as if nothing had happened.
 */
#pragma once

#include "base/error.h"

struct offer;
struct workers;

/* Asks the Backplane of the data folder, which waits from its OFFER on. bind: the address that is wanted; NULL: that of
 * the other process. *ret_offer is set as soon as it must be freed, even after an error. */
int takeover_ask(const char *data_folder, const char *bind, struct offer **ret_offer, struct error *err);
/* This process is ready: it takes over, or fails. */
int takeover_finish(const struct offer *offer, struct error *err);
/* The workers have routes: passes them the connections that the other process kept waiting. */
void takeover_serve(struct offer *offer, struct workers *workers);
/* This process could not start, and the other one goes on. */
void takeover_fail(const struct offer *offer, const struct error *why);
