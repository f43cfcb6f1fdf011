/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which address of this machine leads to it from where another endpoint is, as the kernel's routes tell. Nothing is
 * sent.
 */
#pragma once

#include "net/endpoint.h"

struct own_address {
	char host[64]; /* a numeric address of this machine */
	bool peer_is_here; /* the other endpoint is of this machine too */
};

/* family: AF_INET, AF_INET6, or AF_UNSPEC for either. Looks names up, which may take a while. Returns false when the
 * name is unknown, or there is no route. */
bool own_address_find(const struct endpoint *peer, int family, struct own_address *ret_own);
