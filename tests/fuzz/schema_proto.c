/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a peer's schema: either refused, or equal to the schema that is parsed from its printed text.
 */
#include <stdlib.h>

#include "fuzz.h"
#include "pb/pb.h"
#include "schema/check.h"
#include "schema/parse.h"
#include "schema/print.h"
#include "schema/proto.h"

#include "schema.pb-c.h"

static struct schema_diagnostics diagnostics;

static void compare_with_its_text(const struct schema_module *module, struct arena *arena) {
	struct buf text = BUF_INIT(MIB(64)), canonical = BUF_INIT(MIB(64)), again = BUF_INIT(MIB(64));
	struct schema_module *reread = NULL;
	ASSERT(schema_print(module, &text) == 0 && schema_canonical(module, &canonical) == 0);
	ASSERT(buf_len(&text) > SCHEMA_TEXT_MAX ||
	       schema_parse(buf_view(&text), "again", arena, &reread, &diagnostics) == 0);
	if (reread != NULL) {
		ASSERT(schema_check(reread, &diagnostics) == 0 && schema_canonical(reread, &again) == 0);
		ASSERT(str_eq(buf_view(&canonical), buf_view(&again)));
	}
	buf_deinit(&text);
	buf_deinit(&canonical);
	buf_deinit(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct arena arena = ARENA_INIT((size_t)4 * SCHEMA_ARENA_MAX), wire = ARENA_INIT(pb_arena_max(size));
	ProtobufCMessage *message;
	struct error err;
	schema_diagnostics_init(&diagnostics);
	struct schema_module *module = NULL;
	if (pb_unpack(&schema__module__descriptor, str_new(data, size), &wire, &message, &err) == 0 &&
	    schema_from_proto((const Schema__Module *)message, &arena, &module, &diagnostics) == 0 &&
	    schema_check(module, &diagnostics) == 0)
		compare_with_its_text(module, &arena);
	else if (diagnostics.count > 0)
		ASSERT(schema_diagnostics_to_error(&diagnostics, &err) == -1 && str_is_text(str_from(err.msg)));
	schema_diagnostics_deinit(&diagnostics);
	arena_deinit(&wire);
	arena_deinit(&arena);
	return 0;
}
