// SPDX-License-Identifier: Apache-2.0
//
// The only C++ here. Compiled without exceptions, so none can cross into C; out of memory ends the process, as
// everywhere.
#include "cli/project/toml.h"

#include <cstdio>
#include <iterator>
#include <string_view>
#include <utility>

#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

struct toml_document {
	toml::table table;
};

struct toml_document *toml_parse(const char *text, size_t len, struct toml_error *ret_error) {
	toml::parse_result result = toml::parse(std::string_view(text, len));
	if (!result) {
		const toml::parse_error &error = result.error();
		ret_error->line = error.source().begin.line;
		ret_error->column = error.source().begin.column;
		std::string_view message = error.description();
		snprintf(ret_error->message, sizeof ret_error->message, "%.*s", static_cast<int>(message.size()),
			 message.data());
		return nullptr;
	}
	return new toml_document{std::move(result).table()};
}

void toml_free(struct toml_document *document) {
	delete document;
}

static struct toml_value value_of(const toml::node *node) {
	struct toml_value value = {};
	if (node == nullptr)
		return value;
	value.kind = TOML_OTHER;
	value.node = node;
	value.line = node->source().begin.line;
	value.column = node->source().begin.column;
	if (const auto *text = node->as_string()) {
		value.kind = TOML_STRING;
		value.text = text->get().data();
		value.len = text->get().size();
	} else if (const auto *array = node->as_array()) {
		value.kind = TOML_ARRAY;
		value.len = array->size();
	}
	return value;
}

struct toml_value toml_find(const struct toml_document *document, const char *key) {
	return value_of(document->table.at_path(key).node());
}

struct toml_value toml_item(const struct toml_value *array, size_t index) {
	return value_of(static_cast<const toml::node *>(array->node)->as_array()->get(index));
}

bool toml_key(const struct toml_document *document, size_t index, const char **ret_name, struct toml_value *ret_value) {
	if (index >= document->table.size())
		return false;
	auto entry = std::next(document->table.begin(), static_cast<std::ptrdiff_t>(index));
	*ret_name = entry->first.data();
	*ret_value = value_of(&entry->second);
	ret_value->line = entry->first.source().begin.line;
	ret_value->column = entry->first.source().begin.column;
	return true;
}
