import DiscoveryCore

/// The clocks of one machine, as functions of the world's time.
struct HostClock {
    /// 2023-11-14, so that stamps look like stamps.
    static let epoch: Int64 = 1_700_000_000 * Duration.second

    /// How far the wall clock is off; may step at any time.
    var wallOffset: Int64 = 0
    /// How much faster than true time both clocks run, parts per million.
    var drift: Int64 = 0
    let monotonicStart: Int64

    func moment(at time: Int64) -> Moment {
        let run = elapsed(time)
        return Moment(wall: HostClock.epoch + wallOffset + run, monotonic: monotonicStart + run)
    }

    /// When the monotonic clock reaches `due`; not before `now`.
    func time(of due: Int64, now: Int64) -> Int64 {
        let rest = due.subtractingReportingOverflow(monotonicStart + elapsed(now))
        guard !rest.overflow, rest.partialValue > 0 else { return now }
        var time = now + rest.partialValue
        time -= rest.partialValue / 1_000_000 * drift
        time = max(now, time)
        while monotonicStart + elapsed(time) < due {
            time += due - monotonicStart - elapsed(time)
        }
        return time
    }

    private func elapsed(_ time: Int64) -> Int64 { time + time / 1_000 * drift / 1_000 }
}
