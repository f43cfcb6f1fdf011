/* SPDX-License-Identifier: Apache-2.0 */
#include "fake.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/random.h"
#include "base/str.h"

enum fake_state {
	FAKE_ORDERED, /* the order is on its way */
	FAKE_STARTING, /* progress was told */
	FAKE_RUNNING,
	FAKE_ENDING, /* its end is told in a later turn */
};

struct fake_cluster {
	struct list link;
	char *folder;
	struct list runners;
	struct fake_platform *platform; /* NULL: none is open */
	const char *listing_failure;
	bool holds_listing;
};

struct fake_runner {
	struct list link;
	struct fake_cluster *cluster;
	char key[KEY_MAX];
	enum fake_state state;
	bool ends_by_itself, is_broken;
	const char *why; /* ENDING */
	struct timer step;
};

struct fake_platform {
	struct platform platform;
	struct fake_cluster *cluster;
	struct loop *loop;
	const struct platform_events *events;
	void *owner;
	struct fake_values values;
	bool is_broken, listed;
	struct timer listing;
};

static struct list clusters = {&clusters, &clusters};

static struct fake_cluster *cluster_of(const char *folder) {
	LIST_FOREACH(link, &clusters) {
		struct fake_cluster *cluster = LIST_ENTRY(link, struct fake_cluster, link);
		if (strcmp(cluster->folder, folder) == 0)
			return cluster;
	}
	struct fake_cluster *cluster = mem_zalloc(sizeof *cluster);
	cluster->folder = mem_strdup(folder);
	list_init(&cluster->runners);
	list_append(&clusters, &cluster->link);
	return cluster;
}

static struct fake_runner *runner_of(const struct fake_cluster *cluster, const char *key) {
	LIST_FOREACH(link, &cluster->runners) {
		struct fake_runner *runner = LIST_ENTRY(link, struct fake_runner, link);
		if (strcmp(runner->key, key) == 0)
			return runner;
	}
	return NULL;
}

static void runner_free(struct fake_runner *runner) {
	list_remove(&runner->link);
	free(runner);
}

/* --- a Runner's life, while a platform is open -------------------------------------------------------------------- */

static void end_later(struct fake_runner *runner, const char *why) {
	runner->state = FAKE_ENDING;
	runner->why = why;
	timer_start(runner->cluster->platform->loop, &runner->step, 1);
}

static void tell_end(struct fake_runner *runner) {
	const struct fake_platform *platform = runner->cluster->platform;
	char key[KEY_MAX];
	const char *why = runner->why;
	memcpy(key, runner->key, sizeof key);
	runner_free(runner);
	platform->events->exited(platform->owner, key, why, &(struct last_lines){0});
}

static void on_step(struct timer *timer) {
	struct fake_runner *runner = CONTAINER_OF(timer, struct fake_runner, step);
	struct fake_platform *platform = runner->cluster->platform;
	switch (runner->state) {
	case FAKE_ORDERED:
		runner->state = FAKE_STARTING;
		timer_start(platform->loop, timer, platform->values.latency_ms);
		platform->events->progress(platform->owner, runner->key, "pulls the image");
		return;
	case FAKE_STARTING:
		runner->state = FAKE_RUNNING;
		if (runner->is_broken)
			end_later(runner, "could not be started: the image is not there");
		else if (runner->ends_by_itself)
			end_later(runner, "exited with status 7");
		return;
	case FAKE_RUNNING:
		return;
	case FAKE_ENDING:
		tell_end(runner);
		return;
	}
}

static struct fake_runner *runner_new(struct fake_cluster *cluster, const char *key, enum fake_state state) {
	struct fake_runner *runner = mem_zalloc(sizeof *runner);
	runner->cluster = cluster;
	runner->state = state;
	runner->step.fire = on_step;
	snprintf(runner->key, sizeof runner->key, "%s", key);
	list_append(&cluster->runners, &runner->link);
	return runner;
}

/* --- the platform ------------------------------------------------------------------------------------------------- */

static struct fake_platform *fake_of(struct platform *platform) {
	return CONTAINER_OF(platform, struct fake_platform, platform);
}

static void on_listing(struct timer *timer) {
	struct fake_platform *platform = CONTAINER_OF(timer, struct fake_platform, listing);
	struct fake_cluster *cluster = platform->cluster;
	if (cluster->listing_failure != NULL) {
		struct error err;
		error_set(&err, CODE_UNAVAILABLE, "%s", cluster->listing_failure);
		cluster->listing_failure = NULL;
		platform->events->listed(platform->owner, &err);
		return;
	}
	platform->listed = true;
	LIST_FOREACH(link, &cluster->runners) {
		platform->events->found(platform->owner, LIST_ENTRY(link, struct fake_runner, link)->key);
		if (cluster->platform != platform)
			return; /* closed by its owner */
	}
	platform->events->listed(platform->owner, NULL);
}

static void fake_start(struct platform *base) {
	struct fake_platform *platform = fake_of(base);
	if (!platform->cluster->holds_listing)
		timer_start(platform->loop, &platform->listing, platform->values.latency_ms);
	platform->cluster->holds_listing = false;
}

static void fake_create(struct platform *base, const struct runner_spec *spec) {
	struct fake_platform *platform = fake_of(base);
	ASSERT(platform->listed);
	if (runner_of(platform->cluster, spec->key) != NULL)
		return;
	struct fake_runner *runner = runner_new(platform->cluster, spec->key, FAKE_ORDERED);
	runner->is_broken = platform->is_broken;
	runner->ends_by_itself = strcmp(spec->language, "ends") == 0;
	timer_start(platform->loop, &runner->step, 0);
}

static void fake_destroy(struct platform *base, const char *key, uint64_t epoch UNUSED) {
	struct fake_runner *runner = runner_of(fake_of(base)->cluster, key);
	if (runner != NULL && runner->state != FAKE_ENDING)
		end_later(runner, "was killed by signal 9");
}

/* Orders that are on their way are carried out. */
static void fake_close(struct platform *base) {
	struct fake_platform *platform = fake_of(base);
	timer_stop(platform->loop, &platform->listing);
	LIST_FOREACH(link, &platform->cluster->runners) {
		struct fake_runner *runner = LIST_ENTRY(link, struct fake_runner, link);
		timer_stop(platform->loop, &runner->step);
		if (runner->state == FAKE_ENDING || runner->is_broken || runner->ends_by_itself)
			runner_free(runner);
		else
			runner->state = FAKE_RUNNING;
	}
	platform->cluster->platform = NULL;
	free((char *)platform->values.zone);
	free(platform);
}

static const struct platform_ops fake_ops = {
	.start = fake_start,
	.create = fake_create,
	.destroy = fake_destroy,
	.close = fake_close,
};

static struct platform *fake_open(const struct platform_options *options, struct error *err) {
	struct fake_cluster *cluster = cluster_of(options->folder);
	if (cluster->platform != NULL) {
		error_set(err, CODE_FAILED_PRECONDITION, "a platform is open on %s already", options->folder);
		return NULL;
	}
	struct fake_platform *platform = mem_zalloc(sizeof *platform);
	platform->platform.ops = &fake_ops;
	platform->cluster = cluster;
	platform->loop = options->loop;
	platform->events = options->events;
	platform->owner = options->owner;
	platform->values = *(const struct fake_values *)options->values;
	if (platform->values.zone != NULL)
		platform->values.zone = mem_strdup(platform->values.zone);
	platform->is_broken = strcmp(options->runner.program, FAKE_BROKEN_PROGRAM) == 0;
	platform->listing.fire = on_listing;
	cluster->platform = platform;
	return &platform->platform;
}

#define VALUE(member) offsetof(struct fake_values, member)

static const struct platform_option fake_options[] = {
	{"latency-ms", PLATFORM_COUNT, VALUE(latency_ms), "3", "how long everything takes"},
	{"zone", PLATFORM_TEXT, VALUE(zone), NULL, "where Runners are"},
	{"disk", PLATFORM_SIZE, VALUE(disk_bytes), "1GiB", "room for each Runner"},
};

const struct platform_driver platform_fake = {
	.version = PLATFORM_DRIVER_VERSION,
	.name = "fake",
	.help = "nothing but a list",
	.options = fake_options,
	.option_count = ARRAY_LEN(fake_options),
	.values_size = sizeof(struct fake_values),
	.open = fake_open,
};

/* --- what a test does to it --------------------------------------------------------------------------------------- */

void fake_fail_listing(const char *folder, const char *why) {
	cluster_of(folder)->listing_failure = why;
}

void fake_hold_listing(const char *folder) {
	cluster_of(folder)->holds_listing = true;
}

void fake_appear(const char *folder, const char *key) {
	struct fake_cluster *cluster = cluster_of(folder);
	runner_new(cluster, key, FAKE_RUNNING);
	if (cluster->platform != NULL && cluster->platform->listed)
		cluster->platform->events->found(cluster->platform->owner, key);
}

void fake_end(const char *folder, const char *key) {
	struct fake_runner *runner = runner_of(cluster_of(folder), key);
	ASSERT(runner != NULL);
	if (runner->cluster->platform != NULL)
		end_later(runner, "exited");
	else
		runner_free(runner);
}

bool fake_runs(const char *folder, const char *key) {
	const struct fake_runner *runner = runner_of(cluster_of(folder), key);
	return runner != NULL && runner->state == FAKE_RUNNING;
}

void fake_free(const char *folder) {
	struct fake_cluster *cluster = cluster_of(folder);
	ASSERT(cluster->platform == NULL);
	LIST_FOREACH(link, &cluster->runners)
		runner_free(LIST_ENTRY(link, struct fake_runner, link));
	list_remove(&cluster->link);
	free(cluster->folder);
	free(cluster);
}
