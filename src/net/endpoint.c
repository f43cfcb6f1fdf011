/* SPDX-License-Identifier: Apache-2.0 */
#include "net/endpoint.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/memory.h"

static int refuse(struct str text, const char *why, struct error *err) {
	return error_set(err, CODE_INVALID_ARGUMENT,
			 "\"%.*s\" is not an endpoint: %s; give http://HOST:PORT, https://HOST:PORT or unix:PATH",
			 (int)MIN(text.len, (size_t)120), text.ptr ? text.ptr : "", why);
}

static int parse_unix(struct str text, struct str path, struct endpoint *ret_endpoint, struct error *err) {
	struct endpoint endpoint = {.kind = ENDPOINT_UNIX};
	if (path.len == 0)
		return refuse(text, "the path is missing", err);
	if (path.len >= sizeof endpoint.path)
		return refuse(text, "the path of a socket has at most 107 bytes", err);
	if (memchr(path.ptr, '\0', path.len) != NULL)
		return refuse(text, "the path has a NUL byte", err);
	memcpy(endpoint.path, path.ptr, path.len);
	*ret_endpoint = endpoint;
	return 0;
}

/* Splits "HOST:PORT" or "[ADDRESS]:PORT". Returns what is wrong, or NULL. */
static const char *split_authority(struct str authority, struct str *ret_host, struct str *ret_port) {
	if (authority.len > 0 && authority.ptr[0] == '[') {
		*ret_host = str_cut(str_from_offset(authority, 1), ']', ret_port);
		if (ret_port->ptr == NULL)
			return "the bracket is not closed";
		if (ret_port->len == 0 || ret_port->ptr[0] != ':')
			return "the port is missing";
		*ret_port = str_from_offset(*ret_port, 1);
		return NULL;
	}
	*ret_host = str_cut(authority, ':', ret_port);
	return ret_port->ptr == NULL ? "the port is missing" : NULL;
}

static int parse_tcp(struct str text, struct str authority, bool tls, struct endpoint *ret_endpoint,
		     struct error *err) {
	struct endpoint endpoint = {.kind = ENDPOINT_TCP, .tls = tls};
	struct str host, port;
	if (authority.len > 0 && authority.ptr[authority.len - 1] == '/')
		authority.len--;
	const char *wrong = split_authority(authority, &host, &port);
	if (wrong != NULL)
		return refuse(text, wrong, err);
	uint64_t number;
	if (!str_to_u64(port, &number) || number > UINT16_MAX)
		return refuse(text, "the port is not a number from 0 to 65535", err);
	if (host.len == 0 || host.len >= sizeof endpoint.host)
		return refuse(text, "the host is missing or has more than 255 bytes", err);
	for (size_t i = 0; i < host.len; i++)
		if ((unsigned char)host.ptr[i] <= ' ' || host.ptr[i] == 0x7F || host.ptr[i] == '/' ||
		    host.ptr[i] == '@')
			return refuse(text, "the host has a character that is not allowed", err);
	memcpy(endpoint.host, host.ptr, host.len);
	endpoint.port = (uint16_t)number;
	*ret_endpoint = endpoint;
	return 0;
}

int endpoint_parse(struct str text, struct endpoint *ret_endpoint, struct error *err) {
	static const struct str http = STR_INIT("http://"), https = STR_INIT("https://"), unix_path = STR_INIT("unix:");
	if (str_starts_with_nocase(text, unix_path))
		return parse_unix(text, str_from_offset(text, unix_path.len), ret_endpoint, err);
	if (str_starts_with_nocase(text, http))
		return parse_tcp(text, str_from_offset(text, http.len), false, ret_endpoint, err);
	if (str_starts_with_nocase(text, https))
		return parse_tcp(text, str_from_offset(text, https.len), true, ret_endpoint, err);
	return refuse(text, "its scheme is unknown", err);
}

void endpoint_format(const struct endpoint *endpoint, char ret_text[ENDPOINT_MAX]) {
	if (endpoint->kind == ENDPOINT_UNIX) {
		snprintf(ret_text, ENDPOINT_MAX, "unix:%s", endpoint->path);
		return;
	}
	bool brackets = strchr(endpoint->host, ':') != NULL;
	snprintf(ret_text, ENDPOINT_MAX, "%s://%s%s%s:%u", endpoint->tls ? "https" : "http", brackets ? "[" : "",
		 endpoint->host, brackets ? "]" : "", endpoint->port);
}

/* The absolute form of a relative path, without "." and ".." where its folder exists. On the heap; NULL: there is none.
 */
static char *absolute_path(const char *path) {
	char folder[PATH_MAX], parent[sizeof((struct endpoint *)NULL)->path];
	const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;
	snprintf(parent, sizeof parent, "%.*s", slash != NULL ? (int)(slash - path) : 1, slash != NULL ? path : ".");
	if (realpath(parent, folder) != NULL)
		return mem_printf("%s/%s", strcmp(folder, "/") == 0 ? "" : folder, name);
	if (getcwd(folder, sizeof folder) != NULL)
		return mem_printf("%s/%s", strcmp(folder, "/") == 0 ? "" : folder, path);
	return NULL;
}

int endpoint_make_absolute(struct endpoint *endpoint, struct error *err) {
	if (endpoint->kind != ENDPOINT_UNIX || endpoint->path[0] == '/')
		return 0;
	char *absolute = absolute_path(endpoint->path);
	if (absolute == NULL)
		return error_set_errno(err, errno, "could not find the folder in which unix:%s is", endpoint->path);
	size_t len = strlen(absolute);
	int result = 0;
	if (len < sizeof endpoint->path)
		memcpy(endpoint->path, absolute, len + 1);
	else
		result = error_set(
			err, CODE_INVALID_ARGUMENT,
			"unix:%s is %s for other processes, which has %zu bytes; the path of a socket has at most %zu: "
			"choose a shorter one",
			endpoint->path, absolute, len, sizeof endpoint->path - 1);
	free(absolute);
	return result;
}

bool endpoint_is_wildcard(const struct endpoint *endpoint) {
	struct in_addr v4;
	struct in6_addr v6;
	if (endpoint->kind != ENDPOINT_TCP)
		return false;
	if (inet_pton(AF_INET, endpoint->host, &v4) == 1)
		return v4.s_addr == htonl(INADDR_ANY);
	return inet_pton(AF_INET6, endpoint->host, &v6) == 1 && IN6_IS_ADDR_UNSPECIFIED(&v6);
}

int endpoint_check_given(const struct endpoint *endpoint, struct error *err) {
	char text[ENDPOINT_MAX];
	endpoint_format(endpoint, text);
	if (endpoint->kind == ENDPOINT_UNIX && endpoint->path[0] != '/')
		return error_set(
			err, CODE_INVALID_ARGUMENT,
			"the path of %s is relative, and this process works in another folder; give an absolute one",
			text);
	if (endpoint->kind == ENDPOINT_TCP && endpoint->port == 0)
		return error_set(err, CODE_INVALID_ARGUMENT,
				 "the endpoint %s has port 0; give the port that is listened on", text);
	if (endpoint_is_wildcard(endpoint))
		return error_set(err, CODE_INVALID_ARGUMENT,
				 "%s stands for every address of a machine; give one that can be connected to", text);
	return 0;
}

bool endpoint_is_loopback(const struct endpoint *endpoint) {
	return endpoint->kind == ENDPOINT_UNIX || strcmp(endpoint->host, "localhost") == 0 ||
	       strcmp(endpoint->host, "::1") == 0 || strncmp(endpoint->host, "127.", 4) == 0;
}
