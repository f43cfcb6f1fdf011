module a { +created 2026-01-02T03:04:05.5Z
 verb v(Unit) Unit +calls a.v, b.c
 // x
}