// What the shop sells.
module catalog {
  +language c
  +entry catalog.so
  +created 2026-11-24T00:46:22.619Z

  export enum Currency: String {
    Euro = "EUR"
    Dollar = "USD"
  }

  // An amount in the smallest unit of its currency.
  export data Money {
    amount Int
    currency catalog.Currency
  }

  export data Product {
    sku String
    name String
    price catalog.Money
    tags [String]
  }

  export data FindRequest {
    sku String
  }

  // The product of that number.
  export verb find(catalog.FindRequest) catalog.Product
      +nonblocking
}
