/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a person can do about an error, in the words of the command line. Servers send reasons (base/reasons.h) and
 * speak of no option and no command, as SDKs and web pages show their errors too.
 */
#pragma once

#include "base/arena.h"
#include "base/error.h"

/* The hint for the reason of err, in arena; NULL: there is none. module: the one that the command is about; NULL: none.
 */
const char *hint_for(const struct error *err, const char *module, struct arena *arena);
