import DiscoveryCore

/// A request on its way to a host.
struct Message {
    enum Sender {
        /// A call of a node; `repeats` marks the copy that a network made.
        case host(Int, incarnation: Int, call: UInt64)
        case provider(Int, serial: Int)
        case watcher(Int, serial: Int)
        case watcherLeft(Int, serial: Int)
    }

    enum Content {
        case peer(PeerRequest)
        case client(ClientRequest)
        /// The client of a poll hung up.
        case left
    }

    var sender: Sender
    var content: Content
}

/// What a client of the registry asks for.
enum ClientRequest {
    case register(Registration)
    case renew(InstanceKey)
    case cancel(InstanceKey)
    case set(Setting.Change)
    case poll(app: Int, latest: Int64, zone: String, hold: Int64)

    var isWrite: Bool {
        switch self {
        case .register, .cancel, .set: true
        case .renew, .poll: false
        }
    }

    var name: String {
        switch self {
        case .register: "register"
        case .renew: "renew"
        case .cancel: "cancel"
        case .set: "set"
        case .poll: "poll"
        }
    }
}

/// What it is told: the wire's code, and for a poll what it saw.
struct ClientAnswer {
    var code: Int
    var seen: Seen?
    /// Of the process that gave it: another one may have taken its place when it arrives.
    var incarnation = 0

    /// No connection, a broken one, or no answer in time.
    static let failed = ClientAnswer(code: 1, seen: nil)

    /// What a consumer would keep of one application.
    struct Seen {
        var latest: Int64
        var signature: UInt64
        var isEmpty: Bool
    }
}

/// A request that a node of ours has and may still answer.
struct PendingRequest {
    let host: Int
    let incarnation: Int
    let sender: Message.Sender
    let request: Message.Content
    /// When it arrived, by the world's time and by the host's monotonic clock.
    let arrived: Int64
    let monotonic: Int64
    /// The step of the world's nodes that took it in.
    let step: Int
    /// The source write that it became, by its number; nil for everything else.
    var write: Int?
}

/// The last poll of a watcher that came to a node.
struct HeldPoll {
    let request: UInt64
    /// The watcher's number for it.
    let serial: Int
}
