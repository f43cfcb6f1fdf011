/* SPDX-License-Identifier: Apache-2.0 */
#include "suite.h"

#include <stdlib.h>

#include "store/memory.h"

/* Of the test that runs. */
static struct memory_database *database;

static int open_database(const char *place UNUSED, struct store **ret_store, struct error *err UNUSED) {
	if (database == NULL)
		database = memory_database_new();
	*ret_store = memory_database_open(database);
	return 0;
}

static void forget_database(const char *place UNUSED) {
	memory_database_free(database);
	database = NULL;
}

int main(void) {
	return store_suite_run(
		&(struct suite_backend){.name = "memory", .open = open_database, .forget = forget_database});
}
