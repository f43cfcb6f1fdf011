/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Runner: registers with the Backplane for a language, fetches the deployment that it is told to host, runs it, and
 * passes calls on to it.
 */
#pragma once

#include "rpc/server.h"

struct runner_options {
	const char *backplane; /* endpoint of the Backplane */
	const char *bind; /* endpoint to serve on; port 0: any */
	const char *language; /* deployments of this language only */
	const char *key; /* NULL: the Backplane makes one */
	bool managed; /* a Backplane started it, and logs what happens to it */
	/* PEM files; NULL: none. With a certificate the Runner's port takes TLS, and only TLS when bind is https:// or
	 * a client CA is given. */
	const char *tls_cert, *tls_key, *tls_client_ca;
	const char *ca; /* whom to trust when the Backplane's endpoint is https://; NULL: the system's authorities */
	struct rpc_server_options limits; /* of the Runner's port; the other fields are not used */
	const char *work_folder; /* deployments are laid out below it; NULL: a new folder below TMPDIR or /tmp */
	unsigned busy_poll_us; /* loop_set_busy_poll; 0 */
	uint64_t start_timeout_ms; /* until a child answers Ping; 30 s */
	uint64_t orphan_timeout_ms; /* without a Backplane for this long the Runner stops itself; 2 min */
	uint64_t kill_timeout_ms; /* from SIGTERM to SIGKILL of a child; 10 s */
	uint64_t child_ping_ms; /* between two pings of a child that is alive (child_ping.h); 0: none; 2 s */
};

/* Runs until a signal orders it to stop (net/stop_signals.h), until the Backplane terminates the Runner, or until there
 * was no Backplane for orphan_timeout_ms. All that it started has ended when it returns. Returns -1 when it could not
 * begin, or when the Backplane refused the Runner. */
int runner_run(const struct runner_options *options, struct error *err);
