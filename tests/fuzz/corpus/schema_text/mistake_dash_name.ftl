module echo {
  data my-req { a-b Int }
  verb 2nd(Unit) Unit
}
