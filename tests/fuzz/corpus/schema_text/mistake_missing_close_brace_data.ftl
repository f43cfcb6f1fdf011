module echo {
  data Req {
    name String

  verb echo(Unit) Unit
}
