// Every construct of the language, /* and */ in a comment as well.
module m {
  +start
  +stop
  // A thing in a list.
  data Item {
    // What it is called.
    name String
    price Float?
    next Item?
  }
  data Order { items [Item]  counts {String: Int}  note Maybe }
  data Page<T> { items [T]  more Box<T>? }
  data Box<U> { value U }
  data Both<A, B> { a A  b Box<B> }
  typealias Maybe String?
  typealias Alias Item
  typealias Id String
  enum Mood: String { Happy = "happy"  Sad = "sad"  Odd = "a \"b\" ??/ é" }
  enum Level: Int { Low = -9223372036854775808  High = 5 }
  enum Shape { Circle Float  Named [Mood]  None Unit  kind Item  Again Twice }
  data Twice { left Shape  right Tree? }
  enum Expr { Number Int  Negative Expr  Sum [Expr] }
  typealias Key Mood
  typealias Levels {Level: Bool}
  typealias Ints {Int: Bool}
  typealias Moods {Key: Bool}
  typealias Foreign {other.Key: other.Thing}
  data Tree { children Nodes  by_name {String: Tree} }
  typealias Nodes [Tree]
  data Refs { verb verb other.ask  thing other.Thing  kind other.Kind  maybe verb other.ask? }
  data Words { int Int  default String  int_ Bool  unix Any  _x Unit }
  data Options {
    a Int?  b Float?  c Bool?  d Time?  e Mood?  f String?  g Bytes?  h Any?  i [Int]?  j {String: Int}?
    k Shape?  l Unit?  m Level?  n Maybe  o Id?  p verb other.ask?
  }
  data Empty {}
  data Plain { at Time  raw Bytes  ok Bool  any Any  ids [Id]  lists [[Int?]]  boxes [Item?]  texts [String?] }

  export verb v_int(Int) Int
  export verb v_float(Float) Float
  export verb v_string(String) String
  export verb v_bool(Bool) Bool
  export verb v_time(Time) Time
  export verb v_bytes(Bytes) Bytes
  export verb v_any(Any) Any
  export verb v_unit(Unit) Unit
      +nonblocking
  export verb v_maybe_int(Int?) Int?
  export verb v_maybe_items([Item?]) [Item?]
  export verb v_ints([Int]) [Int]
  export verb v_lists([[Int]]) [[Int]]
  export verb v_map({String: Int}) {String: Int}
  export verb v_map_keys(Ints) Ints
  export verb v_levels(Levels) Levels
  export verb v_moods(Moods) Moods
  export verb v_foreign(Foreign) Foreign
  export verb v_item(Item) Item
  export verb v_alias(Alias) Alias
  export verb v_order(Order) Order
  export verb v_page(Page<Int>) Page<Int>
  export verb v_box(Box<Maybe>) Box<Maybe>
  export verb v_both(Both<Int, [Mood]>) Both<Int, [Mood]>
  export verb v_mood(Mood) Mood
  export verb v_level(Level) Level
  export verb v_shape(Shape) Shape
  export verb v_expr(Expr) Expr
  export verb v_tree(Tree) Tree
  export verb v_refs(Refs) Refs
  export verb v_words(Words) Words
  export verb v_options(Options) Options
  export verb v_empty(Empty) Empty
  export verb v_plain(Plain) Plain

  // Calls all of them.
  verb asks(Int) Item
      +calls other.ask, other.nothing, m.v_item
  verb asks_again(Unit) [Int]
  verb writes(Int) Any
      +calls other.plain, other.ask
}
