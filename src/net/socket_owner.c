/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /proc/net/tcp names the inode of each listening socket (proc(5)); its owner is a process with a descriptor of that
 * inode.
 */
#include "net/socket_owner.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static bool find_inode(const char *table, uint16_t port, unsigned long *ret_inode) {
	enum { LISTENING = 0x0A };
	FILE *file = fopen(table, "re");
	if (file == NULL)
		return false;
	bool found = false;
	char line[512];
	while (!found && fgets(line, sizeof line, file) != NULL) {
		unsigned local_port, state;
		unsigned long inode;
		int fields = sscanf(line, " %*d: %*[0-9A-Fa-f]:%x %*s %x %*s %*s %*s %*s %*s %lu", &local_port, &state,
				    &inode);
		found = fields == 3 && local_port == port && state == LISTENING;
		if (found)
			*ret_inode = inode;
	}
	fclose(file);
	return found;
}

static bool has_descriptor(const char *pid, const char *wanted) {
	char folder[300];
	snprintf(folder, sizeof folder, "/proc/%s/fd", pid);
	DIR *descriptors = opendir(folder);
	if (descriptors == NULL)
		return false;
	bool found = false;
	for (struct dirent *entry; !found && (entry = readdir(descriptors)) != NULL;) {
		char link[64] = "";
		found = readlinkat(dirfd(descriptors), entry->d_name, link, sizeof link - 1) > 0 &&
			strcmp(link, wanted) == 0;
	}
	closedir(descriptors);
	return found;
}

static void name_process(const char *pid, char ret_text[SOCKET_OWNER_MAX]) {
	char path[300], name[64] = "a process";
	snprintf(path, sizeof path, "/proc/%s/comm", pid);
	FILE *file = fopen(path, "re");
	if (file != NULL) {
		if (fgets(name, sizeof name, file) != NULL)
			name[strcspn(name, "\n")] = '\0';
		fclose(file);
	}
	snprintf(ret_text, SOCKET_OWNER_MAX, "%s (pid %.16s)", name, pid);
}

bool socket_owner_of_port(uint16_t port, char ret_text[SOCKET_OWNER_MAX]) {
	unsigned long inode;
	if (!find_inode("/proc/net/tcp", port, &inode) && !find_inode("/proc/net/tcp6", port, &inode))
		return false;
	char wanted[64];
	snprintf(wanted, sizeof wanted, "socket:[%lu]", inode);
	DIR *processes = opendir("/proc");
	if (processes == NULL)
		return false;
	bool found = false;
	for (struct dirent *entry; !found && (entry = readdir(processes)) != NULL;) {
		found = strtol(entry->d_name, NULL, 10) > 0 && has_descriptor(entry->d_name, wanted);
		if (found)
			name_process(entry->d_name, ret_text);
	}
	closedir(processes);
	return found;
}

bool socket_owner_of_path(const struct sockaddr_un *address, char ret_text[SOCKET_OWNER_MAX]) {
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct ucred peer = {0}; /* the process that called listen */
	socklen_t len = sizeof peer;
	bool found = fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 &&
		     getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && peer.pid > 0 &&
		     kill(peer.pid, 0) == 0;
	if (fd >= 0)
		close(fd);
	if (!found)
		return false;
	char pid[16];
	snprintf(pid, sizeof pid, "%d", (int)peer.pid);
	name_process(pid, ret_text);
	return true;
}
