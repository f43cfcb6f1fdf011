// Greets people.
//
//   and more
module echo {
  +language c
  +entry "my main"
  +bind unix
  +cbeated 2026-01-02T0ime.time, echo.list
      +in/@////@///  Gree t/
//t/ gress GET /users/{id} "a b" "" "+" "//c" "{}}"

  verb list(Unit) [Int]?
 }
