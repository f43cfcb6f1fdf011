// What the shop sells.
module catalog {
  export enum Currency: String { Euro = "EUR"  Dollar = "USD" }

  // An amount in the smallest unit of its currency.
  export data Money {
    amount Int
    currency Currency
  }

  export data Product {
    sku String
    name String
    price Money
    tags [String]
  }

  export data FindRequest {
    sku String
  }

  // The product of that number.
  export verb find(catalog.FindRequest) catalog.Product
      +nonblocking
}
