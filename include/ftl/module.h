/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A module in C: a few functions, the verbs, and one constant that names them.
 *
 *     #include <ftl/module.h>
 *
 *     static int greet(struct ftl_context *ftl) {
 *             const char *name = ftl_get_string(ftl, ftl->request, "name");
 *             if (name == NULL)
 *                     return ftl_refuse(ftl, "request.name: expected String");
 *             const char *message = ftl_format(ftl, "Hello, %s!", name);
 *             return ftl_reply(ftl, ftl_format(ftl, "{\"message\":%s}", ftl_quote(ftl, message)));
 *     }
 *
 *     FTL_MODULE("greeter", {.name = "greet", .run = greet});
 *
 * The same source is built either way:
 *   cc -shared -fPIC $FTL_CFLAGS -o greeter.so greeter.c    a shared object that the Runner loads
 *   cc $FTL_CFLAGS -o main greeter.c $FTL_LIBS              a process of its own
 * `ftl build` sets both variables. A shared object links with no library of FTL: the context brings the functions
 * below.
 *
 * A context stands for one call that is being answered. Only the thread that runs the verb may use it, and the memory
 * that it gives. That memory lives until the call is answered; nobody frees it. Several threads run verbs of one module
 * at the same time. Texts are UTF-8 and JSON is UTF-8 text; both end with a NUL and contain none.
 */
#ifndef FTL_MODULE_H
#define FTL_MODULE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of this interface: a Runner refuses a module that was built for a newer version than it knows. Version 2
 * added ftl_call_then, version 3 ftl_context.reason. */
#define FTL_MODULE_VERSION 3

/* gRPC's status codes, those that a call of another verb can end with. */
enum ftl_code {
	FTL_CANCELLED = 1, /* the caller of this call no longer waits for its answer */
	FTL_UNKNOWN = 2, /* the verb ran and failed */
	FTL_INVALID_ARGUMENT = 3,
	FTL_DEADLINE_EXCEEDED = 4,
	FTL_NOT_FOUND = 5, /* there is no such module or verb */
	FTL_PERMISSION_DENIED = 7,
	FTL_RESOURCE_EXHAUSTED = 8, /* a limit was reached; the message names it */
	FTL_FAILED_PRECONDITION = 9, /* such as a loop of calls */
	FTL_UNIMPLEMENTED = 12,
	FTL_INTERNAL = 13,
	FTL_UNAVAILABLE = 14, /* no replica of the module is alive, or the one that ran the call died */
};

enum ftl_level { FTL_DEBUG, FTL_INFO, FTL_WARN, FTL_ERROR };

struct ftl_context;

/* Continues a call when the verb that it called has answered: see ftl_call_then. Returns what a verb returns. */
typedef int ftl_continue(struct ftl_context *ftl, const char *answer, void *data);

/* The process that runs the module. Modules do not use it themselves: they call the functions below. */
struct ftl_host {
	void *(*allocate)(struct ftl_context *ftl, size_t size);
	const char *(*format)(struct ftl_context *ftl, const char *format, va_list args);
	const char *(*quote)(struct ftl_context *ftl, const char *text);
	const char *(*get_string)(struct ftl_context *ftl, const char *json, const char *name);
	const char *(*call)(struct ftl_context *ftl, const char *verb, const char *request);
	int (*reply)(struct ftl_context *ftl, const char *json);
	int (*fail)(struct ftl_context *ftl, enum ftl_code code, const char *format, va_list args);
	void (*log)(struct ftl_context *ftl, enum ftl_level level, const char *format, va_list args);
	uint64_t (*time_left_ms)(struct ftl_context *ftl);
	int (*is_cancelled)(struct ftl_context *ftl);
	/* Since version 2. */
	int (*call_then)(struct ftl_context *ftl, const char *verb, const char *request, ftl_continue *then,
			 void *data);
};

/* A call that is being answered. In start and stop of a module there is no call, only the module. */
struct ftl_context {
	const struct ftl_host *host;
	const char *module; /* its name */
	const char *verb; /* the verb's name; NULL in start and stop */
	const char *request; /* JSON; NULL in start and stop */
	size_t request_size; /* without the NUL */
	const char *request_id; /* the same for all calls that one call from outside causes; "": none */
	const char *deployment; /* the deployment's key */
	const char *working_dir; /* for scratch files: a folder that only this deployment uses, and that is removed when
				    it ends */
	/* Why the last ftl_call returned NULL. */
	enum ftl_code error_code;
	const char *error; /* "time.time: …" */
	void *user; /* for the module: each call has the value that start left here */
	/* Since version 3. Why ftl_refuse refuses, for programs: a constant in capitals such as "MISSING_FIELD", which
	 * the caller gets beside the message; NULL: the code says all. Generated code sets it. */
	const char *reason;
};

/* A promise that the verb never waits: it returns within microseconds, and calls other verbs only by ftl_call_then.
 * Such a verb runs on the thread that received the call, without a switch to another one. */
#define FTL_VERB_NONBLOCKING 1u

/* What a verb returns when it has not answered yet: see ftl_call_then. */
enum { FTL_LATER = 1 };

struct ftl_verb {
	const char *name;
	/* Answers the call. Returns 0 after ftl_reply, -1 after ftl_fail, ftl_refuse or a failed ftl_call, or what
	 * ftl_call_then returned. Its stack has 2 MiB, unless it is nonblocking. */
	int (*run)(struct ftl_context *ftl);
	unsigned flags; /* FTL_VERB_… */
};

struct ftl_module {
	uint32_t version; /* FTL_MODULE_VERSION; first in every version of this interface */
	uint32_t verb_count;
	const char *name;
	const struct ftl_verb *verbs;
	/* Runs once, before the first call. Returns 0, or -1 after ftl_fail: the module then does not come up.
	 * Optional. */
	int (*start)(struct ftl_context *ftl);
	/* Runs once, after the last call; not when the process is killed. Optional. */
	void (*stop)(struct ftl_context *ftl);
};

#define FTL_EXPORT __attribute__((visibility("default")))

/* The only symbol that a module exports. */
extern FTL_EXPORT const struct ftl_module ftl_module;

/* Defines ftl_module from the module's name and each verb as a struct ftl_verb. A module that has start or stop defines
 * the constant itself. */
#define FTL_MODULE(module_name, ...) \
	static const struct ftl_verb ftl_module_verbs[] = {__VA_ARGS__}; \
	const struct ftl_module ftl_module = { \
		.version = FTL_MODULE_VERSION, \
		.verb_count = sizeof ftl_module_verbs / sizeof ftl_module_verbs[0], \
		.name = (module_name), \
		.verbs = ftl_module_verbs, \
	}

/* --- answering ---------------------------------------------------------------------------------------------------- */

/* Answers with json, which is copied; at most 64 MiB (max-message). The last answer counts. Returns 0. Returns -1 when
 * json is NULL, as the functions below return it when the call's memory is used up, or too large: the caller then gets
 * ResourceExhausted. */
static inline int ftl_reply(struct ftl_context *ftl, const char *json) {
	return ftl->host->reply(ftl, json);
}

/* Fails the call: the caller gets CallResponse.error with the message. Returns -1. */
__attribute__((format(printf, 2, 3))) static inline int ftl_fail(struct ftl_context *ftl, const char *format, ...) {
	va_list args;
	va_start(args, format);
	int result = ftl->host->fail(ftl, FTL_UNKNOWN, format, args);
	va_end(args);
	return result;
}

/* Refuses a request that the verb does not accept: the caller gets InvalidArgument and the message, which should name
 * the field ("request.name: expected String"). Returns -1. */
__attribute__((format(printf, 2, 3))) static inline int ftl_refuse(struct ftl_context *ftl, const char *format, ...) {
	va_list args;
	va_start(args, format);
	int result = ftl->host->fail(ftl, FTL_INVALID_ARGUMENT, format, args);
	va_end(args);
	return result;
}

/* --- other verbs -------------------------------------------------------------------------------------------------- */

/* Calls "module.verb" with a JSON request, and waits for the answer, which is JSON too. The call has the trace and the
 * deadline of this one, and is cancelled with it. Returns NULL when it failed: ftl->error_code and ftl->error tell why,
 * and a verb that then returns -1 fails with that error. In a verb that is FTL_VERB_NONBLOCKING it always fails, with
 * FailedPrecondition: such a verb uses ftl_call_then. */
static inline const char *ftl_call(struct ftl_context *ftl, const char *verb, const char *request) {
	return ftl->host->call(ftl, verb, request);
}

/* Calls without waiting, as the last thing that a verb does: `return ftl_call_then(…)`. When the answer is there,
 * `then` runs in place of the verb, with what ftl_call would have returned, and data; it may end with ftl_call_then
 * again. The memory of the call lives until the last of these functions has returned. In a verb that may wait, this
 * waits. */
static inline int ftl_call_then(struct ftl_context *ftl, const char *verb, const char *request, ftl_continue *then,
				void *data) {
	return ftl->host->call_then(ftl, verb, request, then, data);
}

/* --- memory and text ---------------------------------------------------------------------------------------------- */

/* size bytes of zeroed memory, aligned for any type, until the call is answered. Returns NULL when the call has used up
 * its memory (256 MiB, max-call-memory). */
static inline void *ftl_alloc(struct ftl_context *ftl, size_t size) {
	return ftl->host->allocate(ftl, size);
}

/* printf into memory of the call. Returns NULL when that is used up. */
__attribute__((format(printf, 2, 3))) static inline const char *ftl_format(struct ftl_context *ftl, const char *format,
									   ...) {
	va_list args;
	va_start(args, format);
	const char *text = ftl->host->format(ftl, format, args);
	va_end(args);
	return text;
}

/* Any text as a JSON string, with its quotes; bytes that are not UTF-8 become U+FFFD. Returns NULL when the memory of
 * the call is used up. */
static inline const char *ftl_quote(struct ftl_context *ftl, const char *text) {
	return ftl->host->quote(ftl, text);
}

/* The string field `name` of a JSON object, without quotes and escapes. Returns NULL when json is not an object, or has
 * no such field, or it is not a string. Reads all of json each time: for more than a field or two use a JSON library.
 */
static inline const char *ftl_get_string(struct ftl_context *ftl, const char *json, const char *name) {
	return ftl->host->get_string(ftl, json, name);
}

/* --- the call's surroundings -------------------------------------------------------------------------------------- */

/* Writes a line to the module's log, with the verb and the request ID. Lines that the module prints go there too: from
 * its standard output with level info, from its standard error with level warn. */
__attribute__((format(printf, 3, 4))) static inline void ftl_log(struct ftl_context *ftl, enum ftl_level level,
								 const char *format, ...) {
	va_list args;
	va_start(args, format);
	(ftl->host->log)(ftl, level, format, args); /* <tgmath.h> makes log(…) a macro */
	va_end(args);
}

/* Milliseconds until the deadline of the call; UINT64_MAX: it has none. */
static inline uint64_t ftl_time_left_ms(struct ftl_context *ftl) {
	return ftl->host->time_left_ms(ftl);
}

/* Whether the caller no longer waits for the answer. A verb that works for long asks now and then, and returns. */
static inline int ftl_is_cancelled(struct ftl_context *ftl) {
	return ftl->host->is_cancelled(ftl);
}

#ifdef __cplusplus
}
#endif

#endif
