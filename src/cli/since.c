/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/since.h"

#include "base/clock.h"
#include "base/timestamp.h"

static bool read_since(const char *since, int64_t *ret_since_ms) {
	struct timestamp time;
	uint64_t ago_ms;
	if (duration_parse(since, &ago_ms)) {
		*ret_since_ms = clock_wall_ms() - (int64_t)ago_ms;
		return true;
	}
	if (!timestamp_parse(str_from(since), &time))
		return false;
	*ret_since_ms = time.seconds * 1000 + time.nanos / 1000000;
	return true;
}

int since_read(const struct cli *cli, const struct since_range *range, uint32_t *ret_tail, int64_t *ret_since_ms) {
	uint64_t tail = range->since != NULL ? UINT32_MAX : 100;
	int64_t since_ms = 0;
	if (range->tail != NULL && (!str_to_u64(str_from(range->tail), &tail) || tail > ARGS_COUNT_MAX))
		return cli_usage(cli, "--tail is \"%s\"; it must be a number from 0 to %d", range->tail,
				 ARGS_COUNT_MAX);
	if (range->since != NULL && !read_since(range->since, &since_ms))
		return cli_usage(cli,
				 "--since is \"%s\"; it must be 10m, 2h, 1d, or a time such as 2026-01-31T08:00:00Z",
				 range->since);
	*ret_tail = (uint32_t)MIN(tail, (uint64_t)UINT32_MAX);
	*ret_since_ms = since_ms;
	return EXIT_DONE;
}
