module echo {
  enum M: String { A = "x }
}
