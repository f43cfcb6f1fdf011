/* SPDX-License-Identifier: Apache-2.0 */
/*
 * google.rpc.ErrorInfo: the detail that carries the reason of an error (base/reasons.h).
 */
#pragma once

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"

#define ERROR_INFO_TYPE "google.rpc.ErrorInfo"

/* The detail's value, in arena. */
struct str error_info_encode(struct arena *arena, const char *reason);

/* Reads the reason from a detail's value. False: it is malformed, of another domain than ours, or not a reason. */
bool error_info_decode(struct str value, char ret_reason[ERROR_REASON_MAX]);
