/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Another process takes the place of this one (handover.h):
 *
 *   SERVING ──ASK──▶ pausing ──nothing in progress──▶ this thread stands still ──TAKEN──▶ LEAVING ──no client left──▶
 * STOPPED ▲                │ something is, for too long      │ anything else                     │ drain-timeout
 *      └────────────────┴─────────────────────────────────┘                                   └──▶ STOPPED
 *
 * Calls go on all the while, on the workers. What is for the control side waits, from the pause on, in connections that
 * nobody reads: either this process reads them again, or they are given to the other, to which the workers then are
 * clients like any other. As this thread stands still while the other process reads the data, nothing can change behind
 * its back, and nothing has to be taken back when it fails: this one opens the data again and turns to what has come
 * meanwhile.
 *
 * After TAKEN the clients are sent to the other process, which listens on the same sockets; what they still ask here is
 * passed on to it. The Runners' registrations end, so that they register with it at once; calls in progress end here.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "backplane/context.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"

enum {
	LOOK_MS = 5,
	QUIET_LOOKS = 3,
	/* "max-takeover-pause": for the requests in progress to be answered. */
	PAUSE_MAX_MS = 5000,
	READY_MAX_MS = 30000, /* for the other one to open the data and come up */
	TAKEN_MAX_MS = 5000,
	REOPEN_MAX_MS = 10000, /* for the other one to let go of the data, once it has failed */
	REOPEN_EVERY_MS = 20,
};

/* --- the workers' side -------------------------------------------------------------------------------------------- */

static void on_paused(void *owner) {
	struct backplane *backplane = owner;
	backplane->takeover.pauses--;
}

/* Two connections for each worker, of which nobody reads the other ends yet. */
static void pause_workers(struct backplane *backplane) {
	struct countdown *paused = countdown_new(&backplane->loop, backplane->worker_count, on_paused, backplane);
	backplane->takeover.pauses++;
	for (size_t i = 0; i < backplane->worker_count; i++) {
		int stock[CONTROL_LINK_STOCK];
		for (size_t j = 0; j < CONTROL_LINK_STOCK; j++) {
			int ends[2];
			int failed = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends);
			stock[j] = failed ? -1 : ends[0];
			if (!failed)
				backplane->takeover.ends[backplane->takeover.end_count++] = ends[1];
		}
		worker_pause_control(backplane->workers[i], stock, paused);
	}
}

/* --- no takeover after all ---------------------------------------------------------------------------------------- */

static void on_asker_closed(uv_handle_t *handle) {
	struct backplane *backplane = handle->data;
	close(backplane->takeover.asker);
	backplane->takeover.asker = -1;
}

static void dismiss_asker(struct backplane *backplane) {
	uv_handle_t *handle = (uv_handle_t *)&backplane->takeover.asker_poll;
	if (backplane->takeover.asker >= 0 && !uv_is_closing(handle))
		uv_close(handle, on_asker_closed);
}

/* Turns to what has come meanwhile. */
static void resume(struct backplane *backplane) {
	timer_stop(&backplane->loop, &backplane->takeover.look);
	rpc_server_refuse(backplane->server, false);
	for (size_t i = 0; i < backplane->worker_count; i++)
		worker_resume_control(backplane->workers[i]);
	while (backplane->takeover.end_count > 0)
		backplane_accept_control(backplane, backplane->takeover.ends[--backplane->takeover.end_count]);
	backplane->takeover.pausing = false;
}

static void refuse(struct backplane *backplane, const struct error *why) {
	log_failure(LOG_WARN, why, "not taken over by process %ld",
		    takeover_packet_peer_pid(backplane->takeover.asker));
	takeover_packet_send(backplane->takeover.asker, TAKEOVER_REFUSED, why->msg, NULL, 0, NULL);
	if (backplane->takeover.pausing)
		resume(backplane);
	dismiss_asker(backplane);
}

/* --- leaving ------------------------------------------------------------------------------------------------------ */

static void leave_now(struct backplane *backplane) {
	backplane->stopping.state = STOPPED;
	timer_stop(&backplane->loop, &backplane->stopping.limit);
	loop_stop(&backplane->loop);
}

static void on_leave_limit(struct timer *timer) {
	struct backplane *backplane = CONTAINER_OF(timer, struct backplane, stopping.limit);
	log_warn("calls are still under way after the drain-timeout; they are cut off");
	leave_now(backplane);
}

static void on_gone(void *owner) {
	struct backplane *backplane = owner;
	if (backplane->stopping.state == LEAVING)
		leave_now(backplane);
}

/* Clients know where to go, and streams without an end would keep them here. All clients may have gone before. */
static void on_told(void *owner) {
	struct backplane *backplane = owner;
	if (backplane->stopping.state != LEAVING)
		return;
	struct error why;
	error_set(&why, CODE_UNAVAILABLE, "another Backplane has taken over; ask again");
	registrations_end(backplane);
	rpc_server_end_open(backplane->server, &why);
}

static void leave_workers(struct backplane *backplane) {
	struct worker_successor successor = {
		.len = sizeof successor.address,
		.told = countdown_new(&backplane->loop, backplane->worker_count, on_told, backplane),
		.gone = countdown_new(&backplane->loop, backplane->worker_count, on_gone, backplane),
	};
	getsockname(backplane->inner.fd >= 0 ? backplane->inner.fd : backplane->listener.fd,
		    (struct sockaddr *)&successor.address, &successor.len);
	for (size_t i = 0; i < backplane->worker_count; i++)
		worker_leave(backplane->workers[i], &successor);
}

static void leave(struct backplane *backplane) {
	log_info("process %ld has taken over; the calls in progress end here",
		 takeover_packet_peer_pid(backplane->takeover.asker));
	backplane->stopping.state = LEAVING;
	leave_workers(backplane);
	timer_stop(&backplane->loop, &backplane->tick);
	events_close(backplane);
	effects_mute(backplane);
	platform_link_close(backplane);
	listener_abandon(&backplane->listener);
	listener_abandon(&backplane->inner);
	while (backplane->takeover.end_count > 0)
		close(backplane->takeover.ends[--backplane->takeover.end_count]);
	backplane->stopping.limit.fire = on_leave_limit;
	timer_start(&backplane->loop, &backplane->stopping.limit, backplane->options->drain_timeout_ms);
	uv_close((uv_handle_t *)&backplane->takeover.poll, NULL);
	close(backplane->takeover.listener);
	backplane->takeover.listener = -1;
	dismiss_asker(backplane);
	if (backplane->options->taken_over != NULL)
		backplane->options->taken_over(backplane->options->data);
}

/* --- the exchange, during which this thread stands still ---------------------------------------------------------- */

static void print_facts(const struct backplane *backplane, struct buf *text) {
	char endpoint[ENDPOINT_MAX];
	endpoint_format(&backplane->listener.endpoint, endpoint);
	int over = buf_printf(text, "listener %s\ntakeover -\n", endpoint);
	ASSERT(over == 0);
	if (backplane->inner.fd >= 0) {
		endpoint_format(&backplane->inner.endpoint, endpoint);
		over = buf_printf(text, "inner %s\n", endpoint);
		ASSERT(over == 0);
	}
	LIST_FOREACH(link, &backplane->control.books.all_runners) {
		const struct runner *runner = LIST_ENTRY(link, struct runner, in_control);
		uint64_t now_ms = backplane->control.time.now_ms;
		if (!runner_is_leaving(runner) || !runner->managed || runner->due_ms <= now_ms)
			continue;
		/* Those that do not fit have as long as any that is found. */
		if (buf_printf(text, "draining %s %llu\n", runner->key, (unsigned long long)(runner->due_ms - now_ms)) <
		    0)
			return;
	}
}

static int send_offer(struct backplane *backplane, struct error *err) {
	int fds[TAKEOVER_FDS_MAX] = {backplane->listener.fd, backplane->takeover.listener};
	size_t count = 2;
	if (backplane->inner.fd >= 0)
		fds[count++] = backplane->inner.fd;
	memcpy(fds + count, backplane->takeover.ends, backplane->takeover.end_count * sizeof fds[0]);
	count += backplane->takeover.end_count;
	struct buf text = BUF_INIT(TAKEOVER_TEXT_MAX - 1);
	print_facts(backplane, &text);
	char *facts = mem_strndup(buf_view(&text).ptr, buf_len(&text));
	int failed = takeover_packet_send(backplane->takeover.asker, TAKEOVER_OFFER, facts, fds, count, err);
	free(facts);
	buf_deinit(&text);
	return failed;
}

/* *ret_decided: the other one was told to go, and may have gone ahead. */
static int exchange(struct backplane *backplane, struct arena *arena, bool *ret_decided, struct error *err) {
	int fd = backplane->takeover.asker;
	struct takeover_packet packet;
	*ret_decided = false;
	if (send_offer(backplane, err) < 0 ||
	    takeover_packet_expect(fd, READY_MAX_MS, TAKEOVER_READY, arena, &packet, err) < 0 ||
	    takeover_packet_send(fd, TAKEOVER_GO, NULL, NULL, 0, err) < 0)
		return -1;
	*ret_decided = true;
	return takeover_packet_expect(fd, TAKEN_MAX_MS, TAKEOVER_TAKEN, arena, &packet, err);
}

/* The lock of the data folder tells who has it: this one again, or the other one after all. */
static int reopen(struct backplane *backplane, struct error *err) {
	uint64_t until_ms = clock_ms() + REOPEN_MAX_MS;
	while (open_data(backplane, err) < 0) {
		if (clock_ms() >= until_ms)
			return -1;
		usleep(REOPEN_EVERY_MS * 1000);
	}
	return 0;
}

static int check_serving(const struct backplane *backplane, struct error *err) {
	if (backplane->stopping.state == SERVING)
		return 0;
	return error_set(err, CODE_UNAVAILABLE, "the Backplane is stopping");
}

static void hand_over(struct backplane *backplane) {
	struct arena arena = ARENA_INIT(4 * (size_t)TAKEOVER_TEXT_MAX);
	struct error err, lost;
	bool decided;
	close_store(backplane);
	/* A signal may have come since the pause ended. */
	int failed = check_serving(backplane, &err) < 0 ? -1 : exchange(backplane, &arena, &decided, &err);
	arena_deinit(&arena);
	if (!failed) {
		leave(backplane);
	} else if (reopen(backplane, &lost) == 0) {
		refuse(backplane, &err);
	} else {
		log_failure(LOG_ERROR, &lost, "the data folder is not to be had again");
		leave(backplane);
	}
}

/* --- the pause ---------------------------------------------------------------------------------------------------- */

/* Requests of the control side that are being answered. */
static size_t count_requests(const struct backplane *backplane) {
	return rpc_server_busy(backplane->server) + backplane->transfers_at_work + atomic_load(&backplane->uploads);
}

static void on_asker(uv_poll_t *poll, int status, int events);

static bool is_quiet(struct backplane *backplane) {
	write_behind_flush(&backplane->writer.write_behind);
	bool kept = list_is_empty(&backplane->writer.write_behind.waiting) &&
		    list_is_empty(&backplane->writer.write_behind.waiters);
	/* Runners are told to end when the routes are out: the other one cannot know that they were not yet. */
	bool routed = backplane->control.routes.published == backplane->control.routes.version;
	return backplane->takeover.pauses == 0 && kept && routed && store_queue_is_empty(&backplane->store_queue) &&
	       count_requests(backplane) == 0;
}

static void not_quiet(const struct backplane *backplane, struct error *err) {
	const struct error *trouble = store_writer_trouble(&backplane->writer);
	if (trouble != NULL)
		error_set(err, CODE_UNAVAILABLE, "changes are queued that the store cannot write: %s", trouble->msg);
	else
		error_set(
			err, CODE_UNAVAILABLE,
			"requests are still in progress after %d ms, which is max-takeover-pause (%zu, uploads among them): try again",
			PAUSE_MAX_MS, count_requests(backplane));
}

/* Closing the artefacts took turns of the loop, in which a Runner or a timer may have changed something. */
static void on_artefacts_closed(struct backplane *backplane) {
	struct error err, lost;
	bool serves = check_serving(backplane, &err) == 0;
	if (backplane->stopping.state == STOPPED)
		return;
	if (serves && is_quiet(backplane)) {
		hand_over(backplane);
	} else if (reopen(backplane, &lost) < 0) {
		log_failure(LOG_ERROR, &lost, "the data folder is not to be had again");
		if (serves)
			leave(backplane);
	} else if (!serves) {
		refuse(backplane, &err);
	} else {
		rpc_server_refuse(backplane->server, false);
		uv_poll_start(&backplane->takeover.asker_poll, UV_READABLE, on_asker);
		backplane->takeover.quiet = 0;
		timer_start(&backplane->loop, &backplane->takeover.look, LOOK_MS);
	}
}

/* The asker is heard again in the exchange. */
static void begin_hand_over(struct backplane *backplane) {
	uv_poll_stop(&backplane->takeover.asker_poll);
	rpc_server_refuse(backplane->server, true);
	close_artefacts(backplane, on_artefacts_closed);
}

static void on_look(struct timer *timer) {
	struct backplane *backplane = CONTAINER_OF(timer, struct backplane, takeover.look);
	/* What a worker had on its way when it paused is here after a turn. */
	backplane->takeover.quiet = is_quiet(backplane) ? backplane->takeover.quiet + 1 : 0;
	if (backplane->takeover.quiet >= QUIET_LOOKS) {
		begin_hand_over(backplane);
	} else if (loop_now_ms(&backplane->loop) - backplane->takeover.since_ms < PAUSE_MAX_MS) {
		timer_start(&backplane->loop, timer, LOOK_MS);
	} else {
		struct error err;
		not_quiet(backplane, &err);
		refuse(backplane, &err);
	}
}

void takeover_stop(struct backplane *backplane) {
	struct error err;
	if (timer_is_running(&backplane->takeover.look) && check_serving(backplane, &err) < 0)
		refuse(backplane, &err);
}

static int read_ask(struct backplane *backplane, struct error *err) {
	struct arena arena = ARENA_INIT(2 * (size_t)TAKEOVER_TEXT_MAX);
	struct takeover_packet packet;
	int failed = takeover_packet_expect(backplane->takeover.asker, 0, TAKEOVER_ASK, &arena, &packet, err);
	for (size_t i = 0; !failed && i < packet.fd_count; i++)
		close(packet.fds[i]);
	arena_deinit(&arena);
	return failed ? -1 : check_serving(backplane, err);
}

static void on_asker(uv_poll_t *poll, int status UNUSED, int events UNUSED) {
	struct backplane *backplane = poll->data;
	struct error err;
	if (backplane->takeover.pausing) {
		error_set(&err, CODE_CANCELLED, "it has gone, or speaks out of turn");
		refuse(backplane, &err);
		return;
	}
	if (read_ask(backplane, &err) < 0) {
		refuse(backplane, &err);
		return;
	}
	log_info("process %ld asks to take over", takeover_packet_peer_pid(backplane->takeover.asker));
	backplane->takeover.pausing = true;
	backplane->takeover.quiet = 0;
	backplane->takeover.since_ms = loop_now_ms(&backplane->loop);
	pause_workers(backplane);
	timer_start(&backplane->loop, &backplane->takeover.look, LOOK_MS);
}

static void on_connection(uv_poll_t *poll, int status UNUSED, int events UNUSED) {
	struct backplane *backplane = poll->data;
	int fd = takeover_packet_accept(backplane->takeover.listener);
	if (fd < 0)
		return;
	if (backplane->takeover.asker >= 0) {
		takeover_packet_send(fd, TAKEOVER_REFUSED, "another process is taking over just now", NULL, 0, NULL);
		close(fd);
		return;
	}
	backplane->takeover.asker = fd;
	uv_poll_init(&backplane->loop.uv, &backplane->takeover.asker_poll, fd);
	backplane->takeover.asker_poll.data = backplane;
	uv_poll_start(&backplane->takeover.asker_poll, UV_READABLE, on_asker);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

int takeover_open(struct backplane *backplane, struct error *err) {
	if (backplane->offer != NULL) {
		backplane->takeover.listener = backplane->offer->takeover;
		backplane->offer->takeover = -1;
		/* Those who connect are shown the process that listened last. */
		listen(backplane->takeover.listener, TAKEOVER_BACKLOG);
	} else if (takeover_packet_listen(backplane->data_folder, &backplane->takeover.listener, err) < 0) {
		return -1;
	}
	backplane->takeover.look.fire = on_look;
	uv_poll_init(&backplane->loop.uv, &backplane->takeover.poll, backplane->takeover.listener);
	backplane->takeover.poll.data = backplane;
	uv_poll_start(&backplane->takeover.poll, UV_READABLE, on_connection);
	return 0;
}

void takeover_close(struct backplane *backplane) {
	timer_stop(&backplane->loop, &backplane->takeover.look);
	dismiss_asker(backplane);
	while (backplane->takeover.end_count > 0)
		close(backplane->takeover.ends[--backplane->takeover.end_count]);
	if (backplane->takeover.listener < 0)
		return;
	if (backplane->offer == NULL) /* else it is still the other one's */
		takeover_packet_unlink(backplane->data_folder);
	uv_close((uv_handle_t *)&backplane->takeover.poll, NULL);
	close(backplane->takeover.listener);
	backplane->takeover.listener = -1;
}
