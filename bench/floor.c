/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lower bound for a hop: copies bytes between sockets with epoll, read and write.
 *
 *   bench-floor PORT TO_PORT
 *
 * One thread, on 127.0.0.1. Each connection has its own one to TO_PORT.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { PIECE = 64 << 10, FILES_MAX = 1024 };

static int other_side[FILES_MAX]; /* by descriptor */

static void stop_if(int failed, const char *what) {
	if (failed) {
		perror(what);
		exit(1);
	}
}

static struct sockaddr_in loopback(const char *port) {
	return (struct sockaddr_in){.sin_family = AF_INET,
				    .sin_port = htons((uint16_t)atoi(port)),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void watch(int poll, int fd) {
	int yes = 1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
	stop_if(fd >= FILES_MAX || epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event) < 0, "epoll_ctl");
}

static void take_connection(int poll, int listener, const struct sockaddr_in *to) {
	int client = accept(listener, NULL, NULL), server = socket(AF_INET, SOCK_STREAM, 0);
	stop_if(client < 0 || connect(server, (const struct sockaddr *)to, sizeof *to) < 0, "connect");
	other_side[client] = server;
	other_side[server] = client;
	watch(poll, client);
	watch(poll, server);
}

/* Blocks while the other side does not read, which both ends of a benchmark always do. */
static void pass(int fd) {
	static char piece[PIECE];
	ssize_t len = read(fd, piece, sizeof piece);
	for (ssize_t sent = 0, taken; sent < len; sent += taken) {
		taken = write(other_side[fd], piece + sent, (size_t)(len - sent));
		if (taken < 0)
			len = 0;
	}
	if (len <= 0 && other_side[fd] >= 0) {
		int other = other_side[fd];
		other_side[fd] = other_side[other] = -1;
		close(fd);
		close(other);
	}
}

int main(int argc, char **argv) {
	stop_if(argc != 3, "usage: bench-floor PORT TO_PORT");
	struct sockaddr_in at = loopback(argv[1]), to = loopback(argv[2]);
	int listener = socket(AF_INET, SOCK_STREAM, 0), poll = epoll_create1(0), yes = 1;
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
	stop_if(bind(listener, (struct sockaddr *)&at, sizeof at) < 0 || listen(listener, 64) < 0, "bind");
	struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
	stop_if(epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event) < 0, "epoll_ctl");
	for (;;) {
		struct epoll_event events[64];
		int count = epoll_wait(poll, events, 64, -1);
		for (int i = 0; i < count; i++) {
			if (events[i].data.fd == listener)
				take_connection(poll, listener, &to);
			else if (other_side[events[i].data.fd] >= 0)
				pass(events[i].data.fd);
		}
	}
}
