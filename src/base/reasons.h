/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reasons of errors (struct error), all of them: what a program branches on where the code is too coarse. They are
 * part of the contract, as SDKs, pages and the command line read them: add some, never rename one. In capitals, as
 * google.rpc.ErrorInfo wants them; on the wire their domain is REASON_DOMAIN.
 */
#pragma once

#define REASON_DOMAIN "ftl.block.xyz"

/* A call. */
#define REASON_NO_SUCH_MODULE "NO_SUCH_MODULE" /* NotFound */
#define REASON_NO_SUCH_VERB "NO_SUCH_VERB" /* NotFound */
#define REASON_NOT_EXPORTED "NOT_EXPORTED" /* NotFound: the verb is there, and is not for calls from outside */
#define REASON_CALL_NOT_DECLARED "CALL_NOT_DECLARED" /* PermissionDenied: the caller's schema does not name the verb */
#define REASON_CALL_LOOP "CALL_LOOP" /* FailedPrecondition: the verb is among those that led to the call */
#define REASON_CALL_LOST "CALL_LOST" /* Unavailable: the connection broke while the verb may have run */
#define REASON_CALL_TOO_DEEP "CALL_TOO_DEEP" /* FailedPrecondition: max-call-depth */

/* A value that does not fit its type: InvalidArgument, and the error has the path to the value (error.path_len). The
 * same words and paths are promised by every SDK; tests/vectors/json_values.json has them by example. */
#define REASON_NOT_JSON "NOT_JSON" /* of the path nothing is promised: the text may break off anywhere */
#define REASON_WRONG_TYPE "WRONG_TYPE" /* another kind of JSON value: a string for an Int */
#define REASON_INVALID_VALUE "INVALID_VALUE" /* the right kind, and no value of the type: 1.5 for an Int */
#define REASON_INVALID_KEY "INVALID_KEY" /* of a map; the path is the map's */
#define REASON_UNKNOWN_VARIANT "UNKNOWN_VARIANT" /* of an enum or a sum type */
#define REASON_UNKNOWN_FIELD "UNKNOWN_FIELD" /* the path is that of the object */
#define REASON_MISSING_FIELD "MISSING_FIELD" /* the path names the field; of a sum type it is the object's */
#define REASON_DUPLICATE_KEY "DUPLICATE_KEY" /* a field or a key of a map, which the path names */

/* A module of which nothing is alive: Unavailable. */
#define REASON_STARTING "STARTING"
#define REASON_BACKING_OFF "BACKING_OFF" /* it failed, and is tried again */
#define REASON_FAILED "FAILED" /* its last deployment did not come up */
#define REASON_STOPPED "STOPPED"
#define REASON_SCALED_TO_ZERO "SCALED_TO_ZERO"
#define REASON_NO_RUNNER "NO_RUNNER" /* no Runner of its language can be had */

/* A deployment. */
#define REASON_BREAKS_CALLERS "BREAKS_CALLERS" /* FailedPrecondition: the change breaks modules that call it */
#define REASON_SCHEMA_MISFIT "SCHEMA_MISFIT" /* FailedPrecondition: it names what is not deployed */
#define REASON_NO_EARLIER_DEPLOYMENT "NO_EARLIER_DEPLOYMENT" /* FailedPrecondition: nothing to roll back to */
#define REASON_ENTRY_MISSING "ENTRY_MISSING" /* the entry is not among the artefacts */

/* A connection. */
#define REASON_TLS_FAILED "TLS_FAILED" /* the handshake: the other side may speak without TLS */
#define REASON_TLS_WANTED "TLS_WANTED" /* clear text was sent to a port that takes TLS only */
#define REASON_CERTIFICATE_NOT_TRUSTED "CERTIFICATE_NOT_TRUSTED" /* no trusted authority has signed the peer's */
#define REASON_CERTIFICATE_OTHER_NAME "CERTIFICATE_OTHER_NAME" /* the server's is for another host */
#define REASON_CERTIFICATE_EXPIRED "CERTIFICATE_EXPIRED" /* or is not valid yet */
#define REASON_CERTIFICATE_REFUSED "CERTIFICATE_REFUSED" /* the peer does not trust the one of this side */
#define REASON_CLIENT_CERTIFICATE_WANTED "CLIENT_CERTIFICATE_WANTED" /* the client has shown none */

/* A process that starts. */
#define REASON_ADDRESS_IN_USE "ADDRESS_IN_USE"
#define REASON_NOT_A_SOCKET "NOT_A_SOCKET" /* a file is where the socket would be */
#define REASON_SOCKET_PATH_TOO_LONG "SOCKET_PATH_TOO_LONG"
#define REASON_CERTIFICATE_MISSING "CERTIFICATE_MISSING" /* TLS is wanted */
#define REASON_CERTIFICATE_WITHOUT_KEY "CERTIFICATE_WITHOUT_KEY" /* or a key without its certificate */
#define REASON_DATA_FOLDER_IN_USE "DATA_FOLDER_IN_USE" /* another Backplane has it */
#define REASON_NO_SUCH_PLATFORM "NO_SUCH_PLATFORM"
#define REASON_NO_SUCH_STORE "NO_SUCH_STORE"

/* A takeover. */
#define REASON_NOTHING_TO_TAKE_OVER "NOTHING_TO_TAKE_OVER" /* no Backplane runs on the data folder */
#define REASON_TAKEOVER_OTHER_VERSION "TAKEOVER_OTHER_VERSION"
#define REASON_TAKEOVER_OTHER_ADDRESS "TAKEOVER_OTHER_ADDRESS"
#define REASON_TAKEOVER_TLS_ONLY "TAKEOVER_TLS_ONLY"

/* The store. */
#define REASON_STALE_EPOCH "STALE_EPOCH" /* FailedPrecondition: another Backplane leads by now */
