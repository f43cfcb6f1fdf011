#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Sells what is in a cart."""

from dataclasses import dataclass

import ftl


@dataclass
class Line:
    sku: str
    count: int


@dataclass
class Order:
    customer: str
    lines: list[Line]


@dataclass
class Receipt:
    text: str


@ftl.verb
def buy(order: Order) -> Receipt:
    """Writes the receipt."""
    total = ftl.call("cart.total", {"items": [{"sku": line.sku, "count": line.count} for line in order.lines]})
    price = f"{total['price']['amount'] / 100:.2f} {total['price']['currency']}"
    without = f", without {', '.join(total['missing'])}" if total["missing"] else ""
    return Receipt(text=f"{order.customer} pays {price}{without}")


if __name__ == "__main__":
    ftl.main()
