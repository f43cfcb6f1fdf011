/* SPDX-License-Identifier: Apache-2.0 */
/* The process of a Runner: what its files share. It runs on one loop. */
#pragma once

#include "http/probes.h"
#include "net/listener.h"
#include "net/stop_signals.h"
#include "net/tls_files.h"
#include "runner/agent.h"
#include "runner/logs.h"
#include "runner/runner.h"
#include "runner/workload.h"

struct runner_process {
	const struct runner_options *options;
	struct loop loop;
	struct listener listener;
	struct rpc_server *server;
	struct http_probes probes;
	struct types *types; /* so that people can ask a Runner in JSON */
	struct tls_pair tls;
	struct stop_signals signals;
	char endpoint[ENDPOINT_MAX]; /* its own */
	char *work_folder;
	bool made_work_folder;
	struct logs logs;

	struct agent agent;
	struct timer tick; /* when something of the agent is due */

	/* The agent's effects (runner_effects.c). */
	struct agent_effects effects;
	struct rpc_channel *backplane;
	struct rpc_stream *registration; /* NULL: none is open */
	struct workload *workload; /* NULL: the agent's hosting is NONE */
};

/* Around each event of the agent: sets its time, then has it do what is due. */
struct agent *runner_begin_event(struct runner_process *runner);
void runner_end_event(struct runner_process *runner);
