/// What a node is finding out about another one, besides the writes: one call at a time.
enum RepairSession {
    case idle
    case probing
    /// Taking over everything, page by page; now the one from this leaf on.
    case pulling(leaf: UInt32)
    /// Waiting for `fetch/all`.
    case fetchingAll
    /// Comparing what `fetch/all` told, in slices.
    case comparingAll(Comparison)
    /// Waiting for the other's fingerprint, or its rows.
    case comparing
    /// Waiting for the leaves of some rows.
    case listing(Listing)
    /// Waiting for the differences of some leaves.
    case settling(Listing)

    var isProbing: Bool {
        if case .probing = self { return true }
        return false
    }

    var isIdle: Bool {
        if case .idle = self { return true }
        return false
    }
}

/// How far a comparison of digests has come.
struct Listing {
    /// The other node does not know all instances yet itself.
    let isProtected: Bool
    /// Rows that differ and whose leaves have not been asked for, last first.
    var instanceRows: [UInt16]
    var appRows: [UInt16]
    /// The rows asked for now.
    var askedInstanceRows: [UInt16] = []
    var askedAppRows: [UInt16] = []
    /// Leaves that differ and have not been settled, last first.
    var instanceLeaves: [UInt32] = []
    var appLeaves: [UInt32] = []
    /// The leaves that are being settled; asked for again if the answer was partial.
    var askedInstanceLeaves: [UInt32] = []
    var askedAppLeaves: [UInt32] = []
    var differences = 0
}

/// Compares everything with a node that knows no digest, some instances per step.
struct Comparison {
    /// What the node holds.
    let records: [Record]
    /// How many of them have been merged.
    var merged = 0
    /// Its versions by key; only looked up.
    var versions: [InstanceKey: Int64] = [:]
    /// The next slot of the registry that is looked at.
    var slot: UInt32 = 0
    var differences = 0
}
