internal import DiscoveryCore
internal import DiscoveryWire

/// Who may act as a node of the cluster. What a node writes is believed: it sets versions, goes
/// on to all others, and `infra.discovery` says whom clients and nodes call.
///
/// Open to everybody until a token or addresses are configured: so is the reference, whose nodes
/// cannot send a token and are let in by their addresses.
struct PeerGuard: Sendable {
    /// What carries the token.
    static let header: StaticString = "Discovery-Token"
    static let rejection = Rejection(
        "only nodes of the cluster may send this: cluster.token or cluster.allow on this node "
            + "decides who is one, by the header Discovery-Token or by the address",
        refusal: .forbidden)

    /// Empty: none.
    private let token: [UInt8]
    private let allow: [AddressRange]

    init(token: String, allow: [AddressRange]) {
        self.token = Array(token.utf8)
        self.allow = allow
    }

    var isOpen: Bool { token.isEmpty && allow.isEmpty }

    /// Whether whoever calls from this address, as a literal, with this token is a node.
    func admits(remote: String, token given: Span<UInt8>?) -> Bool {
        if isOpen { return true }
        if let given, holdsToken(given) { return true }
        guard let address = IPAddress(remote) else { return false }
        return allow.contains { $0.contains(address) }
    }

    /// Takes as long for a wrong token as for the right one, so that nobody can guess it byte by
    /// byte; only its length shows.
    private func holdsToken(_ given: Span<UInt8>) -> Bool {
        guard !token.isEmpty, given.count == token.count else { return false }
        var difference: UInt8 = 0
        for index in token.indices { difference |= token[index] ^ given[index] }
        return difference == 0
    }

    /// Whether only nodes may send this input; its keys lie in the batch. Of a renewal nothing but
    /// the origin is looked at: a client's makes nobody a node, and they are the many.
    static func concerns(_ input: Input, in batch: borrowing Batch) -> Bool {
        switch input {
        case .renewed(_, let renewal): !renewal.origin.isClient
        case .registered(_, let registration):
            !registration.origin.isClient || namesNodes(registration.key.packed.span)
        case .cancelled(_, let cancellation):
            !cancellation.origin.isClient
                || namesNodes(batch.bytes.span.extracting(cancellation.key.range))
        case .set(_, let setting):
            !setting.origin.isClient
                || setting.changes.contains { namesNodes($0.key.packed.span) }
        case .exchanged: true
        case .fetched, .fetchedMany, .fetchedAll, .polled, .balanced, .askedForNodes, .clientLeft,
            .ticked, .scheduled, .peerReplied, .peerHungUp, .started, .announced, .drained:
            false
        }
    }

    /// Whether a packed instance key is one of `infra.discovery`, in any env.
    private static func namesNodes(_ key: Span<UInt8>) -> Bool {
        let appid = key.extracting(PackedKey.field(1, of: key).range)
        guard appid.count == Node.selfAppID.count else { return false }
        for index in Node.selfAppID.indices where appid[index] != Node.selfAppID[index] {
            return false
        }
        return true
    }
}
