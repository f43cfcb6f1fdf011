/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parses a request of 1 KiB into structs and prints it as JSON again, with generated code and with handwritten code on
 * jansson. Both check types and required fields.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ftl/module.h"
#include "order.ftl.h"

enum { ROUNDS = 100000, MEMORY = 1 << 16 };

static const char request[] =
	"{\"id\":81230000000000017,\"customer\":{\"name\":\"Ada Lovelace\",\"email\":\"ada@example.org\",\"city\":\"London\","
	"\"since\":\"2019-05-06T07:08:09Z\"},\"currency\":\"EUR\",\"express\":true,\"lines\":["
	"{\"sku\":\"mug-0017\",\"name\":\"A mug with a blue rim and a long handle\",\"count\":2,\"price\":8.5,\"tags\":[\"kitchen\","
	"\"blue\",\"stoneware\"]},"
	"{\"sku\":\"pot-0003\",\"name\":\"A tea pot for four, with its lid\",\"count\":1,\"price\":29.95,\"tags\":[\"kitchen\","
	"\"white\"]},"
	"{\"sku\":\"tea-1102\",\"name\":\"Darjeeling, first flush, 250 g\",\"count\":3,\"price\":14.2,\"tags\":[\"tea\",\"organic\","
	"\"loose\"]},"
	"{\"sku\":\"spoon-11\",\"name\":\"A spoon of silver, polished\",\"count\":4,\"price\":4.75,\"tags\":[\"kitchen\",\"gift\"]},"
	"{\"sku\":\"book-904\",\"name\":\"The Book of Tea (cloth, second edition)\",\"count\":1,\"price\":18,\"tags\":[\"book\",\"gift\","
	"\"paper\"]}],\"note\":\"Please ring at the neighbour's, the bell is \\\"broken\\\" since Monday.\\nThe "
	"gate is open from eight to noon; after that, leave it with the baker at the corner, who knows about it and is "
	"there until six. Thank you!\"}";

/* --- memory that is freed after each round ------------------------------------------------------------------------ */

struct memory {
	struct ftl_context context; /* first */
	char *bytes;
	size_t used;
	const char *reply;
};

static void *allocate(struct ftl_context *ftl, size_t size) {
	struct memory *memory = (struct memory *)(void *)ftl;
	size = (size + 15) & ~(size_t)15;
	if (size > MEMORY - memory->used)
		return NULL;
	void *result = memory->bytes + memory->used;
	memory->used += size;
	return memset(result, 0, size);
}

static int reply(struct ftl_context *ftl, const char *json) {
	((struct memory *)(void *)ftl)->reply = json;
	return json ? 0 : -1;
}

static int fail(struct ftl_context *ftl, enum ftl_code code, const char *format, va_list args) {
	(void)ftl;
	(void)code;
	vfprintf(stderr, format, args);
	return -1;
}

static const struct ftl_host host = {.allocate = allocate, .reply = reply, .fail = fail};

/* --- generated ---------------------------------------------------------------------------------------------------- */

int order_echo(struct ftl_context *ftl, const struct order_Order *order, struct order_Order *response) {
	(void)ftl;
	*response = *order;
	return 0;
}

static const char *by_table(struct memory *memory) {
	memory->used = 0;
	return ftl_module.verbs[0].run(&memory->context) == 0 ? memory->reply : NULL;
}

/* --- by hand ------------------------------------------------------------------------------------------------------ */

static bool take_text(struct memory *memory, const json_t *object, const char *name, bool optional, const char **text) {
	const json_t *field = json_object_get(object, name);
	if (optional && (field == NULL || json_is_null(field)))
		return true;
	if (!json_is_string(field))
		return false;
	size_t size = json_string_length(field) + 1;
	char *copy = allocate(&memory->context, size);
	if (copy == NULL)
		return false;
	*text = memcpy(copy, json_string_value(field), size);
	return true;
}

static bool take_line(struct memory *memory, const json_t *object, struct order_Line *line) {
	const json_t *count = json_object_get(object, "count"), *price = json_object_get(object, "price");
	const json_t *tags = json_object_get(object, "tags");
	if (!take_text(memory, object, "sku", false, &line->sku) ||
	    !take_text(memory, object, "name", false, &line->name) || !json_is_integer(count) ||
	    !json_is_number(price) || !json_is_array(tags) || json_object_size(object) != 5)
		return false;
	line->count = json_integer_value(count);
	line->price = json_number_value(price);
	line->tags.count = json_array_size(tags);
	line->tags.items = allocate(&memory->context, line->tags.count * sizeof *line->tags.items);
	for (size_t i = 0; i < line->tags.count; i++) {
		const json_t *tag = json_array_get(tags, i);
		if (!json_is_string(tag))
			return false;
		char *copy = allocate(&memory->context, json_string_length(tag) + 1);
		line->tags.items[i] = strcpy(copy, json_string_value(tag));
	}
	return true;
}

static bool take_time(struct memory *memory, const json_t *object, const char *name, struct ftl_time *at) {
	const char *text = "";
	struct tm tm = {0};
	if (!take_text(memory, object, name, false, &text) || strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm) == NULL)
		return false;
	at->seconds = timegm(&tm);
	return true;
}

static bool take_order(struct memory *memory, const json_t *object, struct order_Order *order) {
	const json_t *id = json_object_get(object, "id"), *express = json_object_get(object, "express");
	const json_t *customer = json_object_get(object, "customer"), *lines = json_object_get(object, "lines");
	const char *currency = json_string_value(json_object_get(object, "currency"));
	if (!json_is_integer(id) || !json_is_boolean(express) || !json_is_object(customer) || !json_is_array(lines) ||
	    currency == NULL || json_object_size(object) > 6)
		return false;
	order->id = json_integer_value(id);
	order->express = json_is_true(express);
	order->currency = strcmp(currency, "EUR") == 0 ? order_Currency_Euro : order_Currency_Dollar;
	order->lines.count = json_array_size(lines);
	order->lines.items = allocate(&memory->context, order->lines.count * sizeof *order->lines.items);
	for (size_t i = 0; i < order->lines.count; i++)
		if (!take_line(memory, json_array_get(lines, i), &order->lines.items[i]))
			return false;
	return take_text(memory, customer, "name", false, &order->customer.name) &&
	       take_text(memory, customer, "email", false, &order->customer.email) &&
	       take_text(memory, customer, "city", true, &order->customer.city) &&
	       take_time(memory, customer, "since", &order->customer.since) &&
	       take_text(memory, object, "note", true, &order->note);
}

static json_t *give_line(const struct order_Line *line) {
	json_t *tags = json_array();
	for (size_t i = 0; i < line->tags.count; i++)
		json_array_append_new(tags, json_string(line->tags.items[i]));
	json_t *object = json_object();
	json_object_set_new(object, "sku", json_string(line->sku));
	json_object_set_new(object, "name", json_string(line->name));
	json_object_set_new(object, "count", json_integer(line->count));
	json_object_set_new(object, "price", json_real(line->price));
	json_object_set_new(object, "tags", tags);
	return object;
}

static json_t *give_order(const struct order_Order *order) {
	char since[40];
	time_t seconds = order->customer.since.seconds;
	struct tm tm;
	strftime(since, sizeof since, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &tm));
	json_t *customer = json_object(), *lines = json_array(), *object = json_object();
	json_object_set_new(customer, "name", json_string(order->customer.name));
	json_object_set_new(customer, "email", json_string(order->customer.email));
	if (order->customer.city != NULL)
		json_object_set_new(customer, "city", json_string(order->customer.city));
	json_object_set_new(customer, "since", json_string(since));
	for (size_t i = 0; i < order->lines.count; i++)
		json_array_append_new(lines, give_line(&order->lines.items[i]));
	json_object_set_new(object, "id", json_integer(order->id));
	json_object_set_new(object, "customer", customer);
	json_object_set_new(object, "currency", json_string(order->currency == order_Currency_Euro ? "EUR" : "USD"));
	json_object_set_new(object, "express", json_boolean(order->express));
	json_object_set_new(object, "lines", lines);
	if (order->note != NULL)
		json_object_set_new(object, "note", json_string(order->note));
	return object;
}

static const char *by_hand(struct memory *memory) {
	struct order_Order order = {0};
	memory->used = 0;
	json_t *tree = json_loadb(request, sizeof request - 1, JSON_REJECT_DUPLICATES, NULL);
	bool taken = tree != NULL && take_order(memory, tree, &order);
	json_decref(tree);
	if (!taken)
		return NULL;
	tree = give_order(&order);
	char *text = json_dumps(tree, JSON_COMPACT);
	json_decref(tree);
	free((char *)memory->reply);
	return memory->reply = text;
}

/* --- measuring ---------------------------------------------------------------------------------------------------- */

static double now_ns(void) {
	struct timespec now;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static double measure(const char *(*round)(struct memory *memory), struct memory *memory) {
	double best = 1e18;
	for (int try = 0; try < 5; try++) {
		double start = now_ns();
		for (int i = 0; i < ROUNDS / 5; i++)
			if (round(memory) == NULL)
				abort();
		double took = (now_ns() - start) / (ROUNDS / 5);
		best = took < best ? took : best;
	}
	return best;
}

int main(void) {
	struct memory table = {.bytes = malloc(MEMORY)}, hand = {.bytes = malloc(MEMORY)};
	table.context = (struct ftl_context){.host = &host,
					     .module = "order",
					     .verb = "echo",
					     .request = request,
					     .request_size = sizeof request - 1};
	double generated = measure(by_table, &table), jansson = measure(by_hand, &hand);
	bool same = strcmp(table.reply, request) == 0;
	printf("%zu bytes, decode and encode, CPU time: generated %.2f us, jansson by hand %.2f us: %.1f times%s\n",
	       sizeof request - 1, generated / 1000, jansson / 1000, jansson / generated,
	       same ? "" : "; WRONG: not the same came back");
	free(table.bytes);
	free(hand.bytes);
	free((char *)hand.reply);
	return !same;
}
