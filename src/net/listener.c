/* SPDX-License-Identifier: Apache-2.0 */
#include "net/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/path.h"
#include "base/reasons.h"
#include "net/socket_owner.h"

enum { BACKLOG = 1024, PAUSE_MS = 100 };

static void on_readable(uv_poll_t *poll, int status, int events);

static void resume(struct timer *timer) {
	struct listener *listener = CONTAINER_OF(timer, struct listener, pause);
	uv_poll_start(&listener->poll, UV_READABLE, on_readable);
}

/* Without a free descriptor the socket stays readable, so polling pauses instead of spinning. */
static void wait_for_descriptors(struct listener *listener) {
	if (!listener->starved)
		log_error("could not accept a connection: %s; raise the limit of open files (ulimit -n)",
			  strerror(errno));
	listener->starved = true;
	uv_poll_stop(&listener->poll);
	timer_start(listener->loop, &listener->pause, PAUSE_MS);
}

static void on_readable(uv_poll_t *poll, int status UNUSED, int events UNUSED) {
	struct listener *listener = poll->data;
	for (;;) {
		int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd >= 0) {
			listener->starved = false;
			listener->on_accept(listener, fd);
		} else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
			wait_for_descriptors(listener);
			return;
		} else if (errno != EINTR && errno != ECONNABORTED) {
			return;
		}
	}
}

/* process: "NAME (pid N)"; NULL: unknown. */
static int refuse_in_use(const struct endpoint *endpoint, const char *process, struct error *err) {
	char text[ENDPOINT_MAX];
	endpoint_format(endpoint, text);
	error_set(err, CODE_ALREADY_EXISTS, "%s is in use by %s; stop that process, or choose another address", text,
		  process ? process : "another process");
	return error_set_reason(err, REASON_ADDRESS_IN_USE);
}

static int refuse_port_in_use(const struct endpoint *endpoint, struct error *err) {
	char process[SOCKET_OWNER_MAX];
	return refuse_in_use(endpoint, socket_owner_of_port(endpoint->port, process) ? process : NULL, err);
}

static int refuse_path_in_use(const struct endpoint *endpoint, const struct sockaddr_un *address, struct error *err) {
	char process[SOCKET_OWNER_MAX];
	struct stat status;
	if (lstat(address->sun_path, &status) == 0 && !S_ISSOCK(status.st_mode)) {
		error_set(err, CODE_ALREADY_EXISTS, "%s exists and is not a socket; choose another path",
			  endpoint->path);
		return error_set_reason(err, REASON_NOT_A_SOCKET);
	}
	return refuse_in_use(endpoint, socket_owner_of_path(address, process) ? process : NULL, err);
}

static int bind_tcp(const struct endpoint *endpoint, struct error *err) {
	char port[8];
	snprintf(port, sizeof port, "%u", endpoint->port);
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
	struct addrinfo *addresses;
	int failed = getaddrinfo(endpoint->host, port, &hints, &addresses);
	if (failed != 0)
		return error_set(err, CODE_INVALID_ARGUMENT, "could not find the address of %s: %s", endpoint->host,
				 gai_strerror(failed));
	int fd = socket(addresses->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), yes = 1;
	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
	if (fd < 0 || bind(fd, addresses->ai_addr, addresses->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0) {
		int number = errno;
		if (fd >= 0)
			close(fd);
		fd = -1;
		if (number == EADDRINUSE)
			refuse_port_in_use(endpoint, err);
		else
			error_set_errno(err, number, "could not listen on %s:%u", endpoint->host, endpoint->port);
	}
	freeaddrinfo(addresses);
	return fd;
}

/* Whether a socket file was left by a process that was killed: no process listens on it. */
static bool is_abandoned(const struct sockaddr_un *address) {
	struct stat status;
	if (lstat(address->sun_path, &status) < 0 || !S_ISSOCK(status.st_mode))
		return false;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool refused =
		fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof *address) < 0 && errno == ECONNREFUSED;
	if (fd >= 0)
		close(fd);
	return refused;
}

static int bind_unix(const struct endpoint *endpoint, struct error *err) {
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	memcpy(address.sun_path, endpoint->path, sizeof address.sun_path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return error_set_errno(err, errno, "could not make a socket");
	int result = bind(fd, (struct sockaddr *)&address, sizeof address);
	if (result < 0 && errno == EADDRINUSE && is_abandoned(&address) && unlink(address.sun_path) == 0)
		result = bind(fd, (struct sockaddr *)&address, sizeof address);
	if (result == 0 && chmod(address.sun_path, 0600) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	int number = errno;
	close(fd);
	if (number == EADDRINUSE)
		return refuse_path_in_use(endpoint, &address, err);
	return error_set_errno(err, number, "could not listen on %s", endpoint->path);
}

static int make_folder_of(const char *path, struct error *err) {
	char folder[sizeof((struct endpoint *)NULL)->path];
	snprintf(folder, sizeof folder, "%s", path);
	char *slash = strrchr(folder, '/');
	if (slash == NULL || slash == folder)
		return 0;
	*slash = '\0';
	return path_make_folders(folder, err);
}

/* Puts a new socket in the place of the one whose file is gone, under the same descriptor. */
static int bind_again(struct listener *listener, struct error *err) {
	if (make_folder_of(listener->endpoint.path, err) < 0)
		return -1;
	int fd = bind_unix(&listener->endpoint, err);
	if (fd < 0)
		return -1;
	on_readable(&listener->poll, 0, UV_READABLE); /* takes what waited at the old one */
	uv_poll_stop(&listener->poll);
	dup3(fd, listener->fd, O_CLOEXEC);
	close(fd);
	if (!timer_is_running(&listener->pause))
		uv_poll_start(&listener->poll, UV_READABLE, on_readable);
	return 0;
}

/* A file that another process has put there is left alone. */
static void on_gone(struct file_check *check) {
	struct listener *listener = CONTAINER_OF(check, struct listener, check);
	const char *path = listener->endpoint.path;
	struct error err;
	bool was_lost = listener->is_lost;
	listener->is_lost = bind_again(listener, &err) < 0;
	if (!listener->is_lost)
		log_warn("the socket %s was removed by another process, and is there again", path);
	else if (!was_lost)
		log_failure(LOG_ERROR, &err, "the socket %s was removed by another process; no new connection finds it",
			    path);
}

static uint16_t bound_port(int fd) {
	struct sockaddr_storage address;
	socklen_t len = sizeof address;
	getsockname(fd, (struct sockaddr *)&address, &len);
	return ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
						   : ((struct sockaddr_in *)&address)->sin_port);
}

void listener_raise_file_limit(void) {
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

int listener_open(struct listener *listener, struct loop *loop, const struct endpoint *endpoint,
		  void (*on_accept)(struct listener *listener, int fd), void *owner, struct error *err) {
	bool is_unix = endpoint->kind == ENDPOINT_UNIX;
	int fd = is_unix ? bind_unix(endpoint, err) : bind_tcp(endpoint, err);
	if (fd < 0)
		return -1;
	listener_adopt(listener, loop, fd, endpoint, on_accept, owner);
	if (!is_unix)
		listener->endpoint.port = bound_port(fd);
	return 0;
}

void listener_adopt(struct listener *listener, struct loop *loop, int fd, const struct endpoint *endpoint,
		    void (*on_accept)(struct listener *listener, int fd), void *owner) {
	*listener = (struct listener){.loop = loop,
				      .fd = fd,
				      .endpoint = *endpoint,
				      .on_accept = on_accept,
				      .owner = owner,
				      .pause.fire = resume};
	int failed = uv_poll_init(&loop->uv, &listener->poll, fd);
	ASSERT(failed == 0);
	listener->poll.data = listener;
	uv_poll_start(&listener->poll, UV_READABLE, on_readable);
	if (endpoint->kind == ENDPOINT_UNIX)
		file_check_start(&listener->check, loop, listener->endpoint.path, LISTENER_CHECK_MS, on_gone);
}

static void on_poll_closed(uv_handle_t *handle) {
	struct listener *listener = handle->data;
	close(listener->fd);
	listener->fd = -1;
}

static bool is_closed(const struct listener *listener) {
	return listener->fd < 0 || uv_is_closing((const uv_handle_t *)&listener->poll);
}

void listener_abandon(struct listener *listener) {
	if (is_closed(listener))
		return;
	timer_stop(listener->loop, &listener->pause);
	file_check_stop(&listener->check);
	uv_close((uv_handle_t *)&listener->poll, on_poll_closed);
}

void listener_close(struct listener *listener) {
	if (!is_closed(listener) && listener->endpoint.kind == ENDPOINT_UNIX)
		unlink(listener->endpoint.path);
	listener_abandon(listener);
}
