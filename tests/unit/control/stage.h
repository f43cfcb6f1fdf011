/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control side under a clock of the test: each effect is logged as a line, and the test answers it.
 */
#pragma once

#include "cmocka_test.h"

#include "base/buf.h"
#include "control/control.h"

struct stage {
	struct control control; /* without warm Runners */
	struct effects effects;
	struct effects_ops ops;
	struct buf log; /* effects since the last expect, a line each */
	struct buf told; /* events of Runners, the same */
	uint64_t now_ms, random;
	uint64_t published; /* the last version that the workers were given */
	char last_created[KEY_MAX]; /* the Runner that the Platform was asked for last */
	uint64_t retry_in_ms; /* of the last event that has one */
};

extern struct stage *stage;

int stage_set_up(void **state);
/* The same, but control_begin is left to the test. */
int stage_set_up_loading(void **state);
int stage_tear_down(void **state);
#define STAGE_TEST(function) cmocka_unit_test_setup_teardown(function, stage_set_up, stage_tear_down)
#define LOADING_TEST(function) cmocka_unit_test_setup_teardown(function, stage_set_up_loading, stage_tear_down)

/* The effects since the last call are exactly these lines. */
void expect(const char *lines);
/* The events of Runners since the last call are exactly these lines. */
void expect_told(const char *lines);
const char *log_text(void);
void forget_log(void);

/* Time passes, with a tick at the end. */
void pass(uint64_t ms);
void deploy(const char *key, const char *module, unsigned replicas);
void register_runner(uint64_t id, const char *endpoint, const char *key, const char *hosts);
/* The answer to the ping that was sent; if none is outstanding, to one that is sent just now. */
void pinged(const char *key, const struct error *err);
/* A Runner that a person started registers and answers its ping. */
void bring_runner(uint64_t id, const char *key);
/* error "": the deployment is alive. */
void report(const char *runner, const char *deployment, const char *error);
void report_attempt(const char *runner, const char *deployment, uint64_t attempt, const char *error, bool runner_fault);
/* Every worker has the last routes. */
void publish(void);

unsigned alive_of(const char *key);
uint64_t attempt_of(const char *key);
