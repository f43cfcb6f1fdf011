/* SPDX-License-Identifier: Apache-2.0 */
/*
 * VerbService as the Backplane serves it: Call goes to a Runner (call.h), List and Ping are answered here.
 */
#pragma once

#include "router/worker.h"

/* For worker_options: their service is the worker. */
extern const struct worker_methods verb_service;
