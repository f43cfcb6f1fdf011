/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each of several threads reports once; after the last report a function runs once, on the loop of whoever waits.
 *
 *   loop:     countdown_new(loop, 3, done, owner) ──one order each──▶ three workers
 *   workers:  countdown_report, each on its own thread
 *   loop:     done(owner), after the third report; the countdown is freed before it
 */
#pragma once

#include "net/loop.h"

struct countdown;

/* With a count of 0 done runs at once, in a turn of the loop of its own. Freed by the last report. */
struct countdown *countdown_new(struct loop *loop, size_t count, void (*done)(void *owner), void *owner);

/* From any thread, count times in all. */
void countdown_report(struct countdown *countdown);
