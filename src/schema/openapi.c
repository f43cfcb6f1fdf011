/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each declaration in use becomes a component, as does each instance of a generic data. Components are made from a
 * queue, so that a type may refer to itself. Responses are described first: a data that a response contains may have
 * further fields, any other may not.
 */
#include "schema/openapi.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/memory.h"
#include "schema/reach.h"

/* The module and the type parameters in scope of a type. */
struct openapi_scope {
	const struct schema_module *module;
	const struct schema_decl *data; /* NULL: no type parameters */
	const struct schema_type *args; /* closed types */
};

struct component {
	struct component *next;
	const char *name;
	struct openapi_scope scope;
	const struct schema_decl *decl;
	bool open; /* allows additional properties */
};

struct maker {
	const struct map *modules;
	const char *ref_prefix;
	struct arena arena;
	struct map known; /* components by name */
	struct component *first, **last; /* the queue of components to make */
	json_t *components;
	bool open;
	size_t types; /* types written so far */
	bool failed; /* a limit was passed */
	struct error *err;
};

/* jansson fails only without memory or for invalid UTF-8, and neither happens here. */
static json_t *sure(json_t *value) {
	ASSERT(value != NULL);
	return value;
}

static void set(json_t *object, const char *key, json_t *value) {
	ASSERT(json_object_set_new(object, key, sure(value)) == 0);
}

static void add(json_t *array, json_t *value) {
	ASSERT(json_array_append_new(array, sure(value)) == 0);
}

static void set_text(json_t *object, const char *key, const char *text) {
	set(object, key, json_string(text));
}

static json_t *new_typed(const char *type) {
	json_t *schema = sure(json_object());
	set_text(schema, "type", type);
	return schema;
}

static void fail(struct maker *maker, const char *what, size_t limit) {
	if (!maker->failed)
		error_set(maker->err, CODE_RESOURCE_EXHAUSTED, "%s; the limit is %zu", what, limit);
	maker->failed = true;
}

static void set_comments(json_t *object, const struct schema_comments *comments) {
	if (comments->count == 0)
		return;
	struct buf text = BUF_INIT(SIZE_MAX / 2);
	for (size_t i = 0; i < comments->count; i++)
		if (buf_printf(&text, "%s%s", i ? "\n" : "", comments->lines[i]) != 0)
			break;
	set(object, "description", json_stringn(buf_view(&text).ptr, buf_len(&text)));
	buf_deinit(&text);
}

/* Replaces the type parameters by the arguments of the scope, which stay shared. */
static struct schema_type close_type(struct maker *maker, const struct schema_type *type,
				     const struct openapi_scope *scope) {
	struct schema_type closed = *type;
	if (scope->data == NULL)
		return closed;
	for (size_t i = 0; type->kind == SCHEMA_REF && type->ref.module[0] == '\0' && i < scope->data->data.param_count;
	     i++)
		if (strcmp(scope->data->data.params[i].name, type->ref.name) == 0)
			return scope->args[i];
	if (type->element != NULL) {
		closed.element = arena_alloc(&maker->arena, sizeof *closed.element);
		*closed.element = close_type(maker, type->element, scope);
	}
	if (type->arg_count > 0)
		closed.args = arena_alloc(&maker->arena, type->arg_count * sizeof *closed.args);
	for (size_t i = 0; i < type->arg_count; i++)
		closed.args[i] = close_type(maker, &type->args[i], scope);
	return closed;
}

/* "echo.Page-Array-Int" in prefix order with fixed arity, so that no two types share a name. */
static void put_name(struct maker *maker, const struct schema_type *type, struct buf *name) {
	const char *word = schema_type_word(type->kind);
	if (maker->failed)
		return;
	if (buf_len(name) > 0 && buf_append(name, STR("-")) != 0)
		fail(maker, "a generic type has too many arguments in arguments for a name", SCHEMA_OPENAPI_NAME_MAX);
	int result;
	if (word != NULL)
		result = buf_append(name, str_from(word));
	else if (type->kind == SCHEMA_REF || type->kind == SCHEMA_VERB_REF)
		result = buf_printf(name, "%s%s.%s", type->kind == SCHEMA_VERB_REF ? "verb-" : "", type->ref.module,
				    type->ref.name);
	else
		result = buf_append(name, type->kind == SCHEMA_OPTIONAL ? STR("Optional")
					  : type->kind == SCHEMA_ARRAY  ? STR("Array")
									: STR("Map"));
	if (result != 0)
		fail(maker, "a generic type has too many arguments in arguments for a name", SCHEMA_OPENAPI_NAME_MAX);
	if (type->key != NULL)
		put_name(maker, type->key, name);
	if (type->element != NULL)
		put_name(maker, type->element, name);
	for (size_t i = 0; i < type->arg_count; i++)
		put_name(maker, &type->args[i], name);
}

/* Finds the component of a closed type, or queues a new one. */
static const struct component *find_component(struct maker *maker, const struct schema_type *type,
					      const struct schema_module *module, const struct schema_decl *decl) {
	struct buf name = BUF_INIT(SCHEMA_OPENAPI_NAME_MAX);
	put_name(maker, type, &name);
	struct component *component = map_get(&maker->known, buf_view(&name));
	if (component == NULL) {
		component = arena_alloc(&maker->arena, sizeof *component);
		*component = (struct component){
			.name = arena_strdup(&maker->arena, buf_view(&name)),
			.scope = {.module = module,
				  .data = decl->kind == SCHEMA_DATA ? decl : NULL,
				  .args = type->args},
			.decl = decl,
			.open = maker->open,
		};
		(void)map_put(&maker->known, buf_view(&name), component);
		*maker->last = component;
		maker->last = &component->next;
	}
	buf_deinit(&name);
	return component;
}

static json_t *new_schema(struct maker *maker, const struct schema_type *type, const struct openapi_scope *scope);

static json_t *new_ref(struct maker *maker, const struct schema_type *type) {
	json_t *schema = sure(json_object());
	const struct schema_module *module = map_get(maker->modules, str_from(type->ref.module));
	const struct schema_decl *decl = module ? schema_find_decl(module, type->ref.name) : NULL;
	/* The module is not available: any value. */
	if (decl == NULL || maker->failed)
		return schema;
	const struct component *component = find_component(maker, type, module, decl);
	set(schema, "$ref", json_sprintf("%s%s", maker->ref_prefix, component->name));
	return schema;
}

static json_t *new_optional(struct maker *maker, const struct schema_type *type, const struct openapi_scope *scope) {
	json_t *schema = sure(json_object()), *either = sure(json_array());
	add(either, new_schema(maker, type->element, scope));
	add(either, new_typed("null"));
	set(schema, "anyOf", either);
	return schema;
}

static json_t *new_array(struct maker *maker, const struct schema_type *type, const struct openapi_scope *scope) {
	json_t *schema = new_typed("array");
	set(schema, "items", new_schema(maker, type->element, scope));
	return schema;
}

static json_t *new_values(const struct schema_decl *decl, bool as_text) {
	json_t *values = sure(json_array());
	for (size_t i = 0; i < decl->enumeration.variant_count; i++) {
		const struct schema_variant *variant = &decl->enumeration.variants[i];
		add(values, variant->text ? json_string(variant->text)
			    : as_text     ? json_sprintf("%lld", (long long)variant->number)
					  : json_integer(variant->number));
	}
	return values;
}

/* The schema of a map's keys; NULL: any string. */
static json_t *new_key(const struct maker *maker, const struct schema_type *type) {
	const struct schema_decl *decl = NULL;
	while (type->kind == SCHEMA_REF) {
		const struct schema_module *module = map_get(maker->modules, str_from(type->ref.module));
		decl = module ? schema_find_decl(module, type->ref.name) : NULL;
		if (decl == NULL || decl->kind != SCHEMA_ALIAS)
			break;
		type = &decl->alias.type;
	}
	json_t *schema = sure(json_object());
	if (type->kind == SCHEMA_INT)
		set_text(schema, "pattern", "^(0|-?[1-9][0-9]*)$");
	else if (type->kind == SCHEMA_REF && decl != NULL && decl->kind == SCHEMA_ENUM)
		set(schema, "enum", new_values(decl, true));
	if (json_object_size(schema) > 0)
		return schema;
	json_decref(schema);
	return NULL;
}

static json_t *new_map(struct maker *maker, const struct schema_type *type, const struct openapi_scope *scope) {
	json_t *schema = new_typed("object"), *key = new_key(maker, type->key);
	if (key != NULL)
		set(schema, "propertyNames", key);
	set(schema, "additionalProperties", new_schema(maker, type->element, scope));
	return schema;
}

static json_t *new_formatted(const char *type, const char *key, const char *value) {
	json_t *schema = new_typed(type);
	set_text(schema, key, value);
	return schema;
}

static json_t *new_unit(const struct maker *maker) {
	json_t *schema = new_typed("object");
	if (!maker->open)
		set(schema, "additionalProperties", json_false());
	return schema;
}

static json_t *new_schema(struct maker *maker, const struct schema_type *type, const struct openapi_scope *scope) {
	if (maker->types++ == SCHEMA_OPENAPI_TYPES_MAX)
		fail(maker, "the types to write out are too many", SCHEMA_OPENAPI_TYPES_MAX);
	if (maker->failed)
		return json_object();
	switch (type->kind) {
	case SCHEMA_INT:
		return new_formatted("integer", "format", "int64");
	case SCHEMA_FLOAT:
		return new_formatted("number", "format", "double");
	case SCHEMA_STRING:
		return new_typed("string");
	case SCHEMA_BYTES:
		return new_formatted("string", "contentEncoding", "base64");
	case SCHEMA_BOOL:
		return new_typed("boolean");
	case SCHEMA_TIME:
		return new_formatted("string", "format", "date-time");
	case SCHEMA_ANY:
		return json_object();
	case SCHEMA_UNIT:
		return new_unit(maker);
	case SCHEMA_OPTIONAL:
		return new_optional(maker, type, scope);
	case SCHEMA_ARRAY:
		return new_array(maker, type, scope);
	case SCHEMA_MAP:
		return new_map(maker, type, scope);
	case SCHEMA_VERB_REF:
		return new_formatted("string", "pattern", "^[A-Za-z_][A-Za-z0-9_]*\\.[A-Za-z_][A-Za-z0-9_]*$");
	case SCHEMA_REF: {
		struct schema_type closed = close_type(maker, type, scope);
		/* A type parameter: any value. */
		return type->ref.module[0] == '\0' ? new_schema(maker, &closed, &(struct openapi_scope){0})
						   : new_ref(maker, &closed);
	}
	}
	return NULL;
}

/* Whether a field of that type may be missing. */
static bool may_be_missing(struct maker *maker, const struct schema_type *type, const struct openapi_scope *scope) {
	struct schema_type closed = close_type(maker, type, scope);
	while (closed.kind == SCHEMA_REF) {
		const struct schema_module *module = map_get(maker->modules, str_from(closed.ref.module));
		const struct schema_decl *decl = module ? schema_find_decl(module, closed.ref.name) : NULL;
		if (decl == NULL || decl->kind != SCHEMA_ALIAS)
			return decl == NULL;
		closed = decl->alias.type;
	}
	return closed.kind == SCHEMA_OPTIONAL;
}

static json_t *new_data(struct maker *maker, const struct component *component) {
	json_t *schema = new_typed("object"), *fields = sure(json_object()), *required = sure(json_array());
	const struct schema_decl *data = component->decl;
	for (size_t i = 0; i < data->data.field_count && !maker->failed; i++) {
		const struct schema_field *field = &data->data.fields[i];
		json_t *type = new_schema(maker, &field->type, &component->scope);
		set_comments(type, &field->comments);
		set(fields, field->name, type);
		if (!may_be_missing(maker, &field->type, &component->scope))
			add(required, json_string(field->name));
	}
	set(schema, "properties", fields);
	set(schema, "required", required);
	if (!component->open)
		set(schema, "additionalProperties", json_false());
	return schema;
}

static json_t *new_enum(const struct schema_decl *decl) {
	json_t *schema = new_typed(decl->enumeration.of_int ? "integer" : "string");
	set(schema, "enum", new_values(decl, false));
	return schema;
}

static json_t *new_sum(struct maker *maker, const struct component *component) {
	json_t *schema = sure(json_object()), *variants = sure(json_array());
	for (size_t i = 0; i < component->decl->enumeration.variant_count; i++) {
		const struct schema_variant *variant = &component->decl->enumeration.variants[i];
		json_t *one = new_typed("object"), *fields = sure(json_object());
		set_comments(one, &variant->comments);
		set(fields, "name", json_pack("{s:s}", "const", variant->name));
		set(fields, "value", new_schema(maker, variant->type, &component->scope));
		set(one, "properties", fields);
		set(one, "required", json_pack("[s, s]", "name", "value"));
		if (!component->open)
			set(one, "additionalProperties", json_false());
		add(variants, one);
	}
	set(schema, "oneOf", variants);
	return schema;
}

static json_t *new_component(struct maker *maker, const struct component *component) {
	switch (component->decl->kind) {
	case SCHEMA_DATA:
		return new_data(maker, component);
	case SCHEMA_ENUM:
		return new_enum(component->decl);
	case SCHEMA_SUM:
		return new_sum(maker, component);
	case SCHEMA_ALIAS:
		return new_schema(maker, &component->decl->alias.type, &component->scope);
	case SCHEMA_VERB:
		break;
	}
	return json_object();
}

static void make_components(struct maker *maker) {
	for (; maker->first != NULL && !maker->failed; maker->first = maker->first->next) {
		const struct component *component = maker->first;
		maker->open = component->open;
		json_t *schema = new_component(maker, component);
		set_comments(schema, &component->decl->comments);
		set(maker->components, component->name, schema);
	}
	maker->last = &maker->first;
}

static void maker_init(struct maker *maker, const struct map *modules, const char *ref_prefix, struct error *err) {
	*maker = (struct maker){.modules = modules, .ref_prefix = ref_prefix, .err = err};
	maker->last = &maker->first;
	maker->components = sure(json_object());
	map_init(&maker->known);
	arena_init(&maker->arena, (size_t)4 * SCHEMA_ARENA_MAX);
}

/* Takes the document, prints it and frees the maker. */
static int maker_finish(struct maker *maker, json_t *document, struct buf *buf) {
	char *text = maker->failed ? NULL : json_dumps(document, JSON_INDENT(2));
	if (text != NULL && buf_append(buf, str_from(text)) != 0)
		fail(maker, "the description is too large", buf->max);
	free(text);
	json_decref(document);
	json_decref(maker->components);
	map_deinit(&maker->known);
	arena_deinit(&maker->arena);
	return maker->failed ? -1 : 0;
}

static json_t *new_content(json_t *schema) {
	return json_pack("{s:{s:{s:o}}}", "content", "application/json", "schema", schema);
}

static json_t *new_responses(json_t *schema) {
	json_t *good = sure(new_content(schema));
	set_text(good, "description", "What the verb answers");
	json_t *bad = sure(new_content(json_pack("{s:s, s:{s:{s:s}, s:{s:s}}}", "type", "object", "properties", "code",
						 "type", "string", "message", "type", "string")));
	set_text(bad, "description", "Why it failed");
	return json_pack("{s:o, s:o}", "200", good, "default", bad);
}

static json_t *new_operation(const struct schema_module *module, const struct schema_decl *verb, json_t *request,
			     json_t *response) {
	json_t *operation = sure(json_object());
	set(operation, "operationId", json_sprintf("%s.%s", module->name, verb->name));
	set(operation, "tags", json_pack("[s]", module->name));
	set_comments(operation, &verb->comments);
	json_t *body = sure(new_content(request));
	set(body, "required", json_true());
	set(operation, "requestBody", body);
	set(operation, "responses", new_responses(response));
	return operation;
}

/* Appends the schemas of all responses, or of all requests, in the order of the verbs. */
static void make_bodies(struct maker *maker, const struct schema_openapi *options, bool responses, json_t *bodies) {
	maker->open = responses;
	for (size_t i = 0; i < options->described_count; i++) {
		const struct schema_module *module = options->described[i];
		struct openapi_scope scope = {.module = module};
		for (const struct schema_decl *verb = NULL; (verb = schema_next_verb(module, verb)) != NULL;) {
			maker->open = responses;
			if (verb->exported)
				add(bodies,
				    new_schema(maker, responses ? &verb->verb.response : &verb->verb.request, &scope));
		}
	}
	make_components(maker);
}

static json_t *new_paths(const struct schema_openapi *options, json_t *requests, json_t *responses) {
	json_t *paths = sure(json_object());
	size_t index = 0;
	for (size_t i = 0; i < options->described_count; i++) {
		const struct schema_module *module = options->described[i];
		for (const struct schema_decl *verb = NULL; (verb = schema_next_verb(module, verb)) != NULL;) {
			if (!verb->exported)
				continue;
			char *path = mem_printf("%s%s.%s", options->path_prefix, module->name, verb->name);
			json_t *operation = new_operation(module, verb, json_incref(json_array_get(requests, index)),
							  json_incref(json_array_get(responses, index)));
			set(paths, path, json_pack("{s:o}", "post", operation));
			free(path);
			index++;
		}
	}
	return paths;
}

static json_t *new_tags(const struct schema_openapi *options) {
	json_t *tags = sure(json_array());
	for (size_t i = 0; i < options->described_count; i++) {
		json_t *tag = sure(json_pack("{s:s}", "name", options->described[i]->name));
		set_comments(tag, &options->described[i]->comments);
		add(tags, tag);
	}
	return tags;
}

int schema_openapi(const struct schema_openapi *options, struct buf *buf, struct error *err) {
	struct maker maker;
	maker_init(&maker, options->modules, "#/components/schemas/", err);
	json_t *responses = sure(json_array()), *requests = sure(json_array());
	make_bodies(&maker, options, true, responses);
	make_bodies(&maker, options, false, requests);
	json_t *document = sure(json_object());
	set_text(document, "openapi", "3.1.0");
	set(document, "info",
	    json_pack("{s:s, s:s, s:s*}", "title", options->title, "version", options->version, "description",
		      options->description));
	if (options->server != NULL)
		set(document, "servers", json_pack("[{s:s}]", "url", options->server));
	set(document, "tags", new_tags(options));
	set(document, "paths", new_paths(options, requests, responses));
	set(document, "components", json_pack("{s:O}", "schemas", maker.components));
	json_decref(responses);
	json_decref(requests);
	return maker_finish(&maker, document, buf);
}

int schema_json_schema(const struct schema_module *module, const struct map *modules, const struct schema_type *type,
		       bool is_response, struct buf *buf, struct error *err) {
	struct maker maker;
	maker_init(&maker, modules, "#/$defs/", err);
	maker.open = is_response;
	json_t *document = sure(json_object());
	set_text(document, "$schema", "https://json-schema.org/draft/2020-12/schema");
	json_t *schema = sure(new_schema(&maker, type, &(struct openapi_scope){.module = module}));
	json_object_update(document, schema);
	json_decref(schema);
	make_components(&maker);
	if (json_object_size(maker.components) > 0)
		set(document, "$defs", json_incref(maker.components));
	return maker_finish(&maker, document, buf);
}
