#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Sells what is in a cart."""

from dataclasses import dataclass

import ftl
from ftl_modules import cart


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
    items = [cart.Item(sku=line.sku, count=line.count) for line in order.lines]
    total = cart.total(cart.TotalRequest(items=items))
    without = f", without {', '.join(total.missing)}" if total.missing else ""
    price = f"{total.price.amount / 100:.2f} {total.price.currency.value}"
    return Receipt(text=f"{order.customer} pays {price}{without}")


if __name__ == "__main__":
    ftl.main()
