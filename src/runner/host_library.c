/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/host.h"

struct host *host_library_start(const struct host_options *options, struct error *err) {
	error_set(err, CODE_UNIMPLEMENTED, "%s: shared objects are not hosted yet", options->entry);
	return NULL;
}
