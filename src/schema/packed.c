/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/packed.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/memory.h"
#include "pb/pb.h"
#include "schema.pb-c.h"
#include "schema/proto.h"

struct model {
	struct arena arena;
	struct schema_module *module;
};

struct packed_schema {
	atomic_uint refs;
	struct model *_Atomic model; /* NULL: not unpacked yet */
	size_t len;
	char bytes[];
};

struct packed_schema *packed_schema_new(struct str bytes) {
	struct packed_schema *schema = mem_alloc(sizeof *schema + bytes.len);
	atomic_init(&schema->refs, 1);
	atomic_init(&schema->model, NULL);
	schema->len = bytes.len;
	if (bytes.len > 0)
		memcpy(schema->bytes, bytes.ptr, bytes.len);
	return schema;
}

struct packed_schema *packed_schema_ref(struct packed_schema *schema) {
	atomic_fetch_add_explicit(&schema->refs, 1, memory_order_relaxed);
	return schema;
}

static void model_free(struct model *model) {
	if (model == NULL)
		return;
	arena_deinit(&model->arena);
	free(model);
}

void packed_schema_unref(struct packed_schema *schema) {
	if (schema == NULL || atomic_fetch_sub_explicit(&schema->refs, 1, memory_order_acq_rel) > 1)
		return;
	model_free(atomic_load(&schema->model));
	free(schema);
}

struct str packed_schema_bytes(const struct packed_schema *schema) {
	return str_new(schema->bytes, schema->len);
}

static struct model *make_model(const struct packed_schema *schema) {
	struct model *model = mem_zalloc(sizeof *model);
	struct arena arena = ARENA_INIT(pb_arena_max(schema->len));
	struct schema_diagnostics diagnostics;
	ProtobufCMessage *message;
	struct error err;
	arena_init(&model->arena, SCHEMA_ARENA_MAX);
	schema_diagnostics_init(&diagnostics);
	bool failed =
		pb_unpack(&schema__module__descriptor, packed_schema_bytes(schema), &arena, &message, &err) < 0 ||
		schema_from_proto((const Schema__Module *)message, &model->arena, &model->module, &diagnostics) < 0;
	ASSERT(!failed);
	schema_diagnostics_deinit(&diagnostics);
	arena_deinit(&arena);
	return model;
}

static void put_canonical(const struct packed_schema *schema, struct buf *buf) {
	struct model *model = make_model(schema);
	int over = schema_canonical(model->module, buf);
	ASSERT(over == 0);
	model_free(model);
}

bool packed_schema_same(const struct packed_schema *a, const struct packed_schema *b) {
	struct buf left = BUF_INIT(SIZE_MAX / 2), right = BUF_INIT(SIZE_MAX / 2);
	put_canonical(a, &left);
	put_canonical(b, &right);
	bool same = str_eq(buf_view(&left), buf_view(&right));
	buf_deinit(&left);
	buf_deinit(&right);
	return same;
}

const struct schema_module *packed_schema_module(struct packed_schema *schema) {
	struct model *model = atomic_load_explicit(&schema->model, memory_order_acquire);
	if (model != NULL)
		return model->module;
	/* Two threads may unpack at the same time: the first model is kept, the other freed. */
	struct model *made = make_model(schema);
	schema_export_by_default(made->module);
	if (atomic_compare_exchange_strong(&schema->model, &model, made))
		return made->module;
	model_free(made);
	return model->module;
}
