/* SPDX-License-Identifier: Apache-2.0 */
#include "generate/python_names.h"

#include <stdio.h>

static bool is_among(const char *name, const char *const *words, size_t count) {
	for (size_t i = 0; i < count; i++)
		if (strcmp(words[i], name) == 0)
			return true;
	return false;
}

static bool is_python_word(const char *name) {
	static const char *const words[] = {
		"False", "None",     "True",  "and",    "as",   "assert", "async",  "await",    "break",
		"class", "continue", "def",   "del",    "elif", "else",   "except", "finally",  "for",
		"from",  "global",   "if",    "import", "in",   "is",     "lambda", "nonlocal", "not",
		"or",    "pass",     "raise", "return", "try",  "while",  "with",   "yield",
	};
	return is_among(name, words, ARRAY_LEN(words));
}

/* Names that the generated file itself uses. */
static const char *const used_words[] = {
	"Annotated", "Any",  "FTL_MODULE", "FTL_TYPES", "FTL_VERBS", "Generic", "TypeAlias", "TypeVar",
	"answer",    "bool", "bytes",      "dataclass", "datetime",  "dict",    "enum",      "float",
	"ftl",       "int",  "list",       "request",   "str",       "timeout",
};

/* Removes leading underscores: Python mangles two of them within a class and treats one as private. */
static const char *visible(struct python_names *names, const char *name) {
	return name[0] == '_' ? arena_printf(&names->arena, "m%s", name) : name;
}

static const char *claim(struct python_names *names, const char *name, struct map *words) {
	const char *word = is_python_word(name) ? arena_printf(&names->arena, "%s_", name) : name;
	while (map_get(&names->globals, str_from(word)) != NULL)
		word = arena_printf(&names->arena, "%s_", word);
	map_put(&names->globals, str_from(word), names);
	if (words != NULL)
		map_put(words, str_from(word), names);
	return word;
}

void python_names_init(struct python_names *names, const struct generate_options *options) {
	*names = (struct python_names){.options = options};
	arena_init(&names->arena, MIB(512));
	map_init(&names->by_key);
	map_init(&names->words);
	map_init(&names->globals);
	for (size_t i = 0; i < ARRAY_LEN(used_words); i++) {
		map_put(&names->words, str_from(used_words[i]), names);
		map_put(&names->globals, str_from(used_words[i]), names);
	}
}

void python_names_deinit(struct python_names *names) {
	map_deinit(&names->by_key);
	map_deinit(&names->words);
	map_deinit(&names->globals);
	arena_deinit(&names->arena);
}

/* --- what there is ------------------------------------------------------------------------------------------------ */

static struct python_name *add(struct python_names *names, const struct schema_module *module,
			       const struct schema_decl *decl, const char *key) {
	struct python_name *name = arena_alloc(&names->arena, sizeof *name);
	*name = (struct python_name){.key = key, .module = module, .decl = decl};
	map_put(&names->by_key, str_from(key), name);
	if (names->last != NULL)
		names->last->next = name;
	else
		names->first = name;
	names->last = name;
	return name;
}

static const struct schema_module *find_module(const struct python_names *names, const struct schema_module *from,
					       const char *name, struct error *err) {
	const struct generate_options *options = names->options;
	if (strcmp(name, from->name) == 0)
		return from;
	return strcmp(name, options->module->name) == 0 ? options->module : options->find(options->owner, name, err);
}

static int add_ref(struct python_names *names, const struct schema_module *from, const struct schema_type *type,
		   struct error *err) {
	const char *key = arena_printf(&names->arena, "%s.%s", type->ref.module, type->ref.name);
	const struct python_name *known = map_get(&names->by_key, str_from(key));
	const struct schema_module *module =
		known != NULL ? known->module : find_module(names, from, type->ref.module, err);
	if (module == NULL)
		return -1;
	const struct schema_decl *decl = schema_find_decl(module, type->ref.name);
	if (decl == NULL || decl->kind == SCHEMA_VERB)
		return error_set(err, CODE_FAILED_PRECONDITION, "the module %s has no type %s, which %s names",
				 type->ref.module, type->ref.name, from->name);
	size_t params = decl->kind == SCHEMA_DATA ? decl->data.param_count : 0;
	if (params != type->arg_count)
		return error_set(err, CODE_FAILED_PRECONDITION, "%s takes %zu types now, and %s gives it %zu", key,
				 params, from->name, type->arg_count);
	if (known == NULL)
		add(names, module, decl, key);
	return 0;
}

static int add_type(struct python_names *names, const struct schema_module *from, const struct schema_type *type,
		    struct error *err) {
	if (type->key != NULL && add_type(names, from, type->key, err) < 0)
		return -1;
	if (type->element != NULL)
		return add_type(names, from, type->element, err);
	if (type->kind != SCHEMA_REF || type->ref.module[0] == '\0')
		return 0;
	for (size_t i = 0; i < type->arg_count; i++)
		if (add_type(names, from, &type->args[i], err) < 0)
			return -1;
	return add_ref(names, from, type, err);
}

static int add_parts(struct python_names *names, const struct schema_module *module, const struct schema_decl *decl,
		     struct error *err) {
	const struct schema_type *type;
	for (size_t i = 0; (type = schema_decl_type(decl, i)) != NULL; i++)
		if (add_type(names, module, type, err) < 0)
			return -1;
	return 0;
}

/* Types choose first; a verb with the same name gets another, as types are written more often than verbs are called. */
static void choose_words(struct python_names *names) {
	const char *own = names->options->module->name;
	for (struct python_name *name = names->first; name != NULL; name = name->next) {
		bool is_own = strcmp(name->module->name, own) == 0;
		if (name->decl->kind != SCHEMA_VERB)
			name->word = claim(
				names,
				is_own ? name->decl->name
				       : arena_printf(&names->arena, "%s_%s", name->module->name, name->decl->name),
				&names->words);
	}
	for (struct python_name *name = names->first; name != NULL; name = name->next)
		if (name->decl->kind == SCHEMA_VERB)
			name->word = claim(names, name->decl->name, NULL);
}

static void add_params(struct python_names *names) {
	for (struct python_name *name = names->first, *last = names->last;; name = name->next) {
		size_t count = name != NULL && name->decl->kind == SCHEMA_DATA ? name->decl->data.param_count : 0;
		for (size_t i = 0; i < count; i++) {
			const char *param = name->decl->data.params[i].name;
			const char *key = arena_printf(&names->arena, ".%s", param);
			if (map_get(&names->by_key, str_from(key)) == NULL)
				add(names, NULL, NULL, key)->word = claim(names, param, &names->words);
		}
		if (name == last)
			return;
	}
}

/* Adds the exported types that no exported verb names: a caller may use them in types of its own. */
static void add_exported_types(struct python_names *names, const struct schema_module *module) {
	for (size_t i = 0; i < module->decl_count; i++) {
		const struct schema_decl *decl = &module->decls[i];
		const char *key = arena_printf(&names->arena, "%s.%s", module->name, decl->name);
		if (decl->exported && decl->kind != SCHEMA_VERB && map_get(&names->by_key, str_from(key)) == NULL)
			add(names, module, decl, key);
	}
}

int python_names_collect(struct python_names *names, struct error *err) {
	const struct schema_module *module = names->options->module;
	const struct schema_decl *verb = NULL;
	while ((verb = schema_next_verb(module, verb)) != NULL) {
		if (!verb->exported)
			continue;
		if (add_parts(names, module, verb, err) < 0)
			return -1;
		add(names, module, verb, arena_printf(&names->arena, "%s.%s", module->name, verb->name));
	}
	add_exported_types(names, module);
	for (struct python_name *name = names->first; name != NULL; name = name->next)
		if (name->decl->kind != SCHEMA_VERB && add_parts(names, name->module, name->decl, err) < 0)
			return -1;
	choose_words(names);
	add_params(names);
	return 0;
}

/* --- what it is called -------------------------------------------------------------------------------------------- */

const struct python_name *python_names_find(const struct python_names *names, const char *module, const char *name) {
	char key[2 * SCHEMA_NAME_MAX + 2];
	int len = snprintf(key, sizeof key, "%s.%s", module, name);
	return map_get(&names->by_key, str_new(key, (size_t)len));
}

const struct python_name *python_names_param(const struct python_names *names, const char *param) {
	return python_names_find(names, "", param);
}

const char *python_names_variant(struct python_names *names, const struct python_name *sum, size_t index) {
	const struct schema_decl *decl = sum->decl;
	const struct schema_variant *variant = &decl->enumeration.variants[index];
	const struct schema_type *type = variant->type;
	char key[3 * SCHEMA_NAME_MAX];
	/* A union of one class would be that class. */
	if (type->kind == SCHEMA_REF && decl->enumeration.variant_count > 1) {
		const struct python_name *data = python_names_find(names, type->ref.module, type->ref.name);
		if (data->decl->kind == SCHEMA_DATA && strcmp(data->word, variant->name) == 0)
			return NULL;
	}
	int len = snprintf(key, sizeof key, "%s %s", sum->key, variant->name);
	const char *word = map_get(&names->by_key, str_new(key, (size_t)len));
	if (word == NULL) {
		word = claim(names, arena_printf(&names->arena, "%s_%s", sum->word, variant->name), &names->words);
		map_put(&names->by_key, str_new(key, (size_t)len), (void *)word);
	}
	return word;
}

static bool has_member(const struct schema_decl *decl, const char *name) {
	if (decl->kind == SCHEMA_DATA)
		return schema_find_field(decl, str_from(name)) != NULL;
	for (size_t i = 0; i < decl->enumeration.variant_count; i++)
		if (strcmp(decl->enumeration.variants[i].name, name) == 0)
			return true;
	return false;
}

const char *python_names_member(struct python_names *names, const struct schema_decl *decl, const char *name) {
	static const char *const of_enums[] = {"mro", "name", "value"};
	bool taken = decl->kind == SCHEMA_ENUM ? is_among(name, of_enums, ARRAY_LEN(of_enums))
					       : map_get(&names->words, str_from(name)) != NULL;
	const char *word = visible(names, name);
	if (taken || is_python_word(name))
		word = arena_printf(&names->arena, "%s_", word);
	while (strcmp(word, name) != 0 && (has_member(decl, word) || (decl->kind != SCHEMA_ENUM &&
								      map_get(&names->words, str_from(word)) != NULL)))
		word = arena_printf(&names->arena, "%s_", word);
	return word;
}
