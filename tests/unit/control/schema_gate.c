/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Schemas as text; what is active, what comes up and what is pending is put into the books by hand.
 */
#include "control/schema_gate.h"

#include <stdio.h>

#include "../schema/schema_test.h"

#include "base/memory.h"
#include "control/control.h"
#include "pb/pb.h"
#include "schema.pb-c.h"
#include "schema/packed.h"

struct stage {
	struct world *world;
	struct control control;
	struct list pending;
	struct error err;
};

static const char catalog[] = "module catalog {\n"
			      "  export data Request { sku String }\n"
			      "  export data Product { name String }\n"
			      "  export verb find(catalog.Request) catalog.Product\n"
			      "}\n";
/* Breaks every caller of find. */
static const char catalog_asks_more[] = "module catalog {\n"
					"  export data Request { sku String  shop String }\n"
					"  export data Product { name String }\n"
					"  export verb find(catalog.Request) catalog.Product\n"
					"}\n";
static const char catalog_says_more[] = "module catalog {\n"
					"  export data Request { sku String }\n"
					"  export data Product { name String  price Int? }\n"
					"  export verb find(catalog.Request) catalog.Product\n"
					"  export verb list(Unit) [catalog.Product]\n"
					"}\n";
static const char cart[] = "module cart {\n"
			   "  export verb total(Unit) Int\n"
			   "      +calls catalog.find\n"
			   "}\n";
static const char cart_lists[] = "module cart {\n"
				 "  export verb total(Unit) Int\n"
				 "      +calls catalog.list\n"
				 "}\n";
static const char cart_alone[] = "module cart { export verb total(Unit) Int }\n";

static int setup(void **state) {
	struct stage *stage = test_calloc(1, sizeof *stage);
	stage->world = world_new();
	control_init(&stage->control, &control_config_default, NULL, 0);
	list_init(&stage->pending);
	*state = stage;
	return 0;
}

static int teardown(void **state) {
	struct stage *stage = *state;
	control_deinit(&stage->control);
	world_free(stage->world);
	test_free(stage);
	return 0;
}

static struct str pack(struct stage *stage, const char *text) {
	struct arena *arena = &stage->world->arena;
	return pb_pack((const ProtobufCMessage *)schema_to_proto(check_good(stage->world, text), arena), arena);
}

/* Its life in the books is the control side's; here it only stands in them. It was checked against what stands there.
 */
static struct deployment *deploy(struct stage *stage, const char *name, const char *text) {
	char key[KEY_MAX];
	snprintf(key, sizeof key, "dpl-%zu", stage->control.books.deployments.len);
	struct need_record *needs;
	size_t count;
	schema_gate_list_needs(&stage->control, check_good(stage->world, text), &stage->world->arena, &needs, &count);
	const struct deployment_record record = {.key = key,
						 .module = name,
						 .language = "c",
						 .schema = pack(stage, text),
						 .needs = needs,
						 .need_count = count};
	return deployment_find_or_add(&stage->control, &record);
}

static void activate(struct stage *stage, const char *name, const char *text) {
	struct deployment *deployment = deploy(stage, name, text);
	deployment->module->active = deployment;
}

static void bring_up(struct stage *stage, const char *name, const char *text) {
	struct deployment *deployment = deploy(stage, name, text);
	deployment->module->next = deployment;
}

static void kill_module(struct stage *stage, const char *name) {
	struct module *module = map_get(&stage->control.books.modules, str_from(name));
	module->active = module->next = NULL;
}

static void keep(struct stage *stage, const char *name, const char *text) {
	struct schema_pending *pending = arena_alloc(&stage->world->arena, sizeof *pending);
	*pending = (struct schema_pending){.module = name, .schema = pack(stage, text)};
	list_append(&stage->pending, &pending->link);
}

static void passes(struct stage *stage, const char *text) {
	if (schema_gate_check(&stage->control, &stage->pending, check_good(stage->world, text), &stage->err) != 0)
		fail_msg("%s", stage->err.msg);
	const struct deployment_record record = {.schema = pack(stage, text)};
	assert_int_equal(schema_gate_check_again(&stage->control, &stage->pending, &record, &stage->err), 0);
}

static void is_refused(struct stage *stage, const char *text, const char *why) {
	const struct control *control = &stage->control;
	const struct deployment_record record = {.schema = pack(stage, text)};
	assert_int_equal(schema_gate_check_again(control, &stage->pending, &record, &stage->err), -1);
	assert_int_equal(schema_gate_check(control, &stage->pending, check_good(stage->world, text), &stage->err), -1);
	assert_int_equal(stage->err.code, CODE_FAILED_PRECONDITION);
	bool is_misfit = strstr(stage->err.msg, "does not fit") != NULL;
	assert_string_equal(stage->err.reason, is_misfit ? "SCHEMA_MISFIT" : "BREAKS_CALLERS");
	assert_null(strstr(stage->err.msg, "--"));
	if (strstr(stage->err.msg, why) == NULL)
		fail_msg("expected \"%s\" in: %s", why, stage->err.msg);
}

static void test_what_is_named_must_be_there(void **state) {
	struct stage *stage = *state;
	passes(stage, catalog);
	is_refused(stage, cart, "there is no module \"catalog\"");
	activate(stage, "catalog", catalog);
	passes(stage, cart);
	is_refused(stage, cart_lists, "module \"catalog\" has no verb \"list\"");
	is_refused(stage, "module cart { export data Line { product catalog.Produkt } }", "no type \"Produkt\"");
}

static void test_what_is_named_must_be_exported(void **state) {
	struct stage *stage = *state;
	activate(stage, "catalog", "module catalog { export verb find(Unit) Int  verb hidden(Unit) Int }");
	passes(stage, "module cart { export verb total(Unit) Int +calls catalog.find\n}");
	is_refused(stage, "module cart { export verb total(Unit) Int +calls catalog.hidden\n}",
		   "does not export \"hidden\"");
	/* A schema of a client that knows no export exports everything. */
	activate(stage, "catalog", "module catalog { verb find(Unit) Int  verb hidden(Unit) Int }");
	passes(stage, "module cart { export verb total(Unit) Int +calls catalog.hidden\n}");
}

static void test_callers_must_not_break(void **state) {
	struct stage *stage = *state;
	activate(stage, "catalog", catalog);
	passes(stage, catalog_asks_more);
	activate(stage, "cart", cart);
	is_refused(stage, catalog_asks_more, "cart.total calls catalog.find: Request.shop");
	passes(stage, catalog_says_more);
	passes(stage, catalog);
	is_refused(stage, "module catalog { export data Product { name String } }", "cart.total calls catalog.find");
	/* Without its caller. */
	activate(stage, "cart", cart_alone);
	passes(stage, catalog_asks_more);
}

static void test_the_structure_of_types_decides(void **state) {
	struct stage *stage = *state;
	activate(stage, "euro",
		 "module euro { export data Price { amount Int  of Coin? }  export data Coin { size Int } }");
	activate(stage, "money",
		 "module money { export data Sum { of Piece?  amount Int }  export data Piece { size Int }  "
		 "export data Exact { amount Float } }");
	activate(stage, "catalog", "module catalog { export verb find(Unit) euro.Price }");
	activate(stage, "cart", "module cart { export verb total(Unit) Int +calls catalog.find\n}");
	/* What the new schema names no longer is looked at, too. */
	passes(stage, "module catalog { export verb find(Unit) money.Sum }");
	is_refused(stage, "module catalog { export verb find(Unit) money.Exact }",
		   "cart.total calls catalog.find: find response was euro.Price, is now money.Exact");
}

static void test_types_of_third_modules_are_followed(void **state) {
	struct stage *stage = *state;
	activate(stage, "money", "module money { export data Price { amount Int } }");
	activate(stage, "catalog", "module catalog { export data Product { price money.Price } }");
	passes(stage, "module cart { export data Line { product catalog.Product } }");
	is_refused(stage, "module money { export data Price { amount Int  of catalog.Product } }", "need each other");
	is_refused(stage, "module money { export data Coin { amount Int } }",
		   "catalog.Product uses money.Price: it is gone");
}

/* The next deployment may come up, or not. */
static void test_what_comes_up_counts_as_well(void **state) {
	struct stage *stage = *state;
	activate(stage, "catalog", catalog);
	bring_up(stage, "catalog", catalog_says_more);
	passes(stage, cart);
	is_refused(stage, cart_lists, "no verb \"list\"");
	activate(stage, "catalog", catalog_says_more);
	bring_up(stage, "catalog", catalog);
	passes(stage, cart);
	is_refused(stage, cart_lists, "being deployed just now");
	bring_up(stage, "catalog", catalog_says_more);
	passes(stage, cart_lists);
}

static void test_a_caller_that_comes_up_must_not_break(void **state) {
	struct stage *stage = *state;
	activate(stage, "catalog", catalog);
	activate(stage, "cart", cart_alone);
	bring_up(stage, "cart", cart);
	is_refused(stage, catalog_asks_more, "being deployed just now");
	assert_non_null(strstr(stage->err.msg, "cart.total calls catalog.find: Request.shop"));
	/* The active deployment of a caller counts until its next one has taken over. */
	activate(stage, "cart", cart);
	bring_up(stage, "cart", cart_alone);
	is_refused(stage, catalog_asks_more, "cart.total calls catalog.find: Request.shop");
}

/* Two deployments that each fit what runs, and not each other: the second one is refused, whichever it is. */
static void test_what_is_being_kept_counts_as_well(void **state) {
	struct stage *stage = *state;
	activate(stage, "catalog", catalog_says_more);
	activate(stage, "cart", cart_alone);
	passes(stage, catalog);
	passes(stage, cart_lists);
	keep(stage, "catalog", catalog);
	is_refused(stage, cart_lists, "being deployed just now");
	list_init(&stage->pending);
	keep(stage, "cart", cart_lists);
	is_refused(stage, catalog, "being deployed just now");
	list_init(&stage->pending);
	/* Each of several pending ones counts: any may be the last that comes up. */
	keep(stage, "catalog", catalog_says_more);
	passes(stage, cart_lists);
	keep(stage, "catalog", catalog);
	keep(stage, "catalog", catalog_says_more);
	is_refused(stage, cart_lists, "being deployed just now");
}

static void test_a_first_deployment_is_seen_while_it_is_kept(void **state) {
	struct stage *stage = *state;
	keep(stage, "catalog", catalog);
	passes(stage, cart);
	keep(stage, "cart", cart);
	is_refused(stage, catalog_asks_more, "cart.total calls catalog.find: Request.shop");
}

static void test_what_was_there_is_not_blamed_on_others(void **state) {
	struct stage *stage = *state;
	/* Made by --allow-breaking. */
	activate(stage, "catalog", catalog);
	activate(stage, "cart", cart_lists);
	passes(stage, catalog);
	passes(stage, catalog_says_more);
	passes(stage, "module other { export verb find(Unit) Int +calls catalog.find\n}");
}

/* --- what callers were deployed with ------------------------------------------------------------------------------ */

static const char cart_broken[] = "cart.total calls catalog.find: Request.shop";

static void test_killing_a_module_does_not_free_it_of_its_callers(void **state) {
	struct stage *stage = *state;
	activate(stage, "catalog", catalog);
	activate(stage, "cart", cart);
	kill_module(stage, "catalog");
	is_refused(stage, catalog_asks_more, cart_broken);
	passes(stage, catalog);
	passes(stage, catalog_says_more);
}

static void test_a_repair_is_never_refused(void **state) {
	struct stage *stage = *state;
	activate(stage, "catalog", catalog);
	activate(stage, "cart", cart);
	activate(stage, "catalog", catalog_asks_more); /* by --allow-breaking */
	passes(stage, catalog);
	passes(stage, catalog_says_more);
	bring_up(stage, "catalog", catalog);
	is_refused(stage, "module catalog { export data Product { name String } }", "cart.total calls catalog.find");
}

static void test_what_is_broken_already_is_not_blamed_on_the_next(void **state) {
	struct stage *stage = *state;
	activate(stage, "catalog", catalog);
	activate(stage, "cart", cart);
	activate(stage, "catalog", catalog_asks_more);
	passes(stage, catalog_asks_more);
	is_refused(stage, "module catalog { export data Product { name String } }", "find is gone");
	kill_module(stage, "catalog");
	is_refused(stage, catalog_asks_more, cart_broken);
}

static void test_each_caller_has_needs_of_its_own(void **state) {
	struct stage *stage = *state;
	activate(stage, "catalog", catalog);
	activate(stage, "cart", cart);
	activate(stage, "catalog", catalog_asks_more);
	activate(stage, "shop", "module shop { export verb buy(Unit) Int +calls catalog.find\n}");
	is_refused(stage, catalog, "shop.buy calls catalog.find: Request.shop");
	assert_null(strstr(stage->err.msg, "cart"));
	is_refused(stage, "module catalog { export verb list(Unit) Int }",
		   "cart.total calls catalog.find: find is gone");
	assert_non_null(strstr(stage->err.msg, "shop.buy calls catalog.find: find is gone"));
	/* A new deployment of the caller has the needs of its time. */
	activate(stage, "cart", cart);
	passes(stage, catalog_asks_more);
}

/* The cart was built for a catalog that has changed since. */
static void test_an_earlier_deployment_must_fit_as_a_caller(void **state) {
	struct stage *stage = *state;
	activate(stage, "catalog", catalog);
	struct deployment_record record = {.schema = pack(stage, cart)};
	struct need_record *needs;
	schema_gate_list_needs(&stage->control, check_good(stage->world, cart), &stage->world->arena, &needs,
			       &record.need_count);
	record.needs = needs;
	assert_int_equal(record.need_count, 1);
	assert_string_equal(record.needs[0].module, "catalog");
	needs[0].schema = pack(stage, catalog);
	activate(stage, "catalog", catalog_says_more);
	assert_int_equal(schema_gate_check_again(&stage->control, &stage->pending, &record, &stage->err), 0);
	activate(stage, "catalog", catalog_asks_more);
	assert_int_equal(schema_gate_check_again(&stage->control, &stage->pending, &record, &stage->err), -1);
	assert_string_equal(stage->err.reason, "SCHEMA_MISFIT");
	assert_non_null(strstr(stage->err.msg, cart_broken));
	passes(stage, cart); /* built anew */
}

/* Whom the callee calls in turn is of no matter: a deployment would take as long as the system is large. */
static void test_calls_of_others_are_not_followed(void **state) {
	struct stage *stage = *state;
	enum { MODULES = 2000 };
	static char names[MODULES][16];
	for (size_t i = 0; i < MODULES; i++) {
		snprintf(names[i], sizeof names[i], "m%zu", i);
		activate(stage, names[i],
			 arena_printf(&stage->world->arena, "module m%zu { export verb v(Unit) Unit +calls m%zu.v\n}",
				      i, (i + MODULES - 1) % MODULES));
	}
	passes(stage, "module m { export verb v(Unit) Unit +calls m0.v\n}");
	is_refused(stage, "module m1000 { export verb w(Unit) Unit }", "m1001.v calls m1000.v: v is gone");
}

/* The way of types is followed through as many modules as it has. */
static void test_types_are_followed_all_the_way(void **state) {
	struct stage *stage = *state;
	activate(stage, "a", "module a { export data A { x b.B } }");
	activate(stage, "b", "module b { export data B { x c.C }  export verb v(d.D) Unit }");
	activate(stage, "c", "module c { export typealias C Int }");
	activate(stage, "d", "module d { export data D {} }");
	passes(stage, "module c { export data C {} export verb v(a.A) Unit }");
	passes(stage, "module d { export data D { x a.A? } }");
	is_refused(stage, "module c { export data C { x a.A? } }",
		   "the types of \"c\" and those of \"a\" need each other");
}

int main(void) {
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		CASE(test_what_is_named_must_be_there),
		CASE(test_what_is_named_must_be_exported),
		CASE(test_callers_must_not_break),
		CASE(test_the_structure_of_types_decides),
		CASE(test_types_of_third_modules_are_followed),
		CASE(test_calls_of_others_are_not_followed),
		CASE(test_types_are_followed_all_the_way),
		CASE(test_what_comes_up_counts_as_well),
		CASE(test_a_caller_that_comes_up_must_not_break),
		CASE(test_what_is_being_kept_counts_as_well),
		CASE(test_a_first_deployment_is_seen_while_it_is_kept),
		CASE(test_what_was_there_is_not_blamed_on_others),
		CASE(test_killing_a_module_does_not_free_it_of_its_callers),
		CASE(test_a_repair_is_never_refused),
		CASE(test_what_is_broken_already_is_not_blamed_on_the_next),
		CASE(test_each_caller_has_needs_of_its_own),
		CASE(test_an_earlier_deployment_must_fit_as_a_caller),
#undef CASE
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
