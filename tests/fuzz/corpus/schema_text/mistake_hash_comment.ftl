# hello
module echo {
  /* x */ data A { m Int }
}
