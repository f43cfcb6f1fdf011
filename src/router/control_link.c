/* SPDX-License-Identifier: Apache-2.0 */
#include "router/control_link.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"

struct retired_channel {
	struct list link;
	struct rpc_channel *channel;
};

/* --- states ------------------------------------------------------------------------------------------------------- */

void control_link_check(enum control_link_state from, enum control_link_state to) {
	static const unsigned allowed[] = {
		[CONTROL_HERE] = 1u << CONTROL_PAUSED,
		[CONTROL_PAUSED] = 1u << CONTROL_HERE | 1u << CONTROL_ELSEWHERE,
		[CONTROL_ELSEWHERE] = 0,
	};
	ASSERT(allowed[from] & 1u << to);
}

static void set_state(struct control_link *link, enum control_link_state state) {
	control_link_check(link->state, state);
	link->state = state;
}

const char *control_link_peer(const struct control_link *link) {
	return link->state == CONTROL_ELSEWHERE ? "the Backplane that has taken over" : "the control side";
}

/* --- connections -------------------------------------------------------------------------------------------------- */

static int connect_to_successor(const struct control_link *link) {
	int fd = socket(link->successor.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&link->successor.address, link->successor.len) == 0)
		return fd;
	close(fd);
	return -1;
}

static int dial(void *data) {
	struct control_link *link = data;
	if (link->stock.count > 0)
		return link->stock.fds[--link->stock.count];
	switch (link->state) {
	case CONTROL_HERE:
		return link->dial(link->dial_data);
	case CONTROL_PAUSED:
		return -1;
	case CONTROL_ELSEWHERE:
		return connect_to_successor(link);
	}
	return -1;
}

static void open_channel(struct control_link *link, const struct endpoint *name) {
	struct rpc_channel_options options = rpc_channel_options_default;
	/* The peer is this process or its successor, on this machine: it may be slow to answer, and is never lost. */
	options.connect_timeout_ms = 0;
	options.keepalive_ms = 0;
	options.dial = dial;
	options.dial_data = link;
	link->channel = rpc_channel_new(link->loop, name, &options);
}

static void retire_channel(struct control_link *link) {
	struct retired_channel *retired = mem_alloc(sizeof *retired);
	*retired = (struct retired_channel){.channel = link->channel};
	list_append(&link->retired, &retired->link);
}

static void close_retired(struct control_link *link, bool all) {
	LIST_FOREACH(item, &link->retired) {
		struct retired_channel *retired = LIST_ENTRY(item, struct retired_channel, link);
		if (!all && rpc_channel_calls(retired->channel) > 0)
			continue;
		rpc_channel_close(retired->channel);
		list_remove(&retired->link);
		free(retired);
	}
}

static void close_stock(struct control_link *link) {
	while (link->stock.count > 0)
		close(link->stock.fds[--link->stock.count]);
}

/* --- transitions -------------------------------------------------------------------------------------------------- */

void control_link_pause(struct control_link *link, const int stock[CONTROL_LINK_STOCK]) {
	set_state(link, CONTROL_PAUSED);
	close_retired(link, false);
	retire_channel(link);
	close_stock(link);
	memcpy(link->stock.fds, stock, sizeof link->stock.fds);
	link->stock.count = CONTROL_LINK_STOCK;
	struct endpoint name = *rpc_channel_endpoint(link->channel);
	open_channel(link, &name);
}

void control_link_resume(struct control_link *link) {
	set_state(link, CONTROL_HERE);
	close_stock(link); /* the control side closes connections that tell nothing for a while */
}

void control_link_redirect(struct control_link *link, const struct sockaddr_storage *successor, socklen_t len) {
	set_state(link, CONTROL_ELSEWHERE);
	link->successor.address = *successor;
	link->successor.len = len;
}

/* --- life --------------------------------------------------------------------------------------------------------- */

void control_link_init(struct control_link *link, struct loop *loop, const struct endpoint *name,
		       int (*dial_here)(void *data), void *dial_data) {
	*link = (struct control_link){.loop = loop, .dial = dial_here, .dial_data = dial_data};
	list_init(&link->retired);
	open_channel(link, name);
}

void control_link_close(struct control_link *link) {
	rpc_channel_close(link->channel);
	close_retired(link, true);
	close_stock(link);
}
