/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the Backplane's control side share: one struct, on one loop.
 *
 *   backplane.c      puts the parts together, takes them apart
 *   outside.c        the effects of the state machines: Platform, Runners, store
 *   routes.c         the routing table, made of what they know
 *   takeover_give.c  gives all to a process that takes its place
 *   takeover_take.c  takes the place of one
 *   service_*.c      BackplaneService, method by method: turns requests into events and events into answers
 *   control*.c       the state machines
 */
#pragma once

#include <protobuf-c/protobuf-c.h>
#include <stdatomic.h>

#include "backplane/backplane.h"
#include "backplane/platform_link.h"
#include "backplane/services/log_files.h"
#include "backplane/services/schema_feed.h"
#include "backplane/takeover/packets.h"
#include "control/control.h"
#include "net/listener.h"
#include "net/tls.h"
#include "net/tls_files.h"
#include "router/stats_registry.h"
#include "router/worker.h"
#include "rpc/unary.h"
#include "store/artefacts.h"
#include "store/queue.h"
#include "store/writer.h"

enum { WORKERS_MAX = 64, REPLICAS_MAX = 100 /* of one module */ };

struct types;

/* What the Backplane that is taken over has given. */
struct offer {
	int talk; /* the connection to it */
	int listener, inner, takeover; /* -1: none */
	struct endpoint endpoint, inner_endpoint;
	int ends[TAKEOVER_FDS_MAX]; /* connections of its workers, which are clients of ours now */
	size_t end_count;
	struct draining {
		char key[KEY_MAX];
		uint64_t left_ms;
	} *draining; /* Runners that finish their calls */
	size_t draining_count;
};

struct backplane {
	const struct backplane_options *options;
	int64_t started_wall_ms;
	char endpoint[ENDPOINT_MAX]; /* where it serves */
	char *data_folder; /* as options say, from the root */

	struct loop loop; /* of the control side */
	struct listener listener;
	struct listener inner; /* for own Runners and what they host, when the port takes TLS alone */
	char inner_endpoint[ENDPOINT_MAX]; /* what they connect to: that, or the port */
	bool tls_only;
	struct tls_files tls_files;
	struct tls_config *tls; /* of the control side, towards Runners; NULL: none */
	struct rpc_server *server; /* of the control side, for the workers */
	struct types *types; /* of the wire contract */
	struct worker *workers[WORKERS_MAX];
	size_t worker_count, next_worker;

	struct control control;
	struct effects effects;
	struct timer tick;
	struct map runner_channels; /* struct rpc_channel by Runner's key */
	struct map outliers; /* struct runner_outlier by Runner's key */
	struct list registrations;
	uint64_t last_registration;

	struct platform_link platform;
	struct store *store;
	struct store_queue store_queue;
	struct store_writer writer;
	struct artefacts *artefacts; /* NULL: closed */
	struct {
		struct artefact_op op;
		void (*closed)(struct backplane *backplane);
	} artefacts_closing;
	size_t transfers_at_work; /* downloads that read an artefact */
	atomic_size_t uploads; /* on all threads */
	struct log_files *log_files;

	struct stats_registry stats;
	struct route_table *routes;
	struct route_module *changed[256]; /* since the last publication */
	size_t changed_count;
	struct endpoint forgotten[64]; /* of Runners that are gone; until the routes without them are out */
	size_t forgotten_count;

	struct list pending; /* struct schema_pending: deployments that are being kept */
	struct list watchers; /* of deployments */
	struct list histories; /* struct history: the steps of deployments so far */
	size_t history_count;
	struct list followers; /* of logs */
	struct {
		uint64_t sequence; /* of the last one that happened */
		uint64_t kept; /* of the last one in the store */
		struct timer flush;
		struct list watchers;
	} events;
	struct schema_feed schema_feed;
	struct list pullers; /* of schemas */

	struct {
		uv_signal_t terminate, interrupt;
		struct timer limit;
		enum { SERVING, DRAINING_CALLS, ENDING_RUNNERS, LEAVING /* to another process */, STOPPED } state;
	} stopping;

	struct offer *offer; /* while taking over */
	struct {
		int listener; /* DATA/takeover.sock; -1: none */
		uv_poll_t poll;
		int asker; /* who wants to take over; -1: nobody */
		uv_poll_t asker_poll;
		bool pausing; /* waits until nothing is in progress */
		struct timer look;
		uint64_t since_ms;
		unsigned quiet; /* looks in a row that found nothing in progress */
		unsigned pauses; /* that not all workers have made yet */
		int ends[TAKEOVER_FDS_MAX]; /* for the next one: of the connections that workers have made meanwhile */
		size_t end_count;
	} takeover;
};

/* To be wrapped around every event: sets the time before, and the alarm for what is due next behind. */
struct control *backplane_event(struct backplane *backplane);
void backplane_event_done(struct backplane *backplane);

/* takeover_take.c */
/* Asks the Backplane of the data folder. Sets offer; from here on that one waits. */
int takeover_ask(struct backplane *backplane, struct error *err);
/* All is up: this one takes over, or fails. */
int takeover_finish(struct backplane *backplane, struct error *err);
/* Behind that, once the workers have routes: what came to the other one meanwhile. */
void takeover_serve(struct backplane *backplane);
/* This one could not come up, and that one is to go on. Harmless when nothing was asked. */
void takeover_fail(struct backplane *backplane, const struct error *why);

/* takeover_give.c */
int takeover_open(struct backplane *backplane, struct error *err);
void takeover_close(struct backplane *backplane);
/* This process stops: a process that waits for it to pause is refused. */
void takeover_stop(struct backplane *backplane);

/* backplane.c */
/* Opens the store and the artefacts, as far as they are closed. One process has them at a time. Blocks. */
int open_data(struct backplane *backplane, struct error *err);
/* Nothing uses the artefacts from here on. `closed`, which may be NULL, follows on the loop when they are closed. */
void close_artefacts(struct backplane *backplane, void (*closed)(struct backplane *backplane));
void close_store(struct backplane *backplane);
/* To the control side's server, of which fd is the other end of a connection. */
void backplane_accept_control(struct backplane *backplane, int fd);

/* outside.c */
void effects_mute(struct backplane *backplane); /* what the state machines want is of no effect from now on */
void effects_init(struct backplane *backplane);
void effects_close(struct backplane *backplane); /* no more effects */
void effects_deinit(struct backplane *backplane);
/* routes.c */
void routes_init(struct backplane *backplane);
void routes_deinit(struct backplane *backplane);
void routes_change(struct backplane *backplane, const struct module *module);
void routes_publish(struct backplane *backplane, uint64_t version);
/* It is gone: connections to it close when the routes without it are out. */
void routes_forget(struct backplane *backplane, const struct runner *runner);
/* Calls that it has now. */
unsigned routes_calls(const struct backplane *backplane, const struct runner *runner);
/* Whether calls leave the Runner out, and why, or an empty text. */
void routes_outlier_text(const struct backplane *backplane, const struct runner *runner,
			 char ret_text[OUTLIER_TEXT_MAX]);

/* service_runners.c */
extern const struct rpc_method runner_methods[];
extern const size_t runner_method_count;
void registrations_init(struct backplane *backplane);
void registrations_deinit(struct backplane *backplane);
void registrations_settle(struct backplane *backplane); /* Runners whose end waits for its cause wait no more */
void registrations_end(struct backplane *backplane); /* the Runners register anew */
void registration_accept(struct backplane *backplane, uint64_t registration, const struct runner *runner);
void registration_refuse(struct backplane *backplane, uint64_t registration, const struct error *why);

/* service_modules.c */
extern const struct rpc_method module_methods[];
extern const size_t module_method_count;

/* service_watch.c */
extern const struct rpc_method watch_methods[];
extern const size_t watch_method_count;
void watch_init(struct backplane *backplane);
void watch_deinit(struct backplane *backplane);
void watch_event(struct backplane *backplane, const struct control_event *event);

/* service_status.c */
extern const struct rpc_method status_methods[];
extern const size_t status_method_count;

/* service_stats.c */
extern const struct rpc_method stats_methods[];
extern const size_t stats_method_count;

/* service_schemas.c */
extern const struct rpc_method schema_methods[];
extern const size_t schema_method_count;
void schemas_init(struct backplane *backplane);
void schemas_deinit(struct backplane *backplane);
void schemas_changed(struct backplane *backplane); /* the routes to them are out */

/* service_events.c */
extern const struct rpc_method event_methods[];
extern const size_t event_method_count;
void events_init(struct backplane *backplane);
void events_close(struct backplane *backplane);
/* Goes on with the sequence where the store's ends. */
int events_load(struct backplane *backplane, struct error *err);
void events_add_of_control(struct backplane *backplane, const struct control_event *event);
/* One that is about no Runner and no deployment. */
void events_add(struct backplane *backplane, enum event_kind kind, const char *format, ...) PRINTF_LIKE(3, 4);
/* All up to this one are in the store. */
void events_kept(struct backplane *backplane, const struct event_record *last);
