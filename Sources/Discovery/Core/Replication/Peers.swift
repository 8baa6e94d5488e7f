/// The other nodes that this one knows of, by address.
///
/// Seeds are known for ever; the others as long as their instance of `infra.discovery` lives.
struct Peers {
    enum Health {
        /// Nobody has answered there yet, and nobody has failed to.
        case untried
        case healthy
        case lost
    }

    struct Peer {
        /// Names it in calls and links; never used again.
        let number: UInt32
        let address: String
        var zone: String
        var isSeed: Bool
        /// Announced in `infra.discovery`.
        var isMember = false
        var node: NodeID?
        var kind = PeerReport.Kind.unknown
        var health = Health.untried
        /// It has answered before: only such a node is written to while it is lost.
        var hasLived = false
        /// It has been found just now: nothing was kept for it before.
        var isNew = false
        /// A question to it failed, or its connection ended: a probe finds out whether the node is
        /// gone.
        var isDoubted = false
        /// It is this node itself.
        var isSelf = false
        /// It answers, but takes this node for none of the cluster: lost until that changes.
        var isShutOut = false
        /// The version of its instance of `infra.discovery` that was read last.
        var announced: Int64?
        /// Failed calls in a row.
        var failures = 0
        /// When to look after it next, monotonic: a probe, or a comparison.
        var nextLook: Int64
        /// When that was done last, monotonic.
        var lookedAt: Int64?
        /// When everything is compared with a node that knows no digest, monotonic.
        var nextComparison: Int64 = 0
        /// When a comparison of either kind was begun last, monotonic.
        var comparedAt: Int64?
        /// When it was found again after it had been lost, monotonic.
        var recoveredAt: Int64?
        /// When it answered last, monotonic.
        var heard: Int64?
        /// What is under way with it besides the writes; one call at a time.
        var session = RepairSession.idle
        /// The call of the session, while it waits for one.
        var sessionCall: UInt64?
        var statistics = PeerStatistics()

        /// Whether writes for it are kept.
        var isTarget: Bool { !isSelf && (health != .lost || hasLived) }
    }

    /// Whatever asks for a look at once, a node is not looked after more often than this.
    static let lookPause = 100 * Duration.millisecond

    private(set) var all: [Peer] = []
    private var lastNumber: UInt32 = 0
    /// Announced nodes that are not taken in because there are too many.
    var refused = 0

    subscript(index: Int) -> Peer {
        get { all[index] }
        set { all[index] = newValue }
    }

    var indices: Range<Int> { all.indices }

    /// Numbers ascend in `all`.
    func index(of number: UInt32) -> Int? {
        var (low, high) = (0, all.count)
        while low < high {
            let middle = (low + high) / 2
            if all[middle].number < number { low = middle + 1 } else { high = middle }
        }
        return low < all.count && all[low].number == number ? low : nil
    }

    func index(at address: String) -> Int? { all.firstIndex { $0.address == address } }

    @discardableResult
    mutating func add(
        _ address: String, zone: String, isSeed: Bool, at now: Int64, countMax: Int
    ) -> Int? {
        if let known = index(at: address) {
            if isSeed { all[known].isSeed = true }
            return known
        }
        if all.count >= countMax {
            refused += 1
            return nil
        }
        lastNumber += 1
        all.append(
            Peer(
                number: lastNumber, address: address, zone: zone, isSeed: isSeed, nextLook: now))
        return all.count - 1
    }

    /// Has the peer looked after as soon as it may be.
    mutating func look(at index: Int, _ now: Int64) {
        let earliest = all[index].lookedAt.map { $0.addingSaturated(Peers.lookPause) }
        all[index].nextLook = max(now, earliest ?? now)
    }

    mutating func remove(at index: Int) { all.remove(at: index) }

    /// Of the addresses that one node answers at one is used: one that lives, and sooner the one it
    /// has announced. A seed may be a balancer's, where another node answers next.
    func isAlias(_ index: Int) -> Bool {
        guard let node = all[index].node else { return false }
        return all.indices.contains { other in
            if other == index || all[other].node != node { return false }
            let isOtherHealthy = all[other].health == .healthy
            let isHealthy = all[index].health == .healthy
            if isOtherHealthy != isHealthy { return isOtherHealthy }
            if all[other].isMember != all[index].isMember { return all[other].isMember }
            return other < index
        }
    }
}

/// Counted per node; only ever grows, but for what is said to be of the last comparison.
package struct PeerStatistics: Equatable, Sendable {
    package var writesSent = 0
    package var renewalsSent = 0
    package var calls = 0
    package var callsFailed = 0
    /// Writes that were told again because the node did not answer.
    package var retries = 0
    /// Writes it did not take, whatever was tried.
    package var refused = 0
    /// Records taken over from it, or sent to it, because a comparison found them missing.
    package var repairs = 0
    /// Instances it told of that could not be taken over, in the last comparison.
    package var skipped = 0
    /// Instances that differed in the last comparison.
    package var divergent = 0
    package var comparisons = 0
}
