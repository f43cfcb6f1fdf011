// Adds up what somebody wants to buy.
module cart {
  export data Item {
    sku String
    count Int
  }

  export data TotalRequest {
    items [Item]
  }

  export data Total {
    price catalog.Money
    // What was left out, as the catalog does not have it.
    missing [String]
  }

  export verb total(cart.TotalRequest) cart.Total
      +calls catalog.find
}
