/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client of HTTP/1.1 may end its side once it has sent its requests, and still reads the answers.
 */
#pragma once

#include "http/h1_connection.h"

void h1_half_closed_init(struct h1 *h1);

/* Server: the client has ended its side in order. */
void h1_take_end(struct h1 *h1);
