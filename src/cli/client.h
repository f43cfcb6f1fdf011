/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls for plain blocking code: each function runs the client's own loop until what it is asked for is there.
 *
 * The first SIGINT while a client is open ends what it waits for with Cancelled; a second one ends the process.
 */
#pragma once

#include "base/list.h"
#include "pb/pb.h"

struct client;
struct client_stream;

/* ca: a PEM file of whom to trust when the endpoint is https://; NULL: the system's authorities. */
int client_open(const char *endpoint, const char *ca, struct client **ret_client, struct error *err);
void client_close(struct client *client); /* takes NULL */

/* As it was given to client_open. */
const char *client_endpoint(const struct client *client);

/* SIGINT came. Once it did, every function fails with Cancelled. */
bool client_is_interrupted(const struct client *client);

/* Waits. -1: SIGINT came. */
int client_sleep(struct client *client, uint64_t ms, struct error *err);

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

/* Cancels what is not over. Takes NULL. To be called before client_close. */
void client_stream_free(struct client_stream *stream);

/* Returns once most of what was sent is on its way. When the peer ended the call early, client_receive tells why, and
 * sending is no error: what is sent then is dropped. */
int client_send(struct client_stream *stream, const ProtobufCMessage *message, struct error *err);

/* The peer ended the call; there is no use in sending more. */
bool client_is_over(const struct client_stream *stream);

/* Sends no more messages. */
void client_half_close(struct client_stream *stream);

/* The next message, valid until the next one is received or the stream is freed; NULL: the call ended with OK. */
int client_receive(struct client_stream *stream, const ProtobufCMessage **ret_message, struct error *err);

/* A header or trailer of the response, once something was received; the empty view: it has none such. */
struct str client_header(const struct client_stream *stream, const char *name);
