/// What a loop accepts at most. Every limit has an answer and a counter; see `LoopStatistics`.
package struct HTTPLimits: Sendable {
    /// Open connections per loop. At the limit accepting pauses until one is closed; the kernel's
    /// backlog holds the newcomers meanwhile.
    package var connectionsMax = 20_000
    /// Bytes of a request line and headers together, and of trailers. Over it: 400 and close.
    package var headBytesMax = 16 * 1024
    /// Bytes of a request body without its framing. Over it: 413 and close.
    package var bodyBytesMax = 256 * 1024
    /// From a head's first byte (or from accept) to its last. Over it: 400 and close; closed
    /// without a word when nothing at all has arrived.
    package var headSecondsMax = 10
    /// From a body's first byte due to its last. Over it: 400 and close.
    package var bodySecondsMax = 30
    /// A kept-open connection without a request is closed after this.
    package var idleSecondsMax = 75
    /// A reply of which nothing could be written for this long closes the connection.
    package var writeSecondsMax = 30
    /// Requests taken in one turn; the others that are ready wait for the next one.
    package var turnRequestsMax = 512
    /// Requests held unanswered beyond their turn. Over it: 503, and the client of the loop is told
    /// that the ticket is dead.
    package var parkedMax = 20_000
    /// Bytes read ahead behind a held request. Above it reading stops until the reply is out, and
    /// with it the notice of a hang-up on that connection.
    package var pipelinedBytesMax = 16 * 1024
    /// Answered with 400 or 413, a connection is drained for so long, so that the answer is not
    /// destroyed by a reset, and for so many bytes.
    package var lingerSecondsMax = 2
    package var lingerBytesMax = 256 * 1024
    /// At `stop`, how long replies may take to leave before their connections are closed.
    package var stopSecondsMax = 2

    /// Connections per address that is called; further calls wait for one of them.
    package var callConnectionsMax = 8
    /// Calls that wait per address. Over it: `CallFailure.tooManyCalls`.
    package var callsMax = 1024
    /// A connection for calls is kept open so long without one.
    package var callIdleSeconds = 60
    /// How long one address of a host may take to accept a connection.
    package var dialMilliseconds = 2000

    package init() {}
}

/// One address to listen on.
package struct ListenerConfiguration: Sendable {
    /// An IPv4 or IPv6 literal without brackets. Names are not resolved.
    package var host: String
    /// 0 asks the system for a free port; `LoopGroup.ports` says which it became.
    package var port: UInt16
    /// Every loop of a group listens here, and the kernel spreads the connections (SO_REUSEPORT).
    /// Otherwise the first loop alone does.
    package var sharedByLoops: Bool
    /// Accepts also when `connectionsMax` is reached: an operator has to get in just then.
    package var isReserved = false
    /// Bound at start, so that a taken port fails it and the port is known, but connections are
    /// refused until `LoopHandle.openListeners`.
    package var opensLater = false

    package init(host: String, port: UInt16, sharedByLoops: Bool = true) {
        self.host = host
        self.port = port
        self.sharedByLoops = sharedByLoops
    }
}

/// Everything a group of loops is started with.
package struct LoopConfiguration: Sendable {
    /// A request names its listener by its position here. None: the loops only call others.
    package var listeners: [ListenerConfiguration]
    package var limits: HTTPLimits
    /// Pending connections the kernel holds per listening socket (capped by net.core.somaxconn).
    package var backlog: Int32 = 4096

    package init(listeners: [ListenerConfiguration], limits: HTTPLimits = HTTPLimits()) {
        self.listeners = listeners
        self.limits = limits
    }
}

/// Why a loop could not start.
package enum LoopError: Error, Equatable, CustomStringConvertible {
    case outOfMemory
    /// libevent found no usable epoll.
    case noBackend
    case noThread(code: Int32, reason: String)
    case badAddress(host: String)
    case bindFailed(host: String, port: UInt16, code: Int32, reason: String)

    package var description: String {
        switch self {
        case .outOfMemory: "out of memory"
        case .noBackend: "libevent offers no backend"
        case .noThread(let code, let reason): "cannot start a thread: \(reason) (errno \(code))"
        case .badAddress(let host): "cannot listen on \(host): not an IPv4 or IPv6 address"
        case .bindFailed(let host, let port, let code, let reason):
            "cannot listen on \(host) port \(port): \(reason) (errno \(code))"
        }
    }
}
