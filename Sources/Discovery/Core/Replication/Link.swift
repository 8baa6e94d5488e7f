/// The way to one node of this zone, or to another zone as a whole: an outbox, and what of it is
/// under way.
///
/// A zone is written to through one contact; when that is lost, what it has not acknowledged goes
/// to another one.
struct Link {
    enum Destination: Equatable {
        /// The number of a peer in this node's zone.
        case peer(UInt32)
        case zone(String)
    }

    /// One call that has not been answered, with what has to be told again if it never is.
    struct Flight {
        let call: UInt64
        var writes: [(key: InstanceKey, write: Outbox.Write)] = []
        /// The renewals of a batch, in its order; of a relayed renewal its key is in `renewed`.
        var changes: Changes?
        var renewed: InstanceKey?
        /// Of writes that were refused among others.
        var isDoubted = false
    }

    let number: UInt32
    var destination: Destination
    /// The node in this zone that it leads to, as far as it has told its name: under another
    /// address it is still that one.
    var node: NodeID?
    /// The number of the peer that is written to; nil while the zone has none that lives.
    var contact: UInt32?
    var outbox = Outbox()
    var flights: [Flight] = []
    /// Writes that were given up because there were too many.
    var overflows = 0
    /// Writes of batches that the node refused: told apart from all others, by halves, until the
    /// one that it does not take is alone.
    var doubted = Outbox()
    /// How many of them may be in one batch; as many as of others when there are none.
    var doubtedMax: Int
    /// The last batch was of them: now it is the turn of the others.
    var hasToldDoubted = false

    var isToldAll: Bool { outbox.isEmpty && doubted.isEmpty && flights.isEmpty }

    /// Instances of which a write waits or is under way.
    var writeCount: Int {
        outbox.writeCount + doubted.writeCount + flights.reduce(0) { $0 + $1.writes.count }
    }

    /// How long ago the oldest of those writes was made, nanoseconds.
    func lag(at now: Int64) -> Int64 {
        let underWay = flights.flatMap(\.writes).map { now - $0.write.since }.max() ?? 0
        return max(0, underWay, outbox.lag(at: now), doubted.lag(at: now))
    }

    var isSameZone: Bool {
        switch destination {
        case .peer: true
        case .zone: false
        }
    }

    /// Whether a call about this instance is under way.
    func holds(_ key: InstanceKey) -> Bool {
        flights.contains { flight in
            flight.renewed == key || flight.writes.contains { $0.key == key }
        }
    }
}
