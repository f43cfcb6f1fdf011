/* SPDX-License-Identifier: Apache-2.0 */
#include "router/call_observer.h"

void call_observers_begin(const struct call_observers *observers, const struct call_info *call,
			  const struct http_headers *received, void **tokens) {
	for (size_t i = 0; i < CALL_OBSERVERS_MAX && observers->items[i] != NULL; i++)
		observers->items[i]->begin(observers->items[i], call, received, &tokens[i]);
}

void call_observers_attempt(const struct call_observers *observers, const struct call_info *call,
			    const struct route_replica *replica, const struct http_headers *added, void **tokens) {
	for (size_t i = 0; i < CALL_OBSERVERS_MAX && observers->items[i] != NULL; i++)
		observers->items[i]->attempt(observers->items[i], call, replica, added, &tokens[i]);
}

void call_observers_end(const struct call_observers *observers, const struct call_info *call,
			const struct call_outcome *outcome, void **tokens) {
	for (size_t i = 0; i < CALL_OBSERVERS_MAX && observers->items[i] != NULL; i++)
		observers->items[i]->end(observers->items[i], call, outcome, &tokens[i]);
}
