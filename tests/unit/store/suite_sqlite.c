/* SPDX-License-Identifier: Apache-2.0 */
#include "suite.h"

int main(void) {
	return store_suite_run("sqlite", store_sqlite_open);
}
