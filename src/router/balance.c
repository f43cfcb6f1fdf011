/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The less busy of two replicas drawn at random: nearly as good as the least busy of all, at no cost (Mitzenmacher,
 * "The power of two choices in randomized load balancing"). Ejected replicas (outlier.h) are passed over.
 */
#include "router/balance.h"

static size_t place_of(const struct route_module *module, const struct route_replica *replica) {
	return (size_t)(replica - module->replicas);
}

/* One of the two was ejected: either is chosen when its time has come to be tried, else the next that is not ejected.
 */
static const struct route_replica *pick_around(const struct route_module *module,
					       const struct route_replica *const two[2],
					       const struct route_replica *tried, uint64_t now_ms, bool *ret_trial) {
	for (size_t i = 0; i < 2; i++) {
		if (two[i] == tried || !outlier_try(two[i]->outlier, now_ms))
			continue;
		*ret_trial = true;
		return two[i];
	}
	for (size_t i = 0; i < module->replica_count; i++) {
		size_t place = (place_of(module, two[0]) + i) % module->replica_count;
		const struct route_replica *replica = &module->replicas[place];
		if (replica != tried && !outlier_is_ejected(replica->outlier))
			return replica;
	}
	/* All are ejected, by workers that decided at the same time, or all but the one that was tried just now. */
	return two[0] == tried ? two[1] : two[0];
}

const struct route_replica *balance_pick(const struct route_module *module, const struct route_replica *tried,
					 uint64_t random, uint64_t now_ms, bool *ret_trial) {
	size_t count = module->replica_count;
	*ret_trial = false;
	if (count == 1)
		return &module->replicas[0];
	size_t first = (size_t)(random >> 32) % count;
	size_t second = (first + 1 + (size_t)(random & 0xFFFFFFFF) % (count - 1)) % count;
	const struct route_replica *a = &module->replicas[first], *b = &module->replicas[second];
	if (outlier_is_ejected(a->outlier) || outlier_is_ejected(b->outlier))
		return pick_around(module, (const struct route_replica *const[]){a, b}, tried, now_ms, ret_trial);
	if (tried == a || tried == b)
		return tried == a ? b : a;
	unsigned busy_a = outlier_under_way(a->outlier), busy_b = outlier_under_way(b->outlier);
	if (busy_a != busy_b)
		outlier_check_progress(module->outliers, busy_a < busy_b ? second : first, now_ms);
	return busy_a <= busy_b ? a : b;
}
