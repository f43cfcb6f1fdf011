/* SPDX-License-Identifier: Apache-2.0 */
#include "net/own_address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <unistd.h>

static const void *bytes_of(const struct sockaddr_storage *address, size_t *ret_size) {
	bool v4 = address->ss_family == AF_INET;
	*ret_size = v4 ? sizeof(struct in_addr) : sizeof(struct in6_addr);
	return v4 ? (const void *)&((const struct sockaddr_in *)address)->sin_addr
		  : (const void *)&((const struct sockaddr_in6 *)address)->sin6_addr;
}

/* A connected datagram socket has the source address that the kernel would use. Towards an address of this machine that
 * is the address itself. */
static bool ask_kernel(const struct addrinfo *peer, struct own_address *ret_own) {
	struct sockaddr_storage own = {0}, there = {0};
	socklen_t len = sizeof own;
	int fd = socket(peer->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool found = fd >= 0 && connect(fd, peer->ai_addr, peer->ai_addrlen) == 0 &&
		     getsockname(fd, (struct sockaddr *)&own, &len) == 0;
	if (fd >= 0)
		close(fd);
	if (!found)
		return false;
	memcpy(&there, peer->ai_addr, peer->ai_addrlen);
	size_t size;
	const void *own_bytes = bytes_of(&own, &size), *there_bytes = bytes_of(&there, &size);
	ret_own->peer_is_here = memcmp(own_bytes, there_bytes, size) == 0;
	return inet_ntop(own.ss_family, own_bytes, ret_own->host, sizeof ret_own->host) != NULL;
}

bool own_address_find(const struct endpoint *peer, int family, struct own_address *ret_own) {
	if (endpoint_is_loopback(peer)) {
		snprintf(ret_own->host, sizeof ret_own->host, "%s", family == AF_INET6 ? "::1" : "127.0.0.1");
		ret_own->peer_is_here = true;
		return true;
	}
	char port[8];
	snprintf(port, sizeof port, "%u", peer->port);
	struct addrinfo hints = {.ai_socktype = SOCK_DGRAM, .ai_family = family}, *addresses;
	if (getaddrinfo(peer->host, port, &hints, &addresses) != 0)
		return false;
	bool found = false;
	for (const struct addrinfo *address = addresses; address != NULL && !found; address = address->ai_next)
		found = ask_kernel(address, ret_own);
	freeaddrinfo(addresses);
	return found;
}
