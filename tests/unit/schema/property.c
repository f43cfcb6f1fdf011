/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What holds for every schema, shown on random ones. A failure prints its seed; FTL_TEST_SEED runs that one alone, and
 * FTL_TEST_ROUNDS other than the usual number.
 */
#include "schema_test.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/random.h"
#include "schema.pb-c.h"
#include "schema/compare.h"
#include "schema/json_check.h"
#include "schema/openapi.h"

struct maker {
	struct world *world;
	uint64_t state;
	struct schema_module *module;
	size_t index; /* of the declaration being made */
	bool within_arg; /* where its type parameters are not to be used */
	struct buf value;
};

static size_t below(struct maker *maker, size_t count) {
	return (size_t)(random_next(&maker->state) % count);
}

static bool maybe(struct maker *maker) {
	return below(maker, 2) == 0;
}

static void *room(struct maker *maker, size_t count, size_t size) {
	void *memory = arena_alloc(&maker->world->arena, count * size + 1);
	memset(memory, 0, count * size + 1);
	return memory;
}

static const char *any_text(struct maker *maker) {
	static const char *const pieces[] = {
		"a",    "Z",      "0",  " ",        "  ",
		"\"",   "\\",     "\n", "\t",       "//",
		"+",    "{",      "}",  "\xC3\xBC", "\xF0\x9F\x9A\x80",
		"\x01", "\x7F",   ".",  ",",        "'",
		"?",    "module", "\r", "/x/{id}",
	};
	char text[128] = "";
	for (size_t i = below(maker, 8); i > 0; i--)
		strcat(text, pieces[below(maker, ARRAY_LEN(pieces))]);
	return arena_strdup(&maker->world->arena, str_from(text));
}

static const char *comment_text(struct maker *maker) {
	static const char *const lines[] = {"",      "Plain words.", "  indented", "// slashes", "gr\xC3\xBC\xC3\x9F",
					    "\ttab", "+x {"};
	return lines[below(maker, ARRAY_LEN(lines))];
}

static void make_comments(struct maker *maker, struct schema_comments *comments) {
	comments->count = maybe(maker) ? 0 : below(maker, 4);
	comments->lines = room(maker, comments->count, sizeof *comments->lines);
	for (size_t i = 0; i < comments->count; i++)
		comments->lines[i] = comment_text(maker);
}

static struct schema_ref make_verb_ref(struct maker *maker) {
	const struct schema_decl *verb = schema_next_verb(maker->module, NULL);
	if (verb != NULL && maybe(maker))
		return (struct schema_ref){.module = maker->module->name, .name = verb->name};
	return (struct schema_ref){.module = "other", .name = "verb"};
}

static void make_metadata(struct maker *maker, struct schema_metadata_list *list, bool of_verb) {
	list->count = maybe(maker) ? 0 : below(maker, 3);
	list->items = room(maker, list->count, sizeof *list->items);
	for (size_t i = 0; i < list->count; i++) {
		struct schema_metadata *item = &list->items[i];
		if (of_verb && maybe(maker)) {
			item->name = "calls";
			item->call_count = 1 + below(maker, 3);
			item->calls = room(maker, item->call_count, sizeof *item->calls);
			for (size_t j = 0; j < item->call_count; j++)
				item->calls[j] = make_verb_ref(maker);
			continue;
		}
		item->name = maybe(maker) ? "ingress" : "verb";
		item->arg_count = below(maker, 4);
		item->args = room(maker, item->arg_count, sizeof *item->args);
		for (size_t j = 0; j < item->arg_count; j++)
			item->args[j] = any_text(maker);
	}
}

static struct schema_type make_type(struct maker *maker, size_t depth, bool strict);

static struct schema_type *new_type(struct maker *maker, size_t depth, bool strict) {
	struct schema_type *type = room(maker, 1, sizeof *type);
	*type = make_type(maker, depth + 1, strict);
	return type;
}

static bool has_params(const struct schema_decl *decl) {
	return decl->kind == SCHEMA_DATA && decl->data.param_count > 0;
}

static struct schema_type make_param(struct maker *maker, const struct schema_decl *decl) {
	size_t index = below(maker, decl->data.param_count);
	return (struct schema_type){.kind = SCHEMA_REF, .ref = {.module = "", .name = decl->data.params[index].name}};
}

/* A type argument is a type parameter as it is, or has none in it, so that no generic data grows without end. */
static struct schema_type make_arg(struct maker *maker, size_t depth, bool strict) {
	const struct schema_decl *decl = &maker->module->decls[maker->index];
	bool was_within = maker->within_arg;
	if (has_params(decl) && !was_within && maybe(maker))
		return make_param(maker, decl);
	maker->within_arg = true;
	struct schema_type arg = make_type(maker, depth + 1, strict);
	maker->within_arg = was_within;
	return arg;
}

/* What a value must contain is declared before, so that values end; an alias names only what is before it. */
static struct schema_type make_ref(struct maker *maker, size_t depth, bool strict) {
	const struct schema_decl *from = &maker->module->decls[maker->index];
	size_t limit = strict || from->kind == SCHEMA_ALIAS ? maker->index : maker->module->decl_count;
	if (has_params(from) && !maker->within_arg && maybe(maker))
		return make_param(maker, from);
	if (limit == 0 || below(maker, 5) == 0)
		return (struct schema_type){.kind = SCHEMA_REF, .ref = {.module = "other", .name = "Thing"}};
	const struct schema_decl *decl = &maker->module->decls[below(maker, limit)];
	if (decl->kind == SCHEMA_VERB || (decl->kind == SCHEMA_ALIAS && decl > from))
		return (struct schema_type){.kind = SCHEMA_STRING};
	struct schema_type type = {.kind = SCHEMA_REF, .ref = {.module = maker->module->name, .name = decl->name}};
	type.arg_count = decl->kind == SCHEMA_DATA ? decl->data.param_count : 0;
	type.args = room(maker, type.arg_count, sizeof *type.args);
	for (size_t i = 0; i < type.arg_count; i++)
		type.args[i] = make_arg(maker, depth, strict);
	return type;
}

static struct schema_type make_key(struct maker *maker) {
	const struct schema_decl *decl = &maker->module->decls[below(maker, maker->module->decl_count)];
	if (decl->kind == SCHEMA_ENUM)
		return (struct schema_type){.kind = SCHEMA_REF,
					    .ref = {.module = maker->module->name, .name = decl->name}};
	return (struct schema_type){.kind = maybe(maker) ? SCHEMA_STRING : SCHEMA_INT};
}

static struct schema_type make_type(struct maker *maker, size_t depth, bool strict) {
	struct schema_type type = {.kind = (enum schema_type_kind)below(maker, SCHEMA_VERB_REF + 1)};
	if (depth > 4 && type.kind > SCHEMA_UNIT && type.kind != SCHEMA_VERB_REF)
		type.kind = SCHEMA_BOOL;
	if (type.kind == SCHEMA_REF)
		return make_ref(maker, depth, strict);
	if (type.kind == SCHEMA_VERB_REF)
		type.ref = make_verb_ref(maker);
	if (type.kind == SCHEMA_MAP) {
		type.key = room(maker, 1, sizeof *type.key);
		*type.key = make_key(maker);
	}
	if (type.kind == SCHEMA_OPTIONAL || type.kind == SCHEMA_ARRAY || type.kind == SCHEMA_MAP)
		type.element = new_type(maker, depth, false);
	/* An optional of an optional is none, and an alias may be one. */
	const struct schema_type *inner = type.kind == SCHEMA_OPTIONAL ? type.element : NULL;
	const struct schema_decl *decl =
		inner && inner->kind == SCHEMA_REF ? schema_find_decl(maker->module, inner->ref.name) : NULL;
	if (inner != NULL && (inner->kind == SCHEMA_OPTIONAL || (decl != NULL && decl->kind == SCHEMA_ALIAS)))
		return *type.element;
	return type;
}

static void make_fields(struct maker *maker, struct schema_decl *decl) {
	decl->data.field_count = below(maker, 6);
	decl->data.fields = room(maker, decl->data.field_count, sizeof *decl->data.fields);
	for (size_t i = 0; i < decl->data.field_count; i++) {
		struct schema_field *field = &decl->data.fields[i];
		field->name = arena_printf(&maker->world->arena, "%s%zu", maybe(maker) ? "data" : "f_", i);
		make_comments(maker, &field->comments);
		field->type = make_type(maker, 0, true);
		make_metadata(maker, &field->metadata, false);
	}
}

static void make_variants(struct maker *maker, struct schema_decl *decl) {
	decl->enumeration.of_int = maybe(maker);
	decl->enumeration.variant_count = 1 + below(maker, 4);
	decl->enumeration.variants = room(maker, decl->enumeration.variant_count, sizeof *decl->enumeration.variants);
	for (size_t i = 0; i < decl->enumeration.variant_count; i++) {
		struct schema_variant *variant = &decl->enumeration.variants[i];
		variant->name = arena_printf(&maker->world->arena, "V%zu", i);
		make_comments(maker, &variant->comments);
		if (decl->kind == SCHEMA_SUM)
			variant->type = new_type(maker, 0, true);
		else if (decl->enumeration.of_int)
			variant->number =
				(int64_t)((random_next(&maker->state) >> below(maker, 64)) * 8 + i) * (maybe(maker) ? 1 : -1);
		else
			variant->text = arena_printf(&maker->world->arena, "%s%zu", any_text(maker), i);
	}
	/* Values that are there twice are an error. */
	for (size_t i = 0; decl->kind == SCHEMA_ENUM && decl->enumeration.of_int && i < decl->enumeration.variant_count;
	     i++)
		for (size_t j = 0; j < i; j++)
			if (decl->enumeration.variants[i].number == decl->enumeration.variants[j].number)
				decl->enumeration.variant_count = i;
}

static void make_decl(struct maker *maker, struct schema_decl *decl) {
	decl->exported = maybe(maker);
	make_comments(maker, &decl->comments);
	make_metadata(maker, &decl->metadata, decl->kind == SCHEMA_VERB);
	switch (decl->kind) {
	case SCHEMA_DATA:
		make_fields(maker, decl);
		return;
	case SCHEMA_VERB:
		decl->verb.request = make_type(maker, 0, false);
		decl->verb.response = make_type(maker, 0, false);
		return;
	case SCHEMA_ENUM:
	case SCHEMA_SUM:
		make_variants(maker, decl);
		return;
	case SCHEMA_ALIAS:
		decl->alias.type = make_type(maker, 0, true);
		return;
	}
}

/* Names and kinds first, so that references may go forward. */
static void make_decls(struct maker *maker) {
	struct schema_module *module = maker->module;
	module->decl_count = 1 + below(maker, 12);
	module->decls = room(maker, module->decl_count, sizeof *module->decls);
	for (size_t i = 0; i < module->decl_count; i++) {
		struct schema_decl *decl = &module->decls[i];
		decl->kind = (enum schema_decl_kind)below(maker, SCHEMA_ALIAS + 1);
		decl->name = arena_printf(&maker->world->arena, "%s%zu",
					  below(maker, 9) ? "D" : "_aVeryLongNameForADeclaration", i);
		if (decl->kind != SCHEMA_DATA || maybe(maker))
			continue;
		decl->data.param_count = below(maker, 3);
		decl->data.params = room(maker, decl->data.param_count, sizeof *decl->data.params);
		for (size_t j = 0; j < decl->data.param_count; j++)
			decl->data.params[j].name = arena_printf(&maker->world->arena, "T%zu", j);
	}
	schema_index(module, &maker->world->arena);
	for (maker->index = 0; maker->index < module->decl_count; maker->index++)
		make_decl(maker, &module->decls[maker->index]);
}

static struct schema_module *make_module(struct maker *maker) {
	static const char *const entries[] = {"", "main.so", "bin/my main", "}", "+x"};
	struct schema_module *module = maker->module = room(maker, 1, sizeof *module);
	module->name = maybe(maker) ? "m" : "module1";
	module->language = maybe(maker) ? "" : "c";
	module->entry = entries[below(maker, ARRAY_LEN(entries))];
	module->bind = maybe(maker) ? "" : "unix";
	module->has_create_time = maybe(maker);
	module->create_time.seconds = (int64_t)below(maker, 1u << 31);
	module->create_time.nanos = maybe(maker) ? 0 : (int32_t)below(maker, 1000000000);
	if (!module->has_create_time)
		module->create_time = (struct timestamp){0};
	make_comments(maker, &module->comments);
	make_decls(maker);
	struct schema_metadata_list none = {0};
	make_metadata(maker, &module->metadata, false);
	for (size_t i = 0; i < module->metadata.count; i++)
		if (module->metadata.items[i].call_count > 0)
			module->metadata = none;
	return module;
}

static char *copy_print(struct maker *maker, const struct schema_module *module) {
	return arena_strdup(&maker->world->arena, str_from(print(maker->world, module)));
}

static struct str copy_canonical(struct maker *maker, const struct schema_module *module) {
	buf_clear(&maker->world->buf);
	assert_int_equal(schema_canonical(module, &maker->world->buf), 0);
	return arena_copy(&maker->world->arena, buf_view(&maker->world->buf));
}

static struct str pack(struct maker *maker, const struct schema_module *module) {
	const Schema__Module *message = schema_to_proto(module, &maker->world->arena);
	size_t size = schema__module__get_packed_size(message);
	uint8_t *bytes = room(maker, size, 1);
	schema__module__pack(message, bytes);
	return str_new(bytes, size);
}

static struct schema_module *unpack(struct maker *maker, struct str bytes) {
	Schema__Module *message = schema__module__unpack(NULL, bytes.len, (const uint8_t *)bytes.ptr);
	assert_non_null(message);
	struct schema_module *module;
	if (schema_from_proto(message, &maker->world->arena, &module, &maker->world->diagnostics) != 0)
		fail_msg("%s", diagnostics_text(maker->world));
	schema__module__free_unpacked(message, NULL);
	return module;
}

static void both_forms_hold_the_same(struct maker *maker) {
	const struct schema_module *made = make_module(maker);
	const char *text = copy_print(maker, made);
	struct str canonical = copy_canonical(maker, made);

	const struct schema_module *parsed = check_good(maker->world, text);
	assert_string_equal(copy_print(maker, parsed), text);
	assert_true(str_eq(copy_canonical(maker, parsed), canonical));

	struct str packed = pack(maker, parsed);
	const struct schema_module *received = unpack(maker, packed);
	assert_int_equal(schema_check(received, &maker->world->diagnostics), 0);
	assert_string_equal(copy_print(maker, received), text);
	assert_true(str_eq(copy_canonical(maker, received), canonical));
	assert_true(str_eq(pack(maker, received), packed)); /* with all positions */

	struct schema_comparison comparison;
	schema_compare(parsed, received, NULL, &maker->world->arena, &comparison);
	assert_int_equal(comparison.count, 0);
}

/* Text that almost is a schema: whatever comes out can be printed and read again. */
static void broken_text_is_told_or_read(struct maker *maker) {
	static const char marks[] = "{}()[]<>:,?=.+\"/\n aZ0\\_\xC3\x01";
	char *text = copy_print(maker, make_module(maker));
	size_t len = strlen(text);
	for (size_t i = 1 + below(maker, 4); i > 0; i--)
		text[below(maker, len)] = marks[below(maker, sizeof marks - 1)];
	const struct schema_module *module = parse(maker->world, text);
	assert_true((module == NULL) == (maker->world->diagnostics.count > 0));
	(void)diagnostics_text(maker->world);
	if (module == NULL || schema_check(module, &maker->world->diagnostics) != 0)
		return;
	const char *printed = copy_print(maker, module);
	assert_string_equal(copy_print(maker, check_good(maker->world, printed)), printed);
}

/* Changes of one module into another: what is added or gone is found, whatever it is, and the way back has as many. */
static void any_two_can_be_compared(struct maker *maker) {
	const struct schema_module *one = make_module(maker), *other = make_module(maker);
	struct schema_comparison there, back;
	schema_compare(one, other, NULL, &maker->world->arena, &there);
	schema_compare(other, one, NULL, &maker->world->arena, &back);
	assert_int_equal(there.count, back.count);
	for (size_t i = 0; i < one->decl_count; i++) {
		bool gone = schema_find_decl(other, one->decls[i].name) == NULL, found = !gone;
		for (size_t j = 0; j < there.count && !found; j++)
			found = there.changes[j].old_decl == &one->decls[i] && there.changes[j].new_decl == NULL;
		assert_true(found);
	}
}

static void put(struct maker *maker, const char *text) {
	assert_int_equal(buf_append(&maker->value, str_from(text)), 0);
}

static void put_text(struct maker *maker, const char *text) {
	put(maker, "\"");
	for (; *text != '\0'; text++) {
		char escaped[8] = {*text};
		if ((unsigned char)*text < ' ' || *text == '"' || *text == '\\' || maybe(maker))
			if ((unsigned char)*text < 0x80)
				snprintf(escaped, sizeof escaped, "\\u%04X", *text);
		put(maker, escaped);
	}
	put(maker, "\"");
}

/* Arguments of the generic data that is being written, as in the checker. */
struct scope {
	const struct schema_decl *data;
	const struct schema_type *args;
	const struct scope *outer;
};

static void put_value(struct maker *maker, const struct schema_type *type, const struct scope *scope, size_t depth);

static void put_fields(struct maker *maker, const struct schema_decl *decl, const struct scope *scope, size_t depth) {
	size_t first = decl->data.field_count ? below(maker, decl->data.field_count) : 0;
	bool any = false;
	for (size_t i = 0; i < decl->data.field_count; i++) {
		const struct schema_field *field = &decl->data.fields[(first + i) % decl->data.field_count];
		if (field->type.kind == SCHEMA_OPTIONAL && (depth > 6 || maybe(maker)))
			continue;
		put(maker, any ? ", " : "");
		put_text(maker, field->name);
		put(maker, " : ");
		put_value(maker, &field->type, scope, depth + 1);
		any = true;
	}
}

static void put_variant(struct maker *maker, const struct schema_decl *decl, const struct scope *scope, size_t depth) {
	const struct schema_variant *variant =
		&decl->enumeration.variants[below(maker, decl->enumeration.variant_count)];
	if (depth > 6) /* the first that ends soon */
		variant = &decl->enumeration.variants[0];
	if (variant->text != NULL) {
		put_text(maker, variant->text);
	} else if (variant->type == NULL) {
		assert_int_equal(buf_printf(&maker->value, "%lld", (long long)variant->number), 0);
	} else {
		bool name_first = maybe(maker);
		assert_int_equal(buf_printf(&maker->value,
					    name_first ? "{\"name\":\"%s\",\"value\":" : "{\"value\":%.0s",
					    variant->name),
				 0);
		put_value(maker, variant->type, scope, depth + 1);
		assert_int_equal(buf_printf(&maker->value, name_first ? "}%.0s" : ",\"name\":\"%s\"}", variant->name),
				 0);
	}
}

static void put_ref(struct maker *maker, const struct schema_type *type, const struct scope *scope, size_t depth) {
	for (size_t i = 0; type->ref.module[0] == '\0' && i < scope->data->data.param_count; i++)
		if (strcmp(scope->data->data.params[i].name, type->ref.name) == 0) {
			put_value(maker, &scope->args[i], scope->outer, depth);
			return;
		}
	const struct schema_decl *decl = schema_find_decl(maker->module, type->ref.name);
	if (strcmp(type->ref.module, maker->module->name) != 0) {
		put(maker, "[1, {\"any\": null}]");
	} else if (decl->kind == SCHEMA_DATA) {
		put(maker, "{");
		put_fields(maker, decl, &(struct scope){decl, type->args, scope}, depth);
		put(maker, "}");
	} else if (decl->kind == SCHEMA_ALIAS) {
		put_value(maker, &decl->alias.type, NULL, depth);
	} else {
		put_variant(maker, decl, NULL, depth);
	}
}

static void put_key(struct maker *maker, const struct schema_type *type, size_t index) {
	const struct schema_decl *decl =
		type->kind == SCHEMA_REF ? schema_find_decl(maker->module, type->ref.name) : NULL;
	if (decl == NULL) {
		assert_int_equal(buf_printf(&maker->value, "\"%zu\"", index), 0);
	} else if (decl->enumeration.of_int) {
		put(maker, "\"");
		assert_int_equal(buf_printf(&maker->value, "%lld", (long long)decl->enumeration.variants[0].number), 0);
		put(maker, "\"");
	} else {
		put_text(maker, decl->enumeration.variants[0].text);
	}
}

static void put_many(struct maker *maker, const struct schema_type *type, const struct scope *scope, size_t depth) {
	size_t count = depth > 6 ? 0 : below(maker, 3);
	if (type->key != NULL && type->key->kind == SCHEMA_REF)
		count = MIN(count, (size_t)1);
	put(maker, type->key ? "{" : "[");
	for (size_t i = 0; i < count; i++) {
		put(maker, i ? " ,\n" : "");
		if (type->key != NULL) {
			put_key(maker, type->key, i);
			put(maker, ":");
		}
		put_value(maker, type->element, scope, depth + 1);
	}
	put(maker, type->key ? "}" : "]");
}

static void put_value(struct maker *maker, const struct schema_type *type, const struct scope *scope, size_t depth) {
	static const char *const plain[][3] = {
		[SCHEMA_INT] = {"0", "-9223372036854775808", "9007199254740993"},
		[SCHEMA_FLOAT] = {"1e300", "-0.5", "123456789012345678901234567890"},
		[SCHEMA_STRING] = {"\"\"", "\"\\ud83d\\ude80\"", "\"gr\xC3\xBC\xC3\x9F\""},
		[SCHEMA_BYTES] = {"\"\"", "\"AA==\"", "\"+/8=\""},
		[SCHEMA_BOOL] = {"true", "false", " true "},
		[SCHEMA_TIME] = {"\"2026-01-02T03:04:05Z\"", "\"0001-01-01T00:00:00.5Z\"",
				 "\"2024-02-29T23:59:60+01:00\""},
		[SCHEMA_ANY] = {"null", "[[], {}]", "{\"a\": {\"a\": 1e99}}"},
		[SCHEMA_UNIT] = {"{}", "{ }", " {\n} "},
	};
	if (type->kind <= SCHEMA_UNIT)
		put(maker, plain[type->kind][below(maker, 3)]);
	else if (type->kind == SCHEMA_OPTIONAL && (depth > 6 || maybe(maker)))
		put(maker, "null");
	else if (type->kind == SCHEMA_OPTIONAL)
		put_value(maker, type->element, scope, depth + 1);
	else if (type->kind == SCHEMA_VERB_REF)
		put(maker, "\"time.time\"");
	else if (type->kind == SCHEMA_REF)
		put_ref(maker, type, scope, depth);
	else
		put_many(maker, type, scope, depth);
}

static void values_of_a_type_are_taken_for_one(struct maker *maker) {
	const struct schema_module *module = make_module(maker);
	const struct schema_json json = {.module = module, .root = "request"};
	for (const struct schema_decl *verb = NULL; (verb = schema_next_verb(module, verb)) != NULL;) {
		buf_clear(&maker->value);
		put_value(maker, &verb->verb.request, NULL, 0);
		struct error err;
		if (schema_check_json(&json, &verb->verb.request, buf_view(&maker->value), &err) != 0 &&
		    strstr(err.msg, "nested deeper") == NULL)
			fail_msg("%s\n%.*s\n%s", err.msg, STR_ARG(buf_view(&maker->value)),
				 print(maker->world, module));
	}
}

static void each_can_be_described(struct maker *maker) {
	const struct schema_module *module = make_module(maker);
	struct map modules;
	map_init(&modules);
	(void)map_put(&modules, str_from(module->name), (void *)module);
	const struct schema_openapi options = {.described = &module,
					       .described_count = 1,
					       .modules = &modules,
					       .title = "t",
					       .version = "1",
					       .path_prefix = "/"};
	struct error err;
	buf_clear(&maker->world->buf);
	if (schema_openapi(&options, &maker->world->buf, &err) != 0)
		assert_int_equal(err.code, CODE_RESOURCE_EXHAUSTED);
	map_deinit(&modules);
}

static uint64_t running; /* 0: none; a failure leaves it as it is */

static void run(void (*property)(struct maker *maker), uint64_t rounds) {
	const char *one = getenv("FTL_TEST_SEED"), *many = getenv("FTL_TEST_ROUNDS");
	uint64_t first = one ? strtoull(one, NULL, 10) : 1;
	uint64_t last = one ? first : many ? strtoull(many, NULL, 10) : rounds;
	for (uint64_t seed = first; seed <= last; seed++) {
		struct maker maker = {.world = world_new(), .state = seed, .value = BUF_INIT(MIB(64))};
		running = seed;
		property(&maker);
		buf_deinit(&maker.value);
		world_free(maker.world);
	}
	running = 0;
}

static int say_seed(void **state UNUSED) {
	if (running != 0)
		print_error("run again with FTL_TEST_SEED=%llu\n", (unsigned long long)running);
	running = 0;
	return 0;
}

static void test_forms(void **state UNUSED) {
	run(both_forms_hold_the_same, 400);
}

static void test_broken(void **state UNUSED) {
	run(broken_text_is_told_or_read, 2000);
}

static void test_compare(void **state UNUSED) {
	run(any_two_can_be_compared, 400);
}

static void test_values(void **state UNUSED) {
	run(values_of_a_type_are_taken_for_one, 1000);
}

static void test_openapi(void **state UNUSED) {
	run(each_can_be_described, 200);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_forms, say_seed),   cmocka_unit_test_teardown(test_broken, say_seed),
		cmocka_unit_test_teardown(test_compare, say_seed), cmocka_unit_test_teardown(test_values, say_seed),
		cmocka_unit_test_teardown(test_openapi, say_seed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
