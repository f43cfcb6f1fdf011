/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /healthz and GET /readyz, by which load balancers and supervisors ask for the state of a server, in every version
 * of HTTP: whether the process is alive, and whether requests may come.
 */
#pragma once

#include "http/server.h"

/* Embedded in its owner, who sets the fields before http_probes_add; lives as long as the server. */
struct http_probes {
	/* NULL: requests may come; else why not, as a constant line of text with its "\n". */
	const char *(*not_ready)(void *owner);
	void *owner;
};

void http_probes_add(struct http_server *server, struct http_probes *probes);
