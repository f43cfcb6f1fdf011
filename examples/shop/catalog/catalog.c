/* SPDX-License-Identifier: Apache-2.0 */
/* What the shop sells. */
#include "catalog.ftl.h"

#include <string.h>

static const char *tags[] = {"kitchen", "blue"};

static const struct catalog_Product products[] = {
	{.sku = "mug", .name = "A mug", .price = {850, catalog_Currency_Euro}, .tags = {tags, 2}},
	{.sku = "pot", .name = "A tea pot", .price = {2900, catalog_Currency_Euro}, .tags = {tags, 1}},
};

int catalog_find(struct ftl_context *ftl, const struct catalog_FindRequest *request, struct catalog_Product *response) {
	for (size_t i = 0; i < sizeof products / sizeof products[0]; i++) {
		if (strcmp(products[i].sku, request->sku) == 0) {
			*response = products[i];
			return 0;
		}
	}
	return ftl_fail(ftl, "there is no product %s", request->sku);
}
