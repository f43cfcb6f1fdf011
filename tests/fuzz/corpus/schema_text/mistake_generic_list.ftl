module echo {
  data Req { names List<String>  m Map<String, Int>  a Array<Int> o Optional<Int> }
}
