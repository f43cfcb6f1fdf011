/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What nghttp2 reads from the peer becomes events of http.h: requests, headers, bodies, ends.
 */
#pragma once

#include "http/h2_connection.h"

/* Sets the callbacks of what is received. */
void h2_receive_register(nghttp2_session_callbacks *callbacks);
