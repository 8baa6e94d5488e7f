/// What one other node, or one other zone, still has to hear: keys, not messages.
///
/// What is sent is looked up when it is sent, so the newest write replaces those before it, the
/// order per instance keeps itself, and a thousand writes of one instance cost one. Writes are
/// keyed by instance; renewals, which must not allocate, by slot of the registry.
struct Outbox {
    /// A `set` of one host, and the digest of the instance it made: of the same version there may
    /// be another one since, and this change laid over that would be a third.
    struct Change {
        let change: Setting.Change
        let digest: UInt64
    }

    struct Write {
        /// The `set` that made it, while it is the only change: nodes of the reference get it as it
        /// is.
        var set: Change?
        /// The answers that wait for it to be acknowledged.
        var waiting: [UInt64] = []
        /// When the oldest change in it was made, monotonic.
        var since: Int64
        /// How often the node answered that it cannot take it.
        var attempts = 0
    }

    private var writes: [InstanceKey: Write] = [:]
    /// Keys in the order of their first change; those that are gone from `writes` are skipped.
    private var order = Queue<InstanceKey>()
    /// One bit per slot that is to be renewed.
    private var marks: [UInt64] = []
    /// The marked slots in order; those whose bit is cleared are skipped.
    private var marked = Queue<UInt32>()
    private(set) var renewalCount = 0
    /// When the first of the renewals was gathered, monotonic; nil without any.
    private(set) var renewalsSince: Int64?

    var writeCount: Int { writes.count }
    var isEmpty: Bool { writes.isEmpty && renewalCount == 0 }

    /// Writes go at once; renewals when enough of them, or enough time, has gathered.
    func isBatchDue(at now: Int64, countMax: Int, renewalDelay: Int64) -> Bool {
        if !writes.isEmpty { return true }
        guard let renewalsSince else { return false }
        return renewalCount >= countMax || now - renewalsSince >= renewalDelay
    }

    /// How long the oldest write has been waiting, nanoseconds.
    func lag(at now: Int64) -> Int64 {
        guard let first = order.all.first(where: { writes[$0] != nil }), let write = writes[first]
        else { return 0 }
        return max(0, now - write.since)
    }

    /// What was taken out comes back.
    mutating func append(_ key: InstanceKey, _ write: Write) {
        append(
            key, set: write.set, waiting: write.waiting, since: write.since,
            attempts: write.attempts)
    }

    /// `waiting`: answers that wait for it.
    mutating func append(
        _ key: InstanceKey, set: Change? = nil,
        waiting: [UInt64] = [], since now: Int64, attempts: Int = 0
    ) {
        if var write = writes[key] {
            write.set = nil
            write.waiting += waiting
            write.since = min(write.since, now)
            writes[key] = write
            return
        }
        writes[key] = Write(set: set, waiting: waiting, since: now, attempts: attempts)
        order.append(key)
    }

    mutating func popWrite() -> (key: InstanceKey, write: Write)? {
        while let key = order.popFirst() {
            if let write = writes.removeValue(forKey: key) { return (key, write) }
        }
        return nil
    }

    /// The hot path.
    mutating func renew(_ slot: UInt32, at now: Int64) {
        let word = Int(slot >> 6)
        while marks.count <= word { marks.append(0) }
        let bit: UInt64 = 1 << UInt64(slot & 63)
        if marks[word] & bit != 0 { return }
        marks[word] |= bit
        if marked.count >= 2 * renewalCount + 1_024 { gatherMarked() }
        marked.append(slot)
        renewalCount += 1
        if renewalsSince == nil { renewalsSince = now }
    }

    /// While a node is lost, slots are marked and cleared as instances come and go: what is skipped
    /// would grow without end.
    private mutating func gatherMarked() {
        marked = Queue()
        for word in marks.indices {
            var bits = marks[word]
            while bits != 0 {
                marked.append(UInt32(word << 6 + bits.trailingZeroBitCount))
                bits &= bits - 1
            }
        }
    }

    /// The slot is about to belong to another instance, or to none.
    mutating func forgetRenewal(_ slot: UInt32) {
        let word = Int(slot >> 6)
        let bit: UInt64 = 1 << UInt64(slot & 63)
        guard word < marks.count, marks[word] & bit != 0 else { return }
        marks[word] &= ~bit
        renewalCount -= 1
        if renewalCount == 0 { renewalsSince = nil }
    }

    mutating func popRenewal() -> UInt32? {
        while let slot = marked.popFirst() {
            let word = Int(slot >> 6)
            let bit: UInt64 = 1 << UInt64(slot & 63)
            if marks[word] & bit == 0 { continue }
            marks[word] &= ~bit
            renewalCount -= 1
            if renewalCount == 0 { renewalsSince = nil }
            return slot
        }
        return nil
    }

    /// Forgets all writes and returns the answers that waited for them.
    mutating func dropWrites() -> [UInt64] {
        var waiting: [UInt64] = []
        while let (_, write) = popWrite() { waiting += write.waiting }
        return waiting
    }

    /// The answers no longer wait for it; the writes stay.
    mutating func releaseWaiting() -> [UInt64] {
        var waiting: [UInt64] = []
        var kept = Queue<InstanceKey>()
        while let key = order.popFirst() {
            guard let write = writes[key] else { continue }
            waiting += write.waiting
            writes[key]?.waiting = []
            kept.append(key)
        }
        order = kept
        return waiting
    }
}
