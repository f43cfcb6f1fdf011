/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The message that an HTTP/1.1 connection receives becomes events of http.h.
 */
#pragma once

#include "http/h1_connection.h"

void h1_receive_bytes(struct h1 *h1, struct str bytes);

/* Goes on with what had to wait, and reads from the transport as long as there is room for more. */
void h1_take_pending(struct h1 *h1);

/* Ends the connection over what the peer sent. A server answers with http_status first, if it still can. */
void h1_refuse(struct h1 *h1, unsigned http_status, const struct error *err);

/* The message is complete. */
void h1_end_received(struct h1 *h1);
