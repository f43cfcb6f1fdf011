/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocking RPC calls: each function runs the client's own loop until its result is there.
 *
 * The first SIGINT while a client is open cancels the function that waits (Cancelled); a second one ends the process.
 */
#pragma once

#include "base/list.h"
#include "pb/pb.h"

struct client;
struct client_stream;
struct tls_options;

/* trust: for an endpoint at https://; copied. */
int client_open(const char *endpoint, const struct tls_options *trust, struct client **ret_client, struct error *err);
void client_close(struct client *client); /* takes NULL */

/* The text that client_open was given. */
const char *client_endpoint(const struct client *client);

/* Whether SIGINT came. From then on every function fails with Cancelled. */
bool client_is_interrupted(const struct client *client);

/* Sleeps for ms. Returns -1 (Cancelled) when SIGINT came. */
int client_sleep(struct client *client, uint64_t ms, struct error *err);

/* Waits until fd, such as a terminal, can be read without waiting. Returns -1 (Cancelled) when SIGINT came. */
int client_wait_readable(struct client *client, int fd, struct error *err);

/* --- a call with one request and one response --------------------------------------------------------------------- */

struct client_call {
	const char *path; /* "/package.Service/Method" */
	const ProtobufCMessageDescriptor *response;
	uint64_t timeout_ms; /* 0: none */
};

/* The response is in arena. */
int client_unary(struct client *client, const struct client_call *call, const ProtobufCMessage *request,
		 struct arena *arena, const ProtobufCMessage **ret_response, struct error *err);

/* --- a call with any number of messages either way ---------------------------------------------------------------- */

struct client_stream *client_start(struct client *client, const struct client_call *call);

/* Cancels the call if it has not ended. Takes NULL. Streams are freed before their client is closed. */
void client_stream_free(struct client_stream *stream);

/* Returns once all but 256 KiB of what was written has left. A message for a call that the peer has ended is dropped
 * without an error; client_receive then tells why the call ended. */
int client_send(struct client_stream *stream, const ProtobufCMessage *message, struct error *err);

/* Whether the peer has ended the call, so that sending more is useless. */
bool client_is_over(const struct client_stream *stream);

/* Sends no more messages. */
void client_half_close(struct client_stream *stream);

/* The next message, valid until the next one is received or the stream is freed; NULL: the call ended with OK. */
int client_receive(struct client_stream *stream, const ProtobufCMessage **ret_message, struct error *err);

/* A header or trailer of the response, after client_receive; an empty view when there is none of that name. */
struct str client_header(const struct client_stream *stream, const char *name);
