/// How long things took, in buckets that double from 10 µs to 42 s.
///
/// A value without storage of its own on the heap: `record` never allocates, a copy is a snapshot.
/// Each thread keeps its own; `merge` adds them up.
struct LatencyHistogram: Sendable {
    /// The first bucket holds everything up to this: a renewal takes about as long.
    static let firstBoundNanoseconds: UInt64 = 10_000
    /// 10 µs · 2^22 is 41.9 s: the longest hold of a poll lies below it.
    static let boundsCount = 23

    /// Per bucket, the last one for everything beyond the last bound.
    private var counts = InlineArray<24, UInt64>(repeating: 0)
    /// Nanoseconds of all; stays at its maximum instead of starting again.
    private(set) var sumNanoseconds: UInt64 = 0

    init() {}

    /// Counts one thing that took so long; less than nothing counts as nothing.
    mutating func record(nanoseconds: Int64) {
        let taken = UInt64(max(nanoseconds, 0))
        counts[Self.bucket(of: taken)] &+= 1
        let (sum, overflow) = sumNanoseconds.addingReportingOverflow(taken)
        sumNanoseconds = overflow ? .max : sum
    }

    /// Adds everything another one has counted.
    mutating func merge(_ other: LatencyHistogram) {
        for index in counts.indices { counts[index] &+= other.counts[index] }
        let (sum, overflow) = sumNanoseconds.addingReportingOverflow(other.sumNanoseconds)
        sumNanoseconds = overflow ? .max : sum
    }

    /// How many things were counted.
    var count: UInt64 {
        var total: UInt64 = 0
        for index in counts.indices { total &+= counts[index] }
        return total
    }

    /// For each bound, how many took at most that long.
    var cumulative: [(boundNanoseconds: UInt64, count: UInt64)] {
        var total: UInt64 = 0
        return (0..<Self.boundsCount).map { index in
            total &+= counts[index]
            return (Self.firstBoundNanoseconds << UInt64(index), total)
        }
    }

    /// The first bucket whose bound is not below the time: the bits of how often the first bound
    /// fits into it.
    private static func bucket(of nanoseconds: UInt64) -> Int {
        guard nanoseconds > firstBoundNanoseconds else { return 0 }
        let bits = UInt64.bitWidth - ((nanoseconds - 1) / firstBoundNanoseconds).leadingZeroBitCount
        return min(bits, boundsCount)
    }
}
