// Greets people and tells them the time.
module echo {
  export data EchoRequest {
    // Who to greet.
    name String
  }

  export data EchoResponse {
    message String
  }

  // Greets someone.
  export verb echo(echo.EchoRequest) echo.EchoResponse
      +calls time.time
}
