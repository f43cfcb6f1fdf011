/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries every pair of states of a machine: the transitions that its table allows pass, and every other one aborts.
 */
#pragma once

#include <stdbool.h>

#include "base/macros.h"
#include "dies.h"

struct transition {
	unsigned from, to;
};

static inline bool is_allowed(const struct transition *allowed, size_t count, struct transition wanted) {
	for (size_t i = 0; i < count; i++)
		if (allowed[i].from == wanted.from && allowed[i].to == wanted.to)
			return true;
	return false;
}

/* move gets a struct transition, puts a machine into its first state, and moves it to the second. */
static inline void check_machine(void (*move)(void *transition), unsigned states, const struct transition *allowed,
				 size_t count) {
	for (unsigned from = 0; from < states; from++) {
		for (unsigned to = 0; to < states; to++) {
			struct transition transition = {from, to};
			if (is_allowed(allowed, count, transition))
				move(&transition);
			else
				assert_dies(move, &transition);
		}
	}
}

/* Defines `name`, a move of a machine that is an enum with a function of its own. */
#define MOVE_OF_ENUM(name, type, function)                      \
	static void name(void *argument) {                      \
		const struct transition *transition = argument; \
		enum type state = transition->from;             \
		function(&state, transition->to);               \
		assert_int_equal(state, transition->to);        \
	}
