/// A call on its way.
struct PendingCall {
    let call: OutgoingCall
    /// On the monotonic clock.
    let deadlineNanoseconds: UInt64
    /// Sent once already, on a connection that turned out to be closed: wants a fresh one.
    var isRetry = false
}

/// First in, first out, at constant cost.
struct CallQueue {
    /// Those before `start` have been taken.
    private var calls: [PendingCall?] = []
    private var start = 0

    var count: Int { calls.count - start }

    var first: PendingCall? { start < calls.count ? calls[start] : nil }

    mutating func append(_ pending: PendingCall) { calls.append(pending) }

    mutating func prepend(_ pending: PendingCall) {
        if start == 0 {
            calls.insert(pending, at: 0)
        } else {
            start -= 1
            calls[start] = pending
        }
    }

    mutating func removeFirst() -> PendingCall? {
        guard start < calls.count else { return nil }
        let pending = calls[start]
        calls[start] = nil
        start += 1
        if start * 2 > calls.count {
            calls.removeFirst(start)
            start = 0
        }
        return pending
    }

    mutating func removeLast() -> PendingCall? { count == 0 ? nil : calls.removeLast() }

    /// Takes out those whose time is up.
    mutating func removeOverdue(at now: UInt64) -> [PendingCall] {
        var overdue: [PendingCall] = []
        var rest: [PendingCall?] = []
        for case let pending? in calls[start...] {
            if pending.deadlineNanoseconds <= now {
                overdue.append(pending)
            } else {
                rest.append(pending)
            }
        }
        if overdue.isEmpty { return [] }
        calls = rest
        start = 0
        return overdue
    }

    /// The earliest deadline. O(n).
    var dueNanoseconds: UInt64? {
        var due: UInt64?
        for case let pending? in calls[start...] {
            due = min(due ?? .max, pending.deadlineNanoseconds)
        }
        return due
    }
}
