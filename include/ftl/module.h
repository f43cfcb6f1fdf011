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
 * `ftl build` sets both variables. A shared object links with nothing of FTL: what the functions below do comes
 * with the context.
 *
 * A context is one call that is being answered. It belongs to the thread that the verb runs in, as does all memory that
 * it gives: it is there until the call is answered, and is never freed by hand. Verbs of one module run at the same
 * time in several threads. Texts are UTF-8, JSON is UTF-8 text, both terminated by a NUL and without one inside.
 */
#ifndef FTL_MODULE_H
#define FTL_MODULE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of this interface. A Runner refuses a module that was built for one that it does not know.
 * 2: ftl_call_then. 3: ftl_context.reason. */
#define FTL_MODULE_VERSION 3

/* gRPC's status codes, as far as a call of another verb ends with them. */
enum ftl_code {
	FTL_CANCELLED = 1, /* nobody waits for the answer of this call any more */
	FTL_UNKNOWN = 2, /* the verb ran and failed */
	FTL_INVALID_ARGUMENT = 3,
	FTL_DEADLINE_EXCEEDED = 4,
	FTL_NOT_FOUND = 5, /* no such module or verb */
	FTL_PERMISSION_DENIED = 7,
	FTL_RESOURCE_EXHAUSTED = 8, /* something is full or too large; the message names the limit */
	FTL_FAILED_PRECONDITION = 9, /* a loop of calls */
	FTL_UNIMPLEMENTED = 12,
	FTL_INTERNAL = 13,
	FTL_UNAVAILABLE = 14, /* nothing of the module is alive, or it died during the call */
};

enum ftl_level { FTL_DEBUG, FTL_INFO, FTL_WARN, FTL_ERROR };

struct ftl_context;

/* What goes on with a call when the verb that it called has answered: see ftl_call_then. Returns as a verb does. */
typedef int ftl_continue(struct ftl_context *ftl, const char *answer, void *data);

/* Who runs the module. Not for modules to look into: call the functions below. */
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

/* A call that is being answered; in start and stop of a module, the module itself. */
struct ftl_context {
	const struct ftl_host *host;
	const char *module; /* its name */
	const char *verb; /* the verb's name; NULL in start and stop */
	const char *request; /* JSON; NULL in start and stop */
	size_t request_size; /* without the NUL */
	const char *request_id; /* the same for all calls that one outside call causes; "" without one */
	const char *deployment; /* the deployment's key */
	const char *working_dir; /* a folder of this deployment's own, for scratch files; it goes with the deployment */
	/* Why the last ftl_call gave NULL. */
	enum ftl_code error_code;
	const char *error; /* "time.time: …" */
	void *user; /* the author's own: what start puts here, every call finds */
	/* Since version 3. Why ftl_refuse refuses, for programs: a constant in capitals such as "MISSING_FIELD", which
	 * the caller gets beside the message; NULL: the code says all. Generated code sets it. */
	const char *reason;
};

/* The verb never waits: it returns within microseconds, and calls other verbs by ftl_call_then alone. It then runs
 * without a change of thread. */
#define FTL_VERB_NONBLOCKING 1u

/* What a verb returns that has not answered yet: see ftl_call_then. */
enum { FTL_LATER = 1 };

struct ftl_verb {
	const char *name;
	/* Answers the call: 0 after ftl_reply, -1 after ftl_fail, ftl_refuse or a failed ftl_call, or what
	 * ftl_call_then returned. Its stack is 2 MiB, unless it is nonblocking. */
	int (*run)(struct ftl_context *ftl);
	unsigned flags; /* FTL_VERB_… */
};

struct ftl_module {
	uint32_t version; /* FTL_MODULE_VERSION; first in every version of this interface */
	uint32_t verb_count;
	const char *name;
	const struct ftl_verb *verbs;
	/* Runs once before the first call; -1 after ftl_fail keeps the module from coming up. Optional. */
	int (*start)(struct ftl_context *ftl);
	/* Runs once after the last call. Not when the process is killed. Optional. */
	void (*stop)(struct ftl_context *ftl);
};

#define FTL_EXPORT __attribute__((visibility("default")))

/* The one thing that a module exports. */
extern FTL_EXPORT const struct ftl_module ftl_module;

/* Defines ftl_module: the name, then each verb as a struct ftl_verb. A module with start or stop writes the constant
 * out instead. */
#define FTL_MODULE(module_name, ...) \
	static const struct ftl_verb ftl_module_verbs[] = {__VA_ARGS__}; \
	const struct ftl_module ftl_module = { \
		.version = FTL_MODULE_VERSION, \
		.verb_count = sizeof ftl_module_verbs / sizeof ftl_module_verbs[0], \
		.name = (module_name), \
		.verbs = ftl_module_verbs, \
	}

/* --- answering ---------------------------------------------------------------------------------------------------- */

/* Answers with json, which is copied. The last answer counts. NULL, which the functions below give when the call's
 * memory is used up, is a failure that says so. Returns 0, or -1. */
static inline int ftl_reply(struct ftl_context *ftl, const char *json) {
	return ftl->host->reply(ftl, json);
}

/* The verb failed: the caller gets the message. Returns -1. */
__attribute__((format(printf, 2, 3))) static inline int ftl_fail(struct ftl_context *ftl, const char *format, ...) {
	va_list args;
	va_start(args, format);
	int result = ftl->host->fail(ftl, FTL_UNKNOWN, format, args);
	va_end(args);
	return result;
}

/* The request is none that the verb takes: the caller gets InvalidArgument and the message, which names the field
 * ("request.name: expected String"). Returns -1. */
__attribute__((format(printf, 2, 3))) static inline int ftl_refuse(struct ftl_context *ftl, const char *format, ...) {
	va_list args;
	va_start(args, format);
	int result = ftl->host->fail(ftl, FTL_INVALID_ARGUMENT, format, args);
	va_end(args);
	return result;
}

/* --- other verbs -------------------------------------------------------------------------------------------------- */

/* Calls "module.verb" with a JSON request and waits for its answer, JSON as well. The call carries on the trace and the
 * time that is left of this one, and ends when this one is cancelled. NULL: it failed; ftl->error_code and ftl->error
 * tell why, and a verb that then returns -1 fails with that error. Verbs that are FTL_VERB_NONBLOCKING cannot wait:
 * it fails there, and ftl_call_then is for them. */
static inline const char *ftl_call(struct ftl_context *ftl, const char *verb, const char *request) {
	return ftl->host->call(ftl, verb, request);
}

/* The same without waiting, as the last thing that a verb does: `return ftl_call_then(…)`. When the answer is there,
 * `then` goes on in the place of the verb, with what ftl_call would have given, and data; it may call on in the same
 * way. The memory of the call stays until the last of them has returned. Where a verb may wait, this waits. */
static inline int ftl_call_then(struct ftl_context *ftl, const char *verb, const char *request, ftl_continue *then,
				void *data) {
	return ftl->host->call_then(ftl, verb, request, then, data);
}

/* --- memory and text ---------------------------------------------------------------------------------------------- */

/* Zeroed memory, aligned for anything, until the call is answered. NULL: the call has used up its memory (256 MiB). */
static inline void *ftl_alloc(struct ftl_context *ftl, size_t size) {
	return ftl->host->allocate(ftl, size);
}

/* printf into memory of the call. */
__attribute__((format(printf, 2, 3))) static inline const char *ftl_format(struct ftl_context *ftl, const char *format,
									   ...) {
	va_list args;
	va_start(args, format);
	const char *text = ftl->host->format(ftl, format, args);
	va_end(args);
	return text;
}

/* text as a JSON string with its quotes, whatever is in it; what is no UTF-8 becomes U+FFFD. */
static inline const char *ftl_quote(struct ftl_context *ftl, const char *text) {
	return ftl->host->quote(ftl, text);
}

/* The string field `name` of a JSON object, without quotes and escapes. NULL: there is none, or it is not a string, or
 * json is not an object. It reads all of json each time; for more than a field or two use a JSON library. */
static inline const char *ftl_get_string(struct ftl_context *ftl, const char *json, const char *name) {
	return ftl->host->get_string(ftl, json, name);
}

/* --- the call's surroundings -------------------------------------------------------------------------------------- */

/* A line in the module's log, with the verb and the request ID. Lines that the module prints are there as well: as info
 * from its standard output, as warn from its standard error. */
__attribute__((format(printf, 3, 4))) static inline void ftl_log(struct ftl_context *ftl, enum ftl_level level,
								 const char *format, ...) {
	va_list args;
	va_start(args, format);
	ftl->host->log(ftl, level, format, args);
	va_end(args);
}

/* Milliseconds until the caller stops waiting; UINT64_MAX: it waits for as long as it takes. */
static inline uint64_t ftl_time_left_ms(struct ftl_context *ftl) {
	return ftl->host->time_left_ms(ftl);
}

/* Nobody waits for the answer any more: a verb that works for long looks here now and then, and returns. */
static inline int ftl_is_cancelled(struct ftl_context *ftl) {
	return ftl->host->is_cancelled(ftl);
}

#ifdef __cplusplus
}
#endif

#endif
