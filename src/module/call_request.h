/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of a CallRequest, as views of its bytes: a large body is not copied to be looked at. */
#pragma once

#include "base/error.h"
#include "base/str.h"

struct call_request {
	bool has_target;
	struct str module, verb; /* text; empty when they are missing */
	struct str body;
};

int call_request_read(struct str bytes, struct call_request *ret_request, struct error *err);
