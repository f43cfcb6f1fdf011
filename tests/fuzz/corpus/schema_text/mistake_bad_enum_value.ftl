module echo {
  enum Mood: String { Happy = 1  Sad }
  enum N: Int { A = "x" B = 1.5 C = 1 D = 1}
}
