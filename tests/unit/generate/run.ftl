// Names that generated C might be tempted to use itself, and every type as a request and as a response. It is compiled
// as an author would compile it who is strict.
module run {
  +start
  +stop

  export data Page<T> { items [T]  next Int?  more Page<T>? }
  export data Default { int Int  default String  class Bool  nothing Unit  empty Empty  any Any?  bytes Bytes  at Time?  f Float? }
  data Empty {}
  data json { members [run.verbs] }
  data members { json run.json? }
  typealias table run.members
  enum verbs: String { run = "run"  json = "json" }
  export enum Mood: String { Happy = "happy\"\\?? \u00e9"  kind = ""  Sad = "sad" }
  export enum Level: Int { Low = -9223372036854775808  Mid = 0  High = 9223372036854775807 }
  export enum Shape {
    Circle Float  Label String  kind Int  Sub Shape?  Nothing Unit  List [Shape]  One Page<Mood>  M {Mood: Level}
  }
  enum Only { U Unit }
  typealias Ids [String]
  typealias MaybeShape Shape?
  export data Tree {
    left Tree?  kids [Tree]  by {String: Tree}  levels {Level: [Mood?]}  deep [[[{Int: [Ids?]}?]]]  shape Shape
    only Only?  maybe MaybeShape  verb verb run.tree  other verb run.tree?  many [Empty]  unit Unit?  units [Unit]
    list [Int]?  map {String: Int}?  data Default?  pages Page<Page<Tree>>  members run.table
  }

  export verb tree(Tree) Tree
  export verb int(Int) Int?
  export verb float(Float?) Float
  export verb bool(Bool) Bool?
  export verb string(String) String?
  export verb unit(Unit?) Unit?
  export verb list([Int]) [[Int]]
  export verb map({String: Int}) {Level: Mood}
  export verb mood(Mood) Level
  export verb level(Level?) Mood?
  export verb shape(Shape) Shape?
  export verb any(Any) Any?
  export verb bytes(Bytes) Bytes?
  export verb time(Time) Time?
  export verb alias(Ids) MaybeShape
  export verb name(verb run.tree) verb run.int?
  export verb nothing(Unit) Unit
      +calls run.tree, run.int, run.float, run.bool, run.string, run.unit, run.list, run.map, run.mood, run.level
      +calls run.shape, run.any, run.bytes, run.time, run.alias, run.name, run.nothing
}
