/* SPDX-License-Identifier: Apache-2.0 */
#include "control/effects.h"

static uint64_t no_random(struct effects *effects UNUSED) {
	return 0;
}

static int64_t no_wall_ms(struct effects *effects UNUSED) {
	return 0;
}

static void no_create(struct effects *effects UNUSED, const char *runner_key UNUSED, const char *language UNUSED) {
}

static void no_destroy(struct effects *effects UNUSED, const char *runner_key UNUSED) {
}

static void no_ping(struct effects *effects UNUSED, const struct runner *runner UNUSED, uint64_t timeout_ms UNUSED) {
}

static void no_deploy(struct effects *effects UNUSED, const struct runner *runner UNUSED,
		      const struct deployment *deployment UNUSED) {
}

static void no_terminate(struct effects *effects UNUSED, const struct runner *runner UNUSED,
			 const char *deployment_key UNUSED, uint64_t grace_ms UNUSED) {
}

static void no_forget(struct effects *effects UNUSED, const struct runner *runner UNUSED) {
}

static void no_accept(struct effects *effects UNUSED, uint64_t registration UNUSED,
		      const struct runner *runner UNUSED) {
}

static void no_refuse(struct effects *effects UNUSED, uint64_t registration UNUSED, const struct error *why UNUSED) {
}

static void no_save(struct effects *effects UNUSED, const struct store_change *change UNUSED) {
}

static void no_route(struct effects *effects UNUSED, const struct module *module UNUSED) {
}

static void no_publish(struct effects *effects UNUSED, uint64_t version UNUSED) {
}

static void no_event(struct effects *effects UNUSED, const struct control_event *event UNUSED) {
}

static void no_all_gone(struct effects *effects UNUSED) {
}

const struct effects_ops effects_noop = {
	.random = no_random,
	.wall_ms = no_wall_ms,
	.create = no_create,
	.destroy = no_destroy,
	.ping = no_ping,
	.deploy = no_deploy,
	.terminate = no_terminate,
	.forget = no_forget,
	.accept = no_accept,
	.refuse = no_refuse,
	.save = no_save,
	.route = no_route,
	.publish = no_publish,
	.event = no_event,
	.all_gone = no_all_gone,
};
