/// One reading of both clocks. The caller of `Node` reads them; Core never does.
package struct Moment: Equatable, Sendable {
    /// Nanoseconds since 1970. Stamps what clients and peers see; may step in either direction.
    package var wall: Int64
    /// Nanoseconds since an arbitrary start. Drives leases and polls; never steps.
    package var monotonic: Int64

    package init(wall: Int64, monotonic: Int64) {
        self.wall = wall
        self.monotonic = monotonic
    }
}

/// Durations in nanoseconds.
package enum Duration {
    package static let millisecond: Int64 = 1_000_000
    package static let second: Int64 = 1_000_000_000
    package static let minute: Int64 = 60 * second
    package static let hour: Int64 = 60 * minute
    package static let day: Int64 = 24 * hour
}

extension Int64 {
    /// The sum, held at the ends of the range. Stamps arrive from other programs, so their
    /// arithmetic must not trap.
    package func addingSaturated(_ other: Int64) -> Int64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? (other < 0 ? .min : .max) : sum
    }
}
