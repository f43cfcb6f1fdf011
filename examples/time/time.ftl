// Tells the time.
module time {
  export data TimeRequest {}

  export data TimeResponse {
    time Time
  }

  // The time now, in UTC.
  export verb time(time.TimeRequest) time.TimeResponse
}
