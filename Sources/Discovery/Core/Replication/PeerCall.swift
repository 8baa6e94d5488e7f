/// Names a node for as long as it runs; drawn at its start. Nodes tell it each other in a header,
/// so a node recognises itself, and another one under two addresses.
package struct NodeID: Hashable, Sendable {
    package let rawValue: UInt64

    package init(_ rawValue: UInt64) { self.rawValue = rawValue }
}

/// One request to another node. It is answered by `Input.peerReplied` with the same `id`, exactly
/// once, after `timeout` at the latest.
package struct PeerCall: Equatable, Sendable {
    package var id: UInt64
    /// host:port, as configured or as the node announced itself.
    package var address: String
    package var request: PeerRequest
    /// Nanoseconds.
    package var timeout: Int64

    package init(id: UInt64, address: String, request: PeerRequest, timeout: Int64) {
        self.id = id
        self.address = address
        self.request = request
        self.timeout = timeout
    }
}

package enum PeerRequest: Equatable, Sendable {
    /// GET nodes: asks whether the node is there, and by the header which kind it is.
    case probe
    /// GET fetch/all.
    case fetchAll
    /// POST register, renew or cancel, as nodes of the reference send them.
    case relay(Relay)
    /// POST set, likewise: all changes are in one application and zone. `version` is its
    /// `set_timestamp`.
    case set([Setting.Change], version: Int64, isSameZone: Bool)
    /// Only to a node that has told its `NodeID`.
    case exchange(Exchange)
}

/// A write as nodes of the reference send each other; always `from_zone=true`.
package struct Relay: Equatable, Sendable {
    package enum Write: Equatable, Sendable {
        case register(Record.Registered, latest: Int64)
        case renew
        case cancel
    }

    package var key: InstanceKey
    /// Carried along by renew and cancel too. Empty if it is not known.
    package var region: [UInt8]
    /// `dirty_timestamp`; of a cancel, which the reference sends without one, its version.
    package var version: Int64
    package var write: Write
    /// `replication`: true to nodes of this zone, which pass it on to nobody.
    package var isSameZone: Bool

    package init(
        key: InstanceKey, region: [UInt8], version: Int64, write: Write, isSameZone: Bool
    ) {
        self.key = key
        self.region = region
        self.version = version
        self.write = write
        self.isSameZone = isSameZone
    }
}

/// What came of a `PeerCall`.
package struct PeerReply: Equatable, Sendable {
    package enum Outcome: Equatable, Sendable {
        /// No answer, or none that makes sense; the sentence is for the log.
        case failed(String)
        /// It answered that it cannot (HTTP 5xx): that may be the request's fault or the node's.
        case unable(String)
        /// The request itself was not taken (HTTP 400, 413, or code -400 to an exchange): sending
        /// it again does not help.
        case refused(String)
        /// It takes this node for none of the cluster (code -403), whatever is sent.
        case forbidden(String)
        /// probe, relay and set: the `code`, with the instance in `data` if there was one.
        case answered(code: Int, Record?)
        /// fetchAll. An application's envs are in the keys. `skipped`: instances that are none by
        /// our rules.
        case all([Record], skipped: Int)
        case exchanged(ExchangeReply)
    }

    /// Nil: not one of our kind, or no answer at all.
    package var node: NodeID?
    package var outcome: Outcome

    package init(node: NodeID?, outcome: Outcome) {
        self.node = node
        self.outcome = outcome
    }

    /// Answered with code 0.
    var isDone: Bool {
        guard case .answered(code: 0, _) = outcome else { return false }
        return true
    }
}
