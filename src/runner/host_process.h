/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A deployment as a child process that serves VerbService on FTL_BIND.
 *
 *   PROBING ──Ping answered──▶ ALIVE
 *      │ start-up limit, stop    │ stop, the child hangs (child_ping.h)
 *      ▼                         ▼
 *   STOPPING ◀───────────────────┘
 *      every state ──the child exits──▶ EXITED ──its last call is answered──▶ ended
 *
 * Calls are relayed unopened to the child, over a channel of their own. When the child dies its connections break, and
 * the relay answers the calls in progress: EXITED lasts until they all have found that. A child that does not stop
 * within the kill limit gets SIGKILL.
 */
#pragma once

#include "runner/host.h"

enum process_host_state { PROCESS_PROBING, PROCESS_ALIVE, PROCESS_STOPPING, PROCESS_EXITED };

/* NULL: the child could not be started; err says why and nothing is left of it. */
struct host *host_process_start(const struct host_options *options, struct error *err);

/* The one place where the state changes. Aborts when the diagram has no such arrow. */
void process_host_move(enum process_host_state *state, enum process_host_state next);
