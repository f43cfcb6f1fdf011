/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Backplane: stores artefacts and deployments, creates and manages Runners through a Platform, and routes calls.
 */
#pragma once

#include <stdbool.h>

#include "rpc/server.h"

struct platform_choice;

struct backplane_options {
	const char *bind; /* endpoint to serve on: "http://127.0.0.1:8892"; NULL: that of the Backplane to take over */
	bool takeover; /* takes over from the Backplane that runs on the data folder, without failing a call */
	const char *data_folder; /* database, artefacts, logs, Runners' sockets */
	const struct platform_choice *platform; /* where Runners run */
	const char *program; /* path of the ftl binary, from which Runners are started */
	unsigned threads; /* number of workers; 0: one for each core */
	unsigned busy_poll_us; /* loop_set_busy_poll, for workers; passed to Runners; 0 */
	unsigned warm; /* idle Runners kept for each language in use; 1 */
	uint64_t start_timeout_ms; /* passed to Runners; 30 s */
	uint64_t orphan_timeout_ms; /* passed to Runners; 2 min */
	uint64_t child_ping_ms; /* passed to Runners; 2 s */
	uint64_t drain_timeout_ms; /* limit for a replaced deployment to finish its calls; 30 s */
	/* PEM files; NULL: none. With a certificate the port accepts TLS; when bind is https:// or a client_ca is
	 * given, it accepts TLS only, and the Backplane's own Runners and their modules connect to a socket in the data
	 * folder. */
	const char *tls_cert, *tls_key, *tls_client_ca;
	const char *ca; /* PEM file of authorities to trust when a Runner is at https://; NULL: those of the system */
	const char *const *origins; /* further web pages that may call; NULL-terminated, or NULL */
	/* Limits of the port, for each worker. The Backplane sets tls_only, types and origins. */
	struct rpc_server_options limits;
	uint64_t artefact_max; /* "max-artefact"; 4 GiB */
	/* Optional: called once the Backplane serves, with its endpoint, which has the port that the system chose. */
	void (*ready)(void *data, const char *endpoint);
	/* Optional: called once another process has taken over. This one then only finishes the calls in progress. */
	void (*taken_over)(void *data);
	void *data;
};

/* Runs until a signal orders it to stop (net/stop_signals.h), and returns when every process that it started has ended;
 * or until another process has taken over, which then manages the Runners. Returns 0, or -1 when the start failed. */
int backplane_run(const struct backplane_options *options, struct error *err);
