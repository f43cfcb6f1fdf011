/* SPDX-License-Identifier: Apache-2.0 */
/*
 *   sim [--from SEED] [--seeds N] [--plant NAME] [--trace]     runs N seeds; stops at the first that fails
 *   sim --plants                                               checks that each planted mistake is noticed
 */
#include "sim.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const struct {
	const char *name, *noticed_by;
} plants[PLANT_COUNT] = {
	[PLANT_NONE] = {"none", ""},
	[PLANT_FORGET_CREATION] = {"forget-creation", "acknowledged"},
	[PLANT_STALE_EPOCH] = {"stale-epoch", "converges"},
	[PLANT_FORGET_DRAIN] = {"forget-drain", "copies"},
	[PLANT_EARLY_SWITCH] = {"early-switch", "switch-when-alive"},
	[PLANT_EARLY_DRAIN] = {"early-drain", "drain-unrouted"},
	[PLANT_EARLY_LIVE] = {"early-live", "live-event"},
	[PLANT_STALE_ROUTES] = {"stale-routes", "converges"},
	[PLANT_TWO_ACTIVE] = {"two-active", "one-active"},
	[PLANT_RUN_TWICE] = {"run-twice", "run-once"},
	[PLANT_ANSWER_TWICE] = {"answer-twice", "one-answer"},
	[PLANT_ZOMBIE] = {"zombie", "copies"},
	[PLANT_LEAK] = {"leak", "converges"},
	[PLANT_MISSING_EVENT] = {"missing-event", "events"},
	[PLANT_REORDER_SAVES] = {"reorder-saves", "acknowledged"},
	[PLANT_GHOST_PONG] = {"ghost-pong", "noticed"},
	[PLANT_MISCOUNT] = {"miscount", "books"},
	[PLANT_ROUTE_EARLY] = {"route-early", "routes-alive"},
	[PLANT_FORGETFUL] = {"forgetful", "copies"},
	[PLANT_EAGER] = {"eager", "routes-alive"},
	[PLANT_LOSE_REPORT] = {"lose-report", "converges"},
	[PLANT_NO_BACKOFF] = {"no-backoff", "backs-off"},
	[PLANT_LINGER] = {"linger", "orphaned"},
	[PLANT_DROP_CALL] = {"drop-call", "no-call-lost"},
	[PLANT_FALSE_ALARM] = {"false-alarm", "calm"},
};

const char *plant_name(enum plant plant) {
	return plants[plant].name;
}

const char *plant_noticed_by(enum plant plant) {
	return plants[plant].noticed_by;
}

static const char *program;
static uint64_t seed_at_work;

/* Prints the seed when an assertion of the state machines fails. */
static void on_abort(int number) {
	char text[96];
	int len = snprintf(text, sizeof text, "seed %llu: aborted (signal %d)\n", (unsigned long long)seed_at_work,
			   number);
	ssize_t written = write(STDOUT_FILENO, text, (size_t)len);
	_exit(written > 0 ? 1 : 2);
}

static bool run_one(const struct sim_options *options, struct sim *ret_sim) {
	seed_at_work = options->seed;
	bool fine = sim_run(ret_sim, options);
	sim_deinit(ret_sim);
	return fine;
}

static int run_seeds(struct sim_options options, uint64_t count, struct sim *sim) {
	uint64_t calls = 0, answered = 0;
	enum { PROGRESS_EACH = 5000 };
	for (uint64_t i = 0; i < count; i++, options.seed++) {
		if (!run_one(&options, sim)) {
			printf("seed %llu: %s: %s\n", (unsigned long long)options.seed, sim->violated, sim->violation);
			printf("again: %s --from %llu --seeds 1 --trace\n", program, (unsigned long long)options.seed);
			return 1;
		}
		calls += sim->call_count;
		answered += sim->calls_ok;
		if ((i + 1) % PROGRESS_EACH == 0 && i + 1 < count)
			fprintf(stderr, "%llu of %llu seeds\n", (unsigned long long)i + 1, (unsigned long long)count);
	}
	printf("%llu seeds from %llu on: nothing was violated; %llu calls, %llu of them with success\n",
	       (unsigned long long)count, (unsigned long long)(options.seed - count), (unsigned long long)calls,
	       (unsigned long long)answered);
	return 0;
}

static bool replays(const struct sim_options *options, const struct sim *first, struct sim *again) {
	run_one(options, again);
	bool same = again->violated == first->violated && strcmp(again->violation, first->violation) == 0 &&
		    again->now_ms == first->now_ms && again->sequence == first->sequence &&
		    again->random == first->random;
	if (!same)
		printf("seed %llu does not replay: %s, then %s\n", (unsigned long long)options->seed, first->violation,
		       again->violation);
	return same;
}

/* Checks that each mistake is noticed within SEEDS seeds by its own check, and again in a replay of that seed. */
static int check_plants(struct sim *sim) {
	enum { SEEDS = 300 };
	int missed = 0;
	struct sim *again = calloc(1, sizeof *again);
	for (enum plant plant = PLANT_NONE + 1; plant < PLANT_COUNT; plant++) {
		bool noticed = false;
		uint64_t seed = 1;
		for (; seed <= SEEDS && !noticed; seed++) {
			const struct sim_options options = {.seed = seed, .plant = plant};
			bool fine = run_one(&options, sim);
			noticed = !fine && strcmp(sim->violated, plant_noticed_by(plant)) == 0;
			missed += noticed && !replays(&options, sim, again);
		}
		printf("%s: %s by \"%s\" after %llu seeds%s%s\n", plant_name(plant),
		       noticed ? "noticed" : "NOT NOTICED", plant_noticed_by(plant), (unsigned long long)seed - 1,
		       noticed ? ": " : "", noticed ? sim->violation : "");
		missed += !noticed;
	}
	free(again);
	return missed > 0;
}

static int usage(void) {
	fprintf(stderr, "usage: sim [--from SEED] [--seeds N] [--plant NAME] [--trace] | --plants\n");
	return 2;
}

int main(int argc, char **argv) {
	struct sim_options options = {.seed = 1};
	uint64_t count = 1000;
	bool all_plants = false;
	for (int i = 1; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : NULL;
		if (strcmp(argv[i], "--plants") == 0)
			all_plants = true;
		else if (strcmp(argv[i], "--trace") == 0)
			options.trace = true;
		else if (strcmp(argv[i], "--from") == 0 && value != NULL && str_to_u64(str_from(value), &options.seed))
			i++;
		else if (strcmp(argv[i], "--seeds") == 0 && value != NULL && str_to_u64(str_from(value), &count))
			i++;
		else if (strcmp(argv[i], "--plant") == 0 && value != NULL) {
			for (enum plant plant = 0; plant < PLANT_COUNT; plant++)
				if (strcmp(plant_name(plant), value) == 0)
					options.plant = plant;
			i++;
		} else
			return usage();
	}
	program = argv[0];
	signal(SIGABRT, on_abort);
	struct sim *sim = calloc(1, sizeof *sim);
	int result = all_plants ? check_plants(sim) : run_seeds(options, count, sim);
	free(sim);
	return result;
}
