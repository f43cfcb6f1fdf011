/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compares what is wanted with what is there, and decides. Nothing else creates, assigns, adopts, drains or ends a
 * Runner, switches a module over, or publishes routes.
 */
#pragma once

#include "control/model.h"

/* Called at the end of every event. */
void control_reconcile(struct control *control);
