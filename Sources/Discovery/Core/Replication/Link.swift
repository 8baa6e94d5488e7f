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
    /// Batches of this link are smaller from here on: the node did not take larger ones.
    var countMax: Int

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
