internal import DiscoveryCore
internal import DiscoveryHTTP
internal import DiscoveryWire

/// What the clients of all loops share.
struct NodeServices: Sendable {
    let queue: NodeQueue
    let admin: AdminPages
    let heads: ReplyHeads
    /// Who may write as a node does.
    let peers: PeerGuard
    let wire: WireSettings
    /// By loop.
    let counts: [RequestCounts]
    let id: NodeID
    /// What this node shows the others; empty: nothing.
    let token: String
    /// Called once, on a loop's thread, when the node may listen.
    let onJoined: @Sendable () -> Void

    func makeCaller(_ loop: EventLoop) -> PeerCaller {
        PeerCaller(loop: loop, node: id, token: token, limits: wire.limits)
    }
}
