/* SPDX-License-Identifier: Apache-2.0 */
#include "backplane/takeover/packets.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/reasons.h"

static const char magic[8] = {'F', 'T', 'L', 't', 'a', 'k', 'e', '\n'};

/* Stands in front of the text. All later versions keep the first three fields. */
struct packet_head {
	char magic[8];
	uint32_t version_first, version_last;
	uint32_t kind;
};

/* --- the socket --------------------------------------------------------------------------------------------------- */

/* Makes an address below the folder's descriptor, so that the folder's path may be longer than a socket address. */
static int open_address(const char *data_folder, struct sockaddr_un *ret_address, struct error *err) {
	int folder = open(data_folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0)
		return error_set_errno(err, errno, "could not open the data folder %s", data_folder);
	*ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(ret_address->sun_path, sizeof ret_address->sun_path, "/proc/self/fd/%d/takeover.sock", folder);
	return folder;
}

static bool is_own_user(int fd) {
	struct ucred peer;
	socklen_t len = sizeof peer;
	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && (peer.uid == geteuid() || peer.uid == 0);
}

long takeover_packet_peer_pid(int fd) {
	struct ucred peer = {0};
	socklen_t len = sizeof peer;
	getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len);
	return (long)peer.pid;
}

int takeover_packet_connect(const char *data_folder, int *ret_fd, struct error *err) {
	struct sockaddr_un address;
	int folder = open_address(data_folder, &address, err);
	if (folder < 0)
		return -1;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	bool connected = fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
	int number = errno;
	close(folder);
	if (connected && is_own_user(fd)) {
		*ret_fd = fd;
		return 0;
	}
	if (fd >= 0)
		close(fd);
	if (connected)
		return error_set(err, CODE_PERMISSION_DENIED, "%s/takeover.sock belongs to another user", data_folder);
	if (number == ENOENT || number == ECONNREFUSED) {
		error_set(err, CODE_NOT_FOUND, "no Backplane that could be taken over runs on the data folder %s",
			  data_folder);
		return error_set_reason(err, REASON_NOTHING_TO_TAKE_OVER);
	}
	return error_set_errno(err, number, "could not connect to %s/takeover.sock", data_folder);
}

int takeover_packet_listen(const char *data_folder, int *ret_fd, struct error *err) {
	struct sockaddr_un address;
	int folder = open_address(data_folder, &address, err);
	if (folder < 0)
		return -1;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	unlinkat(folder, "takeover.sock", 0);
	/* No process can connect before listen, so chmod is in time. */
	bool failed = fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 ||
		      chmod(address.sun_path, 0600) < 0 || listen(fd, TAKEOVER_BACKLOG) < 0;
	int number = errno;
	close(folder);
	if (!failed) {
		*ret_fd = fd;
		return 0;
	}
	if (fd >= 0)
		close(fd);
	return error_set_errno(err, number, "could not listen on %s/takeover.sock", data_folder);
}

void takeover_packet_unlink(const char *data_folder) {
	char *path = mem_printf("%s/takeover.sock", data_folder);
	unlink(path);
	free(path);
}

int takeover_packet_accept(int listener) {
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0 || is_own_user(fd))
		return fd;
	close(fd);
	return -1;
}

/* --- packets ------------------------------------------------------------------------------------------------------ */

int takeover_packet_send(int fd, enum takeover_packet_kind kind, const char *text, const int *fds, size_t fd_count,
			 struct error *err) {
	struct packet_head head = {.version_first = TAKEOVER_VERSION, .version_last = TAKEOVER_VERSION, .kind = kind};
	memcpy(head.magic, magic, sizeof magic);
	struct iovec pieces[] = {{&head, sizeof head}, {(char *)text, text != NULL ? strlen(text) : 0}};
	char control[CMSG_SPACE(TAKEOVER_FDS_MAX * sizeof(int))] = {0};
	struct msghdr message = {.msg_iov = pieces, .msg_iovlen = ARRAY_LEN(pieces)};
	ASSERT(fd_count <= TAKEOVER_FDS_MAX && pieces[1].iov_len <= TAKEOVER_TEXT_MAX);
	if (fd_count > 0) {
		message.msg_control = control;
		message.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
		struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
		*rights = (struct cmsghdr){.cmsg_len = CMSG_LEN(fd_count * sizeof(int)),
					   .cmsg_level = SOL_SOCKET,
					   .cmsg_type = SCM_RIGHTS};
		memcpy(CMSG_DATA(rights), fds, fd_count * sizeof(int));
	}
	if (sendmsg(fd, &message, MSG_NOSIGNAL) < 0)
		return error_set_errno(err, errno, "could not send to process %ld", takeover_packet_peer_pid(fd));
	return 0;
}

static int wait_readable(int fd, int timeout_ms, struct error *err) {
	uint64_t until_ms = clock_ms() + (uint64_t)timeout_ms;
	for (;;) {
		uint64_t now_ms = clock_ms();
		struct pollfd wanted = {.fd = fd, .events = POLLIN};
		int ready = poll(&wanted, 1, until_ms > now_ms ? (int)(until_ms - now_ms) : 0);
		if (ready > 0)
			return 0;
		if (ready == 0)
			return error_set(err, CODE_DEADLINE_EXCEEDED, "process %ld has sent nothing for %d ms",
					 takeover_packet_peer_pid(fd), timeout_ms);
		if (errno != EINTR)
			return error_set_errno(err, errno, "could not wait for process %ld",
					       takeover_packet_peer_pid(fd));
	}
}

static void take_fds(struct msghdr *message, struct takeover_packet *packet) {
	for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part != NULL; part = CMSG_NXTHDR(message, part)) {
		if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
			continue;
		size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		ASSERT(packet->fd_count + count <= TAKEOVER_FDS_MAX);
		memcpy(packet->fds + packet->fd_count, CMSG_DATA(part), count * sizeof(int));
		packet->fd_count += count;
	}
}

static int check_head(int fd, const struct packet_head *head, size_t size, struct error *err) {
	if (size < sizeof *head || memcmp(head->magic, magic, sizeof magic) != 0)
		return error_set(err, CODE_FAILED_PRECONDITION,
				 "process %ld sent bytes that are not a packet of a takeover",
				 takeover_packet_peer_pid(fd));
	if (head->version_first > TAKEOVER_VERSION || head->version_last < TAKEOVER_VERSION) {
		error_set(
			err, CODE_FAILED_PRECONDITION,
			"process %ld speaks the versions %u to %u of the takeover's packets, and this FTL version %d: "
			"stop the running Backplane, then start the other one",
			takeover_packet_peer_pid(fd), head->version_first, head->version_last, TAKEOVER_VERSION);
		return error_set_reason(err, REASON_TAKEOVER_OTHER_VERSION);
	}
	return 0;
}

int takeover_packet_receive(int fd, int timeout_ms, struct arena *arena, struct takeover_packet *ret_packet,
			    struct error *err) {
	if (wait_readable(fd, timeout_ms, err) < 0)
		return -1;
	struct packet_head head = {0};
	char *text = arena_alloc(arena, TAKEOVER_TEXT_MAX + 1);
	struct iovec pieces[] = {{&head, sizeof head}, {text, TAKEOVER_TEXT_MAX}};
	char control[CMSG_SPACE(TAKEOVER_FDS_MAX * sizeof(int))];
	struct msghdr message = {.msg_iov = pieces,
				 .msg_iovlen = ARRAY_LEN(pieces),
				 .msg_control = control,
				 .msg_controllen = sizeof control};
	ssize_t size = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
	if (size < 0 && errno != ECONNRESET)
		return error_set_errno(err, errno, "could not receive from process %ld", takeover_packet_peer_pid(fd));
	if (size <= 0)
		return error_set(err, CODE_UNAVAILABLE, "process %ld has closed the connection",
				 takeover_packet_peer_pid(fd));
	struct takeover_packet packet = {.text = text};
	take_fds(&message, &packet);
	if (check_head(fd, &head, (size_t)size, err) < 0) {
		for (size_t i = 0; i < packet.fd_count; i++)
			close(packet.fds[i]);
		return -1;
	}
	packet.kind = head.kind;
	packet.version_first = head.version_first;
	packet.version_last = head.version_last;
	packet.text_len = (size_t)size - sizeof head;
	text[packet.text_len] = '\0';
	*ret_packet = packet;
	return 0;
}

int takeover_packet_expect(int fd, int timeout_ms, enum takeover_packet_kind kind, struct arena *arena,
			   struct takeover_packet *ret_packet, struct error *err) {
	struct takeover_packet packet;
	if (takeover_packet_receive(fd, timeout_ms, arena, &packet, err) < 0)
		return -1;
	if (packet.kind == kind) {
		*ret_packet = packet;
		return 0;
	}
	for (size_t i = 0; i < packet.fd_count; i++)
		close(packet.fds[i]);
	if (packet.kind == TAKEOVER_REFUSED || packet.kind == TAKEOVER_FAILED)
		return error_set(err, CODE_FAILED_PRECONDITION, "process %ld answered: %.900s",
				 takeover_packet_peer_pid(fd), packet.text);
	return error_set(err, CODE_INTERNAL, "process %ld sent a packet of kind %u in place of kind %u",
			 takeover_packet_peer_pid(fd), (unsigned)packet.kind, (unsigned)kind);
}
