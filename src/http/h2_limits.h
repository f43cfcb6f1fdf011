/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames that are cheap to send and dear to handle have a budget for each second; a peer that passes it is told to calm
 * down, and its connection closes.
 */
#pragma once

#include "http/h2_connection.h"

/* A stream that the peer reset, or made this side reset. */
void h2_charge_reset(struct h2 *h2);

/* A frame that carries nothing for a request. */
void h2_charge_control_frame(struct h2 *h2);

/* Headers that HPACK unfolds to far more than the limit: "bombs". */
bool h2_is_bomb(const struct h2 *h2, size_t header_bytes);
void h2_terminate_for_bomb(struct h2 *h2);
