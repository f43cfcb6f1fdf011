/* SPDX-License-Identifier: Apache-2.0 */
/* Adds up what somebody wants to buy. */
#include "cart.ftl.h"

int cart_total(struct ftl_context *ftl, const struct cart_TotalRequest *request, struct cart_Total *response) {
	response->price.currency = catalog_Currency_Euro;
	response->missing.items = ftl_alloc(ftl, request->items.count * sizeof *response->missing.items);
	for (size_t i = 0; i < request->items.count; i++) {
		const struct cart_Item *item = &request->items.items[i];
		struct catalog_FindRequest wanted = {.sku = item->sku};
		struct catalog_Product product;
		if (item->count < 1)
			return ftl_refuse(ftl, "request.items[%zu].count: at least 1 is bought", i);
		if (call_catalog_find(ftl, &wanted, &product) == 0)
			response->price.amount += product.price.amount * item->count;
		else if (ftl->error_code == FTL_UNKNOWN) /* it answered, but has no such product */
			response->missing.items[response->missing.count++] = item->sku;
		else
			return -1;
	}
	return 0;
}
