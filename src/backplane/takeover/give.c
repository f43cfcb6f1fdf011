/* SPDX-License-Identifier: Apache-2.0 */
#include "backplane/takeover/give.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "backplane/assembly.h"
#include "backplane/takeover/offer.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/reasons.h"
#include "net/listener.h"

enum {
	LOOK_MS = 5,
	QUIET_LOOKS = 3,
	/* "max-takeover-pause": limit for the requests in progress to be answered. */
	PAUSE_MAX_MS = 5000,
	ASK_MAX_MS = 2000, /* ASKED */
	READY_MAX_MS = 30000, /* limit for the other process to open the data and start */
	TAKEN_MAX_MS = 5000,
	REOPEN_MAX_MS = 10000, /* limit for a process that failed to release the data */
	REOPEN_EVERY_MS = 20,
	REOPEN_KILL_MS = 5000, /* for a process that has closed the connection; a silent one has had its time */
};

#define TO(state) (1u << (state))

static const unsigned allowed[GIVER_STATE_COUNT] = {
	[GIVER_IDLE] = TO(GIVER_ASKED),
	[GIVER_ASKED] = TO(GIVER_PAUSING) | TO(GIVER_DISMISSING),
	[GIVER_PAUSING] = TO(GIVER_CLOSING) | TO(GIVER_DISMISSING),
	[GIVER_CLOSING] = TO(GIVER_HANDING) | TO(GIVER_PAUSING) | TO(GIVER_DISMISSING) | TO(GIVER_GONE),
	[GIVER_HANDING] = TO(GIVER_GONE) | TO(GIVER_DISMISSING),
	[GIVER_DISMISSING] = TO(GIVER_IDLE),
};

void giver_set_state(struct giver *giver, enum giver_state state) {
	ASSERT(allowed[giver->state] & TO(state));
	giver->state = state;
}

static struct context *context_of(const struct giver *giver) {
	return &giver->backplane->context;
}

static void look_later(struct giver *giver) {
	timer_start(&context_of(giver)->loop, &giver->look, LOOK_MS);
}

/* --- workers ------------------------------------------------------------------------------------------------------ */

static void on_paused(void *owner) {
	struct giver *giver = owner;
	giver->pauses--;
}

/* Gives each worker new connections to the control side whose other ends are not read until resume or a takeover. */
static void pause_workers(struct giver *giver) {
	const struct workers *workers = &giver->backplane->workers;
	struct countdown *paused = countdown_new(&context_of(giver)->loop, workers->count, on_paused, giver);
	giver->pauses++;
	for (size_t i = 0; i < workers->count; i++) {
		int stock[CONTROL_LINK_STOCK];
		for (size_t j = 0; j < CONTROL_LINK_STOCK; j++) {
			int ends[2];
			stock[j] = -1;
			if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
				continue;
			stock[j] = ends[0];
			giver->ends[giver->end_count++] = ends[1];
		}
		worker_pause_control(workers->items[i], stock, paused);
	}
}

static void close_ends(struct giver *giver) {
	while (giver->end_count > 0)
		close(giver->ends[--giver->end_count]);
}

/* --- refusing ----------------------------------------------------------------------------------------------------- */

static void on_asker_closed(uv_handle_t *handle) {
	struct giver *giver = handle->data;
	close(giver->asker);
	if (giver->asker_process >= 0)
		close(giver->asker_process);
	giver->asker = giver->asker_process = -1;
	if (giver->state == GIVER_DISMISSING)
		giver_set_state(giver, GIVER_IDLE);
}

static void close_asker(struct giver *giver) {
	uv_handle_t *handle = (uv_handle_t *)&giver->asker_poll;
	if (giver->asker >= 0 && !uv_is_closing(handle))
		uv_close(handle, on_asker_closed);
}

/* Serves the connections that waited. */
static void resume(struct giver *giver) {
	const struct workers *workers = &giver->backplane->workers;
	timer_stop(&context_of(giver)->loop, &giver->look);
	rpc_server_refuse(giver->backplane->server.rpc, false);
	for (size_t i = 0; i < workers->count; i++)
		worker_resume_control(workers->items[i]);
	while (giver->end_count > 0)
		control_server_accept(&giver->backplane->server, giver->ends[--giver->end_count]);
}

static void refuse(struct giver *giver, const struct error *why) {
	log_failure(LOG_WARN, why, "the takeover by process %ld failed", takeover_packet_peer_pid(giver->asker));
	takeover_packet_send(giver->asker, TAKEOVER_REFUSED, why->msg, NULL, 0, NULL);
	if (giver->state != GIVER_ASKED)
		resume(giver);
	giver_set_state(giver, GIVER_DISMISSING);
	close_asker(giver);
}

/* --- GONE --------------------------------------------------------------------------------------------------------- */

static void stop(struct giver *giver) {
	struct context *context = context_of(giver);
	context_set_state(context, BACKPLANE_STOPPED);
	timer_stop(&context->loop, &giver->limit);
	loop_stop(&context->loop);
}

/* The limit of ASKED or of GONE. */
static void on_limit(struct timer *timer) {
	struct giver *giver = CONTAINER_OF(timer, struct giver, limit);
	struct error err;
	if (giver->state == GIVER_ASKED) {
		error_set(&err, CODE_DEADLINE_EXCEEDED, "the other process did not ask within %d ms", ASK_MAX_MS);
		refuse(giver, &err);
		return;
	}
	log_warn("calls are still in progress after the drain-timeout; they are cut off");
	stop(giver);
}

static void on_clients_gone(void *owner) {
	struct giver *giver = owner;
	if (context_of(giver)->state == BACKPLANE_LEAVING)
		stop(giver);
}

/* All clients have been told to connect to the other process: ends the open-ended streams, which would keep them here.
 * The last client may have left before. */
static void on_clients_told(void *owner) {
	struct giver *giver = owner;
	if (context_of(giver)->state != BACKPLANE_LEAVING)
		return;
	struct error why;
	error_set(&why, CODE_UNAVAILABLE, "another Backplane has taken over; ask again");
	runners_service_end(&giver->backplane->services.runners);
	rpc_server_end_open(giver->backplane->server.rpc, &why);
}

static void leave_workers(struct giver *giver) {
	const struct workers *workers = &giver->backplane->workers;
	struct loop *loop = &context_of(giver)->loop;
	struct worker_successor successor = {
		.len = sizeof successor.address,
		.told = countdown_new(loop, workers->count, on_clients_told, giver),
		.gone = countdown_new(loop, workers->count, on_clients_gone, giver),
	};
	getsockname(ports_trusted(&giver->backplane->ports)->fd, (struct sockaddr *)&successor.address, &successor.len);
	for (size_t i = 0; i < workers->count; i++)
		worker_leave(workers->items[i], &successor);
}

static void close_listener(struct giver *giver) {
	file_check_stop(&giver->check);
	free(giver->socket_path);
	giver->socket_path = NULL;
	uv_close((uv_handle_t *)&giver->poll, NULL);
	close(giver->listener);
	giver->listener = -1;
}

static void leave(struct giver *giver) {
	struct backplane *backplane = giver->backplane;
	struct context *context = &backplane->context;
	/* HANDING blocked this thread: without this its time would count as time of draining. */
	uv_update_time(&context->loop.uv);
	giver_set_state(giver, GIVER_GONE);
	context_set_state(context, BACKPLANE_LEAVING);
	leave_workers(giver);
	timer_stop(&context->loop, &context->tick);
	events_service_close(&backplane->services.events);
	effects_mute(&backplane->effects);
	platform_link_close(&backplane->platform);
	ports_abandon(&backplane->ports);
	close_ends(giver);
	timer_start(&context->loop, &giver->limit, context->options->drain_timeout_ms);
	waiting_start(&backplane->stopping.waiting, context, &backplane->routes);
	close_listener(giver);
	close_asker(giver);
	if (context->options->taken_over != NULL)
		context->options->taken_over(context->options->data);
}

/* --- HANDING: this thread blocks ---------------------------------------------------------------------------------- */

static void print_runners(const struct control *control, struct buf *text) {
	LIST_FOREACH(link, &control->books.all_runners) {
		const struct runner *runner = LIST_ENTRY(link, struct runner, in_control);
		uint64_t now_ms = control->time.now_ms;
		if (!runner_is_leaving(runner) || !runner->managed || runner->due_ms <= now_ms)
			continue;
		/* A Runner that does not fit into the offer gets the time of any Runner that the Platform finds. */
		if (buf_printf(text, "draining %s %llu\n", runner->key, (unsigned long long)(runner->due_ms - now_ms)) <
		    0)
			return;
	}
}

static void print_facts(const struct giver *giver, struct buf *text) {
	const struct ports *ports = &giver->backplane->ports;
	char endpoint[ENDPOINT_MAX];
	endpoint_format(&ports->port.endpoint, endpoint);
	int over = buf_printf(text, "listener %s\ntakeover -\n", endpoint);
	ASSERT(over == 0);
	if (ports->inner.fd >= 0) {
		endpoint_format(&ports->inner.endpoint, endpoint);
		over = buf_printf(text, "inner %s\n", endpoint);
		ASSERT(over == 0);
	}
	print_runners(&context_of(giver)->control, text);
}

static int send_offer(struct giver *giver, struct error *err) {
	const struct ports *ports = &giver->backplane->ports;
	int fds[TAKEOVER_FDS_MAX] = {ports->port.fd, giver->listener};
	size_t count = 2;
	if (ports->inner.fd >= 0)
		fds[count++] = ports->inner.fd;
	memcpy(fds + count, giver->ends, giver->end_count * sizeof fds[0]);
	count += giver->end_count;
	struct buf text = BUF_INIT(TAKEOVER_TEXT_MAX - 1);
	print_facts(giver, &text);
	char *facts = mem_strndup(buf_view(&text).ptr, buf_len(&text));
	int result = takeover_packet_send(giver->asker, TAKEOVER_OFFER, facts, fds, count, err);
	free(facts);
	buf_deinit(&text);
	return result;
}

static int exchange(struct giver *giver, struct error *err) {
	struct arena arena = ARENA_INIT(4 * (size_t)TAKEOVER_TEXT_MAX);
	struct takeover_packet packet;
	int fd = giver->asker;
	bool failed = send_offer(giver, err) < 0 ||
		      takeover_packet_expect(fd, READY_MAX_MS, TAKEOVER_READY, &arena, &packet, err) < 0 ||
		      takeover_packet_send(fd, TAKEOVER_GO, NULL, NULL, 0, err) < 0 ||
		      takeover_packet_expect(fd, TAKEN_MAX_MS, TAKEOVER_TAKEN, &arena, &packet, err) < 0;
	arena_deinit(&arena);
	return failed ? -1 : 0;
}

/* The other process has the data open and does not go on: without this no process would serve. */
static void kill_asker(const struct giver *giver) {
	log_warn("process %ld, which asked to take over, hangs with the data folder open; it is killed",
		 takeover_packet_peer_pid(giver->asker));
	syscall(SYS_pidfd_send_signal, giver->asker_process, SIGKILL, NULL, 0);
}

/* Opens the data again. Its lock decides which process has it: after GO the other process may have opened it. */
static int reopen(struct giver *giver, uint64_t kill_after_ms, struct error *err) {
	uint64_t begin_ms = clock_ms();
	bool is_killed = giver->asker_process < 0;
	while (data_open(&context_of(giver)->data, err) < 0) {
		uint64_t gone_ms = clock_ms() - begin_ms;
		if (gone_ms >= REOPEN_MAX_MS)
			return -1;
		if (!is_killed && gone_ms >= kill_after_ms && strcmp(err->reason, REASON_DATA_FOLDER_IN_USE) == 0) {
			kill_asker(giver);
			is_killed = true;
		}
		usleep(REOPEN_EVERY_MS * 1000);
	}
	return 0;
}

/* Returns whether this process has the data again. If not, it leaves, and only finishes the calls in progress. why: how
 * the handover failed; NULL: the data has not been given away. */
static bool reclaim(struct giver *giver, const struct error *why) {
	bool is_silent = why != NULL && why->code == CODE_DEADLINE_EXCEEDED;
	struct error lost;
	if (reopen(giver, is_silent ? 0 : REOPEN_KILL_MS, &lost) == 0)
		return true;
	log_failure(LOG_ERROR, &lost, "could not open the data folder again; only the calls in progress are finished");
	if (context_of(giver)->state == BACKPLANE_SERVING)
		leave(giver);
	return false;
}

static void hand_over(struct giver *giver) {
	struct error err;
	giver_set_state(giver, GIVER_HANDING);
	data_close_store(&context_of(giver)->data);
	if (exchange(giver, &err) == 0) {
		log_info("process %ld has taken over; the calls in progress end here",
			 takeover_packet_peer_pid(giver->asker));
		leave(giver);
	} else if (reclaim(giver, &err)) {
		refuse(giver, &err);
	}
}

/* --- PAUSING, CLOSING --------------------------------------------------------------------------------------------- */

static int check_serving(const struct giver *giver, struct error *err) {
	if (context_of(giver)->state == BACKPLANE_SERVING)
		return 0;
	return error_set(err, CODE_UNAVAILABLE, "the Backplane is stopping");
}

/* Counts the requests to the control side that are in progress, with uploads and downloads. */
static size_t count_requests(const struct giver *giver) {
	const struct data *data = &context_of(giver)->data;
	return rpc_server_busy(giver->backplane->server.rpc) + data->downloads + atomic_load(&data->shared.uploads);
}

static bool is_stored(struct data *data) {
	struct write_behind *write_behind = &data->writer.write_behind;
	write_behind_flush(write_behind);
	return list_is_empty(&write_behind->waiting) && list_is_empty(&write_behind->waiters) &&
	       store_queue_is_empty(&data->queue);
}

/* Whether all workers use the newest routes. Runners are told to terminate after that, and the other process could not
 * know that it has not happened yet. */
static bool is_routed(const struct control *control) {
	return control->routes.published == control->routes.version;
}

static bool is_quiet(struct giver *giver) {
	struct context *context = context_of(giver);
	return giver->pauses == 0 && is_stored(&context->data) && is_routed(&context->control) &&
	       count_requests(giver) == 0;
}

static void set_not_quiet(const struct giver *giver, struct error *err) {
	const struct error *trouble = store_writer_trouble(&context_of(giver)->data.writer);
	if (trouble != NULL)
		error_set(err, CODE_UNAVAILABLE, "changes are queued that the store cannot write: %s", trouble->msg);
	else
		error_set(
			err, CODE_UNAVAILABLE,
			"requests are still in progress after %d ms, which is max-takeover-pause (%zu, uploads among them): try again",
			PAUSE_MAX_MS, count_requests(giver));
}

static void on_asker(uv_poll_t *poll, int status, int events);

static void pause_again(struct giver *giver) {
	giver_set_state(giver, GIVER_PAUSING);
	rpc_server_refuse(giver->backplane->server.rpc, false);
	uv_poll_start(&giver->asker_poll, UV_READABLE, on_asker);
	giver->quiet = 0;
	look_later(giver);
}

/* Looks once more: a Runner, a timer or a signal may have changed something while the artefacts were being closed. */
static void on_artefacts_closed(void *owner) {
	struct giver *giver = owner;
	struct error err;
	if (context_of(giver)->state == BACKPLANE_STOPPED)
		return;
	bool serves = check_serving(giver, &err) == 0;
	if (serves && is_quiet(giver))
		hand_over(giver);
	else if (reclaim(giver, NULL) && serves)
		pause_again(giver);
	else if (!serves)
		refuse(giver, &err);
}

/* Stops polling the asker: from here on exchange reads its packets. */
static void close_artefacts(struct giver *giver) {
	giver_set_state(giver, GIVER_CLOSING);
	uv_poll_stop(&giver->asker_poll);
	rpc_server_refuse(giver->backplane->server.rpc, true);
	data_close_artefacts(&context_of(giver)->data, on_artefacts_closed, giver);
}

/* Requires QUIET_LOOKS quiet looks in a row: a request that a worker sent before it paused may arrive a turn later. */
static void on_look(struct timer *timer) {
	struct giver *giver = CONTAINER_OF(timer, struct giver, look);
	giver->quiet = is_quiet(giver) ? giver->quiet + 1 : 0;
	if (giver->quiet >= QUIET_LOOKS) {
		close_artefacts(giver);
	} else if (loop_now_ms(&context_of(giver)->loop) - giver->since_ms < PAUSE_MAX_MS) {
		look_later(giver);
	} else {
		struct error err;
		set_not_quiet(giver, &err);
		refuse(giver, &err);
	}
}

/* --- ASKED -------------------------------------------------------------------------------------------------------- */

static int read_ask(struct giver *giver, struct error *err) {
	struct arena arena = ARENA_INIT(2 * (size_t)TAKEOVER_TEXT_MAX);
	struct takeover_packet packet = {0};
	int result = takeover_packet_expect(giver->asker, 0, TAKEOVER_ASK, &arena, &packet, err);
	for (size_t i = 0; i < packet.fd_count; i++)
		close(packet.fds[i]);
	arena_deinit(&arena);
	return result < 0 ? -1 : check_serving(giver, err);
}

static void on_asker(uv_poll_t *poll, int status UNUSED, int events UNUSED) {
	struct giver *giver = poll->data;
	struct error err;
	if (giver->state == GIVER_PAUSING) {
		error_set(&err, CODE_CANCELLED, "the other process closed the connection, or sent a packet too early");
		refuse(giver, &err);
		return;
	}
	timer_stop(&context_of(giver)->loop, &giver->limit);
	if (read_ask(giver, &err) < 0) {
		refuse(giver, &err);
		return;
	}
	log_info("process %ld asks to take over", takeover_packet_peer_pid(giver->asker));
	giver_set_state(giver, GIVER_PAUSING);
	giver->quiet = 0;
	giver->since_ms = loop_now_ms(&context_of(giver)->loop);
	pause_workers(giver);
	look_later(giver);
}

static void on_connection(uv_poll_t *poll, int status UNUSED, int events UNUSED) {
	struct giver *giver = poll->data;
	int fd = takeover_packet_accept(giver->listener);
	if (fd < 0)
		return;
	if (giver->state != GIVER_IDLE) {
		takeover_packet_send(fd, TAKEOVER_REFUSED, "another process is taking over now", NULL, 0, NULL);
		close(fd);
		return;
	}
	giver_set_state(giver, GIVER_ASKED);
	timer_start(&context_of(giver)->loop, &giver->limit, ASK_MAX_MS);
	giver->asker = fd;
	giver->asker_process = (int)syscall(SYS_pidfd_open, (pid_t)takeover_packet_peer_pid(fd), 0);
	uv_poll_init(&context_of(giver)->loop.uv, &giver->asker_poll, fd);
	giver->asker_poll.data = giver;
	uv_poll_start(&giver->asker_poll, UV_READABLE, on_asker);
}

void giver_stop(struct giver *giver) {
	struct error err;
	if (giver->state == GIVER_PAUSING && check_serving(giver, &err) < 0)
		refuse(giver, &err);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

void giver_init(struct giver *giver, struct backplane *backplane) {
	*giver = (struct giver){
		.backplane = backplane,
		.listener = -1,
		.asker = -1,
		.asker_process = -1,
		.look.fire = on_look,
		.limit.fire = on_limit,
	};
}

/* As net/listener.h does: a cleaner may remove the file. */
static void on_gone(struct file_check *check) {
	struct giver *giver = CONTAINER_OF(check, struct giver, check);
	struct error err;
	int fd;
	if (takeover_packet_listen(context_of(giver)->data.folder, &fd, &err) < 0)
		return;
	uv_poll_stop(&giver->poll);
	dup3(fd, giver->listener, O_CLOEXEC);
	close(fd);
	uv_poll_start(&giver->poll, UV_READABLE, on_connection);
	log_warn("the socket %s was removed by another process, and is there again", giver->socket_path);
}

int giver_open(struct giver *giver, struct error *err) {
	struct offer *offer = giver->backplane->offer;
	if (offer != NULL) {
		giver->listener = offer->takeover;
		offer->takeover = -1;
		/* The peer pid that connecting processes see is that of the process that called listen last. */
		listen(giver->listener, TAKEOVER_BACKLOG);
	} else if (takeover_packet_listen(context_of(giver)->data.folder, &giver->listener, err) < 0) {
		return -1;
	}
	uv_poll_init(&context_of(giver)->loop.uv, &giver->poll, giver->listener);
	giver->poll.data = giver;
	uv_poll_start(&giver->poll, UV_READABLE, on_connection);
	giver->socket_path = mem_printf("%s/takeover.sock", context_of(giver)->data.folder);
	file_check_start(&giver->check, &context_of(giver)->loop, giver->socket_path, LISTENER_CHECK_MS, on_gone);
	return 0;
}

void giver_close(struct giver *giver) {
	timer_stop(&context_of(giver)->loop, &giver->look);
	timer_stop(&context_of(giver)->loop, &giver->limit);
	close_asker(giver);
	close_ends(giver);
	if (giver->listener < 0)
		return;
	/* After a failed takeover the file belongs to the other process. */
	if (giver->backplane->offer == NULL)
		takeover_packet_unlink(context_of(giver)->data.folder);
	close_listener(giver);
}
