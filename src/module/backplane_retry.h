/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How soon a Backplane that is away is looked for again, by a Runner and by a C module in a process of its own: the
 * delay doubles from the first to the last, so that a Backplane that comes back is found within a second.
 */
#pragma once

enum { BACKPLANE_RETRY_FIRST_MS = 50, BACKPLANE_RETRY_LAST_MS = 250 };
