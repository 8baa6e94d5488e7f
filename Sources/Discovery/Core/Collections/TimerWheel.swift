/// Due times of slab slots, in rounds of equal ticks: schedule, move and cancel cost the same
/// however many are waiting.
///
/// A slot is due at the first whole tick at or after its time, never before. What lies beyond the
/// horizon is due at the horizon: the owner looks whether its time has come and schedules it again.
struct TimerWheel {
    private static let none = UInt32.max

    private struct Link {
        var next = TimerWheel.none
        var previous = TimerWheel.none
        /// Index into `heads`, or `none` while not scheduled.
        var bucket = TimerWheel.none
    }

    private let tick: Int64
    private let mask: Int64
    /// The first tick that has not been emptied. Nothing is scheduled before it.
    private var current: Int64
    private var heads: [UInt32]
    private var tails: [UInt32]
    /// One bit per bucket, set while it holds anything: finds the next one without a walk.
    private var occupied: [UInt64]
    private var links: [Link] = []
    private(set) var count = 0

    /// `buckets` must be a power of two and at least 64. Times are nanoseconds.
    init(tick: Int64, buckets: Int, now: Int64) {
        precondition(buckets >= 64 && buckets & (buckets - 1) == 0, "buckets: a power of two >= 64")
        self.tick = tick
        mask = Int64(buckets - 1)
        current = now / tick
        heads = Array(repeating: TimerWheel.none, count: buckets)
        tails = heads
        occupied = Array(repeating: 0, count: buckets / 64)
    }

    func isScheduled(_ slot: UInt32) -> Bool {
        Int(slot) < links.count && links[Int(slot)].bucket != TimerWheel.none
    }

    /// Passes ticks that hold nothing, so that the horizon is as far ahead of `now` as it can be.
    /// `popDue` does it too, but nobody calls that while nothing is due.
    mutating func catchUp(to now: Int64) {
        let tickNow = now / tick
        if current < tickNow { current = min(nextTick ?? tickNow, tickNow) }
    }

    /// Schedules `slot` at `time`, wherever it was scheduled before.
    mutating func schedule(_ slot: UInt32, at time: Int64) {
        while links.count <= Int(slot) { links.append(Link()) }
        cancel(slot)
        let whole = time / tick + (time % tick > 0 ? 1 : 0)
        let bucket = Int(min(max(whole, current), current + mask) & mask)
        links[Int(slot)] = Link(
            next: TimerWheel.none, previous: tails[bucket], bucket: UInt32(bucket))
        if tails[bucket] == TimerWheel.none {
            heads[bucket] = slot
            occupied[bucket >> 6] |= 1 << UInt64(bucket & 63)
        } else {
            links[Int(tails[bucket])].next = slot
        }
        tails[bucket] = slot
        count += 1
    }

    mutating func cancel(_ slot: UInt32) {
        guard isScheduled(slot) else { return }
        let link = links[Int(slot)]
        let bucket = Int(link.bucket)
        if link.previous == TimerWheel.none {
            heads[bucket] = link.next
        } else {
            links[Int(link.previous)].next = link.next
        }
        if link.next == TimerWheel.none {
            tails[bucket] = link.previous
        } else {
            links[Int(link.next)].previous = link.previous
        }
        if heads[bucket] == TimerWheel.none { occupied[bucket >> 6] &= ~(1 << UInt64(bucket & 63)) }
        links[Int(slot)] = Link()
        count -= 1
    }

    /// Takes out one slot that is due, oldest tick first, in the order of scheduling within a tick.
    mutating func popDue(at now: Int64) -> UInt32? {
        let last = now / tick
        while current <= last {
            let head = heads[Int(current & mask)]
            if head != TimerWheel.none {
                cancel(head)
                return head
            }
            guard let next = nextTick else {
                current = last + 1
                return nil
            }
            current = min(next, last + 1)
        }
        return nil
    }

    /// When to call `popDue` next, or nil while nothing is scheduled.
    var nextDue: Int64? { nextTick.map { $0 * tick } }

    private var nextTick: Int64? {
        if count == 0 { return nil }
        let start = Int(current & mask)
        // The word of `start` is looked at twice: its high bits first, its low bits last.
        for step in 0...occupied.count {
            let word = (start >> 6 + step) % occupied.count
            var bits = occupied[word]
            if step == 0 { bits &= UInt64.max << UInt64(start & 63) }
            if bits != 0 {
                let bucket = Int64(word << 6 + bits.trailingZeroBitCount)
                return current + ((bucket - Int64(start)) & mask)
            }
        }
        return nil
    }
}
