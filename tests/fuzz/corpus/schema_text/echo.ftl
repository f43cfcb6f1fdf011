// Greets people.
// Well.
module echo {
  // Who to greet.
  export data EchoRequest { name String?  // how
     mood Mood level {Level: Bool} by {Mood: Int} n {Int: Unit} }
  data EchoResponse { message String  at Time  tags [String]  counts {String: Int} shape Shape page Page<[Int?]> raw Bytes any Any f Float v verb time.time self EchoResponse? box Box<Id> }
  data Page<T> { items [T]  next Box<Page<T>?> opt Box<T>? }
  data Box<T> { value T }
  enum Mood: String { Happy = "happy"  Sad = "sad" }
  enum Level: Int { A = 1 B = -2 }
  enum Shape { 
   // Round
   Circle Float  Label String }
  typealias Id String?
  // Greets.
  export verb echo(echo.EchoRequest) echo.EchoResponse
      +calls time.time
  export verb list(Unit) [Page<Id>]
  verb hidden(Unit) Unit
}
