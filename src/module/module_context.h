/* SPDX-License-Identifier: Apache-2.0 */
/* What the functions of ftl/module.h do for a module that this process hosts. */
#pragma once

#include "ftl/module.h"

extern const struct ftl_host module_functions;
