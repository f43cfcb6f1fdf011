/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The module of m.ftl, whose verbs answer with their request, and a host for it without any Runner.
 */
#pragma once

#include <stdbool.h>

#include "base/arena.h"
#include "ftl/module.h"

struct echo {
	struct ftl_context context; /* first: the functions of the host are called with it */
	struct arena arena;
	size_t allowed;     /* bytes that may be allocated; SIZE_MAX: any number */
	const char *reply;  /* NULL: none */
	enum ftl_code code; /* of a failure; 0: none */
	char failure[2048];
	/* What a call of another verb is answered with, and what it was. */
	const char *answer; /* NULL: it fails */
	char called[4096];
};

void echo_init(struct echo *echo);
void echo_deinit(struct echo *echo);

const struct ftl_verb *echo_verb(const char *name);

/* Runs the verb of m.ftl; returns what it returned. The arena is emptied before. */
int echo_run(struct echo *echo, const struct ftl_verb *verb, const char *request);
