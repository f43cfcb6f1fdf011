/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls that a verb makes: ftl_call and ftl_call_then. They go out from the loop, with the deadline, the cancellation
 * and the trace of the call that makes them.
 */
#pragma once

#include "module/module_call.h"

/* ftl_call. On the verb's thread. */
const char *module_call_out(struct ftl_context *context, const char *verb, const char *request);

/* ftl_call_then. */
int module_call_then(struct ftl_context *context, const char *verb, const char *request, ftl_continue *then,
		     void *data);

/* On a thread: a verb has returned, and each function that goes on in its place runs. Returns what the last one
 * returns. */
int module_call_go_on(struct module_call *call, int result);

/* On the loop: gives up the calls out that are in progress. */
void module_call_cancel_out(struct module_call *call);
