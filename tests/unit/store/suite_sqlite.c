/* SPDX-License-Identifier: Apache-2.0 */
#include "suite.h"

#include <stdlib.h>

#include "base/memory.h"
#include "store/registry.h"

static int open_folder(const char *place, struct store **ret_store, struct error *err) {
	char *url = mem_printf("sqlite:%s", place);
	int failed = store_open(url, ret_store, err);
	free(url);
	return failed;
}

int main(void) {
	return store_suite_run(
		&(struct suite_backend){.name = "sqlite", .open = open_folder, .survives_process = true});
}
