/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The nghttp2 session of a connection, with its callbacks, options and first SETTINGS.
 */
#pragma once

#include "http/h2_connection.h"

/* CONNECTING becomes OPEN; the transport is read from now on. */
void h2_start_session(struct h2 *h2);
