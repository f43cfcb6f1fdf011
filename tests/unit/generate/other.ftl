module other {
  export data Thing { of String }
  export typealias Key Kind
  export enum Kind: String { A = "a" }
  export data Ask { id Int  deep [Thing]? }
  export verb ask(Ask) Thing
  export verb nothing(Unit) Unit
  export verb plain(String) [Int]
}
