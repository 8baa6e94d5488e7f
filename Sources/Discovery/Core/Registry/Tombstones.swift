/// Remembers what was cancelled, so that a write that was on its way cannot bring it back.
///
/// A tombstone beats every write with an older or equal version. Bounded in age and number; when
/// full, the oldest goes first.
struct Tombstones {
    private struct Burial {
        let key: InstanceKey
        let deadline: Int64
    }

    private struct Tombstone {
        var version: Int64
        var deadline: Int64
    }

    private let age: Int64
    private let countMax: Int
    private var tombstones: [InstanceKey: Tombstone] = [:]
    /// In the order of their deadlines; an entry whose tombstone was renewed since is skipped.
    private var order = Queue<Burial>()
    /// Those that went because there were too many.
    private(set) var dropped = 0

    init(age: Int64, countMax: Int) {
        self.age = age
        self.countMax = countMax
    }

    var count: Int { tombstones.count }
    var nextDue: Int64? { order.first?.deadline }

    /// The version of the cancel, nil if there is none. One that is over by its age may still lie
    /// behind one that was heard of earlier and lasts longer.
    func version(of key: InstanceKey, at now: Int64) -> Int64? {
        guard !tombstones.isEmpty, let tombstone = tombstones[key], tombstone.deadline > now else {
            return nil
        }
        return tombstone.version
    }

    /// How long ago the cancel was heard of, nanoseconds.
    func age(of key: InstanceKey, at now: Int64) -> Int64 {
        guard let tombstone = tombstones[key] else { return 0 }
        return max(0, age - (tombstone.deadline - now))
    }

    /// `age`: how long ago another node heard of it; a tombstone that is passed on does not begin
    /// to live anew.
    mutating func bury(_ key: InstanceKey, version: Int64, age: Int64 = 0, at now: Int64) {
        if age >= self.age { return }
        let deadline = now.addingSaturated(self.age - age)
        if let known = self.version(of: key, at: now), known >= version { return }
        tombstones[key] = Tombstone(version: version, deadline: deadline)
        order.append(Burial(key: key, deadline: deadline))
        // Renewed tombstones leave dead entries; they may not outnumber the living for ever.
        while tombstones.count > countMax || order.count > 2 * countMax {
            if dropOldest() { dropped += 1 }
        }
    }

    mutating func forget(_ key: InstanceKey) {
        if !tombstones.isEmpty { tombstones[key] = nil }
    }

    mutating func expire(at now: Int64) {
        while let first = order.first, first.deadline <= now { _ = dropOldest() }
    }

    /// Takes out the oldest entry; whether a tombstone went with it.
    private mutating func dropOldest() -> Bool {
        guard let burial = order.popFirst() else {
            preconditionFailure("a tombstone without its entry")
        }
        guard tombstones[burial.key]?.deadline == burial.deadline else { return false }
        tombstones[burial.key] = nil
        return true
    }
}
