/// Stops evictions where so many fall silent at once that the network is the likelier cause.
enum SelfPreservation {
    /// How many instances of a scope are late. Counted from live leases, so an eviction lowers the
    /// expectation at once.
    struct State {
        /// Instances that should be renewing.
        var expected = 0
        /// Those of them that missed renewals.
        var overdue = 0
        private(set) var isProtected = false

        /// Whether `settle` could find anything to tell.
        var isRelevant: Bool { expected > 0 || isProtected }

        /// Decides anew; returns what to tell if that changed anything.
        mutating func settle(
            percentMax: Int, scope: @autoclosure () -> ProtectionScope
        ) -> Note? {
            let allowed = SelfPreservation.allowedOverdue(of: expected, percentMax: percentMax)
            let isNow = overdue > allowed
            if isNow == isProtected { return nil }
            isProtected = isNow
            return isNow
                ? .protectionEntered(
                    scope(), overdue: overdue, expected: expected, allowed: allowed)
                : .protectionLeft(scope(), overdue: overdue, expected: expected, allowed: allowed)
        }
    }

    /// One late instance is always a dead instance, however few there are.
    static func allowedOverdue(of expected: Int, percentMax: Int) -> Int {
        max(1, expected * percentMax / 100)
    }
}

/// How many instances may be evicted within any minute: a share of all, and never none.
///
/// Counted in bins of a second over the last sixty, so no minute, wherever it starts, has more.
struct EvictionBudget {
    private let percentMax: Int
    private var bins: [Int] = Array(repeating: 0, count: 61)
    private var current: Int64 = .min
    private var spent = 0

    init(percentMax: Int) { self.percentMax = percentMax }

    /// Takes one eviction, or says that the minute has had its share. `instances`: how many there
    /// are.
    mutating func take(of instances: Int, at now: Int64) -> Bool {
        roll(to: now / Duration.second)
        // What went within this minute counted among the instances when the minute began.
        let allowed = max(1, (instances + spent) * percentMax / 100)
        if spent >= allowed { return false }
        bins[Int(current % 61)] += 1
        spent += 1
        return true
    }

    private mutating func roll(to second: Int64) {
        if current == .min || second - current >= 61 {
            for index in bins.indices { bins[index] = 0 }
            spent = 0
            current = second
        }
        while current < second {
            current += 1
            spent -= bins[Int(current % 61)]
            bins[Int(current % 61)] = 0
        }
    }
}
