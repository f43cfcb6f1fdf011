/* SPDX-License-Identifier: Apache-2.0 */
#include "backplane/control_server.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"

struct dialled {
	struct task task;
	struct control_server *server;
	int fd;
};

void control_server_accept(struct control_server *server, int fd) {
	if (server->rpc != NULL)
		rpc_server_accept(server->rpc, fd, false);
	else
		close(fd);
}

static void run_accept(struct task *task) {
	struct dialled *dialled = CONTAINER_OF(task, struct dialled, task);
	control_server_accept(dialled->server, dialled->fd);
	free(dialled);
}

int control_server_dial(void *data) {
	struct control_server *server = data;
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
		return -1;
	struct dialled *dialled = mem_alloc(sizeof *dialled);
	*dialled = (struct dialled){.task.run = run_accept, .server = server, .fd = ends[1]};
	loop_post(server->loop, &dialled->task);
	return ends[0];
}

void control_server_start(struct control_server *server, struct loop *loop, size_t held_max) {
	struct rpc_server_options options = rpc_server_options_default;
	options.message_max = UINT32_MAX; /* each method has its own limit */
	options.held_max = held_max;
	options.http.header_bytes = HTTP_HEADER_BYTES_MAX;
	/* All clients of a worker share its connections; the worker has enforced the limits of each client. */
	options.http.streams = 4096;
	options.http.resets = options.http.control_frames = HTTP_NEVER;
	server->loop = loop;
	server->rpc = rpc_server_new(loop, &options);
}

void control_server_stop(struct control_server *server) {
	rpc_server_close(server->rpc);
	server->rpc = NULL;
}
