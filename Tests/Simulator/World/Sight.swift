import DiscoveryCore

/// What a checker gets to see.
enum Sight {
    /// A process began to run on the host, or is gone from it.
    case started(Host)
    case stopped(Host)
    /// A request came to a node of ours, which has not seen it yet.
    case received(Host, RequestID, PendingRequest)
    case answered(Host, RequestID, PendingRequest, Answer)
    /// Nobody waits for this answer, or not any more.
    case answeredUnasked(Host, RequestID)
    case sent(Host, PeerCall)
    case replied(Host, PeerCall, PeerReply)
    case noted(Host, Note)
    case willStep(Host)
    case stepped(Host)
    case wrote(SourceWrite)
    /// The client that wrote was answered with 0, or will be if the network lets it.
    case acknowledged(SourceWrite, elapsed: Int64)
    case watched(Watcher, PendingRequest)
    case healed
    case mustHaveConverged
    case ended
}

/// Watches everything that happens for violations of one rule.
protocol Checker: AnyObject {
    var name: String { get }
    /// What is wrong, nil if nothing is.
    func see(_ sight: Sight, _ world: World) -> String?
}
