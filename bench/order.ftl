// What bench/json.c takes and gives back: about 1 KiB of JSON.
module order {
  export data Customer { name String  email String  city String?  since Time }
  export enum Currency: String { Euro = "EUR"  Dollar = "USD" }
  export data Line { sku String  name String  count Int  price Float  tags [String] }
  export data Order { id Int  customer Customer  currency Currency  express Bool  lines [Line]  note String? }
  export verb echo(order.Order) order.Order
}
