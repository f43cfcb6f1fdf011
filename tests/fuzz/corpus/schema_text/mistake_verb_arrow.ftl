module echo {
  verb echo(Unit) -> Unit
}
