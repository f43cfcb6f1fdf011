module echo {
  data Q { p Strng }
  verb a(Q) R
  enum E: String { A = "a" B = "a" }
  verb a(Unit) Unit
      +calls echo.z
}
