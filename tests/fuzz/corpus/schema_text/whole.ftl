// Greets people.
//
//   and more
module echo {
  +language c
  +entry "my main"
  +bind unix
  +created 2026-01-02T03:04:05.5Z
  +owner team-a

  // Who to greet.
  export data EchoRequest {
    // Nobody when absent.
    name String? +alias json rqn +secret
  }

  data Empty {}

  data Page<T, U> {
    items [T?]
    extra {echo.Mood: {Int: echo.Page<U, [echo.Empty]>?}}
    all [Any]
    next verb time.time
  }
      +sensitive

  // How one feels.
  export enum Mood: String {
    Happy = "ha\"p\\py\n\u0001\u007fü"
    // Not happy.
    Sad = ""
  }

  enum Level: Int {
    Low = -9223372036854775808
    High = 0
  }

  enum Shape {
    Circle Float
    Other other.Thing<Bytes, Bool, Time>
  }

  // An alias.
  export typealias Id String
      +x

  export verb echo(echo.EchoRequest) echo.Empty
      +calls time.time, echo.list
      +ingress GET /users/{id} "a b" "" "+" "//c" "{}}"

  verb list(Unit) [Int]?
}
