/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a CallRequest as views of its bytes, so that a large body is not copied. */
#pragma once

#include "base/error.h"
#include "base/str.h"

struct call_request {
	bool has_target;
	struct str module, verb; /* text; empty when they are missing */
	struct str body;
};

int call_request_read(struct str bytes, struct call_request *ret_request, struct error *err);
