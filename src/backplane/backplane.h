/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Backplane: keeps artefacts and deployments, creates and manages Runners through a Platform, routes calls.
 */
#pragma once

#include <stdbool.h>

#include "rpc/server.h"

struct platform_choice;

struct backplane_options {
	const char *bind; /* endpoint to serve on: "http://127.0.0.1:8892"; NULL with takeover: that of the other one */
	bool takeover; /* takes the place of the Backplane that runs on the data folder, without a call that fails */
	const char *data_folder; /* database, artefacts, logs, Runners' sockets */
	const struct platform_choice *platform; /* where Runners live */
	const char *program; /* the ftl binary that Runners are started with */
	unsigned threads; /* for calls; 0: as many as cores */
	unsigned busy_poll_us; /* loop_set_busy_poll, for workers; passed to Runners; 0 */
	unsigned warm; /* idle Runners kept for each language in use; 1 */
	uint64_t start_timeout_ms; /* passed to Runners; 30 s */
	uint64_t orphan_timeout_ms; /* passed to Runners; 2 min */
	uint64_t drain_timeout_ms; /* what a replaced deployment gets to finish its calls; 30 s */
	/* PEM files. With a certificate the port takes TLS; when bind is https:// or a client_ca is given, TLS alone.
	 * Own Runners and what they host then come by a socket in the data folder. NULL: none. */
	const char *tls_cert, *tls_key, *tls_client_ca;
	const char *ca; /* whom to trust when a Runner's endpoint is https://; NULL: the system's authorities */
	const char *const *origins; /* web pages that may call beside those of this machine; NULL-terminated, or NULL */
	struct rpc_server_options limits; /* of the port, for each thread: the rest of it is the Backplane's */
	uint64_t artefact_max; /* "max-artefact"; 4 GiB */
	/* Called once it serves, with the endpoint that it listens on (the port that the system chose). Optional. */
	void (*ready)(void *data, const char *endpoint);
	/* Called once another process has taken over; what is left is to finish the calls in progress. Optional. */
	void (*taken_over)(void *data);
	void *data;
};

/* Runs until SIGTERM or SIGINT, and everything that it started has ended when it returns; or until another process has
 * taken over, which then has all that runs. Returns 0, or -1 when it could not begin. */
int backplane_run(const struct backplane_options *options, struct error *err);
