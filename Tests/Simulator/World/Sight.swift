import DiscoveryCore

/// What a checker gets to see.
enum Sight {
    /// A process began to run on the host, or is gone from it.
    case started(Host)
    case stopped(Host)
    /// A request came to a node of ours, which has not seen it yet.
    indirect case received(Host, RequestID, PendingRequest)
    indirect case answered(Host, RequestID, PendingRequest, Answer)
    /// Nobody waits for this answer, or not any more.
    case answeredUnasked(Host, RequestID)
    indirect case sent(Host, PeerCall)
    indirect case replied(Host, PeerCall, PeerReply)
    indirect case noted(Host, Note)
    case willStep(Host)
    case stepped(Host)
    indirect case wrote(SourceWrite)
    /// The client that wrote was answered with 0, or will be if the network lets it.
    indirect case acknowledged(SourceWrite, elapsed: Int64)
    /// The node is about to take a new schedule of this application, of which it holds instances.
    case scheduled(Host, AppKey)
    case healed
    case mustHaveConverged
    case ended
}

/// Watches everything that happens for violations of one rule.
protocol Checker: AnyObject {
    var name: String { get }
    /// Whether it looks at `willStep` and `stepped`, which are most of what there is to see.
    var seesSteps: Bool { get }
    /// What is wrong, nil if nothing is.
    func see(_ sight: Sight, _ world: World) -> String?
}

extension Checker {
    var seesSteps: Bool { false }
}
