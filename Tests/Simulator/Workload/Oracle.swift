import DiscoveryCore

/// A write of a client as the node that took it stored it.
struct SourceWrite {
    enum Kind { case register, set, cancel }

    let number: Int
    let kind: Kind
    let key: InstanceKey
    /// The version the node gave it.
    let version: Int64
    /// Of content and status; 0 for a cancel.
    let signature: UInt64
    let host: Int
    let incarnation: Int
    let time: Int64
    /// Nodes that the writing node held healthy when it took the write.
    var healthy: [PeerReport] = []
    /// Hosts that held the instance then, whose letting go of it shows that they know of a cancel.
    var holders: [Int] = []
    var isAcknowledged = false
    /// Processes that held it when it was acknowledged.
    var witnesses: [(host: Int, incarnation: Int)] = []
}

/// What was written, in the order of the world's time; ordered per instance.
struct Oracle {
    private(set) var writes: [SourceWrite] = []
    private var byKey: [InstanceKey: [Int]] = [:]
    /// Instances of which something was written that no node has told the version of.
    private(set) var uncertain: Set<InstanceKey> = []

    mutating func add(_ write: SourceWrite) {
        writes.append(write)
        byKey[write.key, default: []].append(write.number)
    }

    var nextNumber: Int { writes.count }

    mutating func doubt(_ key: InstanceKey) { uncertain.insert(key) }

    mutating func change(_ number: Int, _ change: (inout SourceWrite) -> Void) {
        change(&writes[number])
    }

    func writes(of key: InstanceKey) -> [SourceWrite] {
        (byKey[key] ?? []).map { writes[$0] }
    }
}
