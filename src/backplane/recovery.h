/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a Backplane goes on from at its start: the rows of the store become records of the control side, and what a
 * crash left half done is ended.
 */
#pragma once

#include "control/control.h"
#include "store/store.h"

/* Blocks on the store. The state of a deployment that cannot be right, as wanted_state says, is corrected in the store
 * before it is loaded. */
int recovery_load(struct store *store, uint64_t epoch, struct control *control, struct error *err);
