/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runners as processes of this machine. They survive a crash of the Backplane, and the next one finds them.
 */
#pragma once

#include "platform/platform.h"

extern const struct platform_driver platform_local;
