/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The suite of the HTTP server over each kind of connection.
 */
#include <signal.h>

#include "suite.h"

#include "http/h1.h"
#include "http/h2.h"

/* HTTP/2: the preface, empty SETTINGS, and HEADERS without END_HEADERS that hold ":method: POST". */
#define HALF_A_BLOCK "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0\0\0\1\1\0\0\0\0\1\x83"
#define HALF_A_HEAD "POST / HTTP/1.1\r\nhost: x\r\n"

static const struct connection_kind kinds[] = {
	{.name = "HTTP/1.1",
	 .connect = h1_connect,
	 .http1_only = true,
	 .streams_max = 1,
	 .half_a_head = STR_INIT(HALF_A_HEAD)},
	{.name = "HTTP/1.1 with TLS",
	 .connect = h1_connect,
	 .tls = true,
	 .http1_only = true,
	 .streams_max = 1,
	 .half_a_head = STR_INIT(HALF_A_HEAD)},
	{.name = "HTTP/2", .connect = h2_connect, .streams_max = 5, .half_a_head = STR_INIT(HALF_A_BLOCK)},
	{.name = "HTTP/2 with TLS",
	 .connect = h2_connect,
	 .tls = true,
	 .streams_max = 5,
	 .half_a_head = STR_INIT(HALF_A_BLOCK)},
};

int main(void) {
	signal(SIGPIPE, SIG_IGN);
	return http_suite_run(kinds, ARRAY_LEN(kinds));
}
