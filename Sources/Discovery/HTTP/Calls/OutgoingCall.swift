/// A request to another host, made with `EventLoop.call`.
package struct OutgoingCall: Sendable {
    /// Chosen by the caller; comes back with the reply or the failure. Not looked at otherwise.
    package var id: UInt64
    /// A name, or an IPv4 or IPv6 literal without brackets.
    package var host: String
    package var port: UInt16
    /// `get` or `post`.
    package var method: Method
    /// Path and query as they go over the wire: encoded, beginning with `/`.
    package var target: String
    /// Host, Content-Length and Connection are not for these: the loop adds them.
    package var headers: [(name: String, value: String)]
    package var body: [UInt8]
    /// From `EventLoop.call` to the last byte of the reply, whatever happens in between.
    package var timeoutMilliseconds: Int
    /// Bytes of the reply's body without its framing.
    package var replyBytesMax: Int

    package init(
        id: UInt64, host: String, port: UInt16, method: Method, target: String,
        headers: [(name: String, value: String)] = [], body: [UInt8] = [],
        timeoutMilliseconds: Int, replyBytesMax: Int
    ) {
        self.id = id
        self.host = host
        self.port = port
        self.method = method
        self.target = target
        self.headers = headers
        self.body = body
        self.timeoutMilliseconds = timeoutMilliseconds
        self.replyBytesMax = replyBytesMax
    }

    /// What would break the request apart is a programmer's error and traps. The host, which may
    /// come from elsewhere, fails the call instead; see `CallPool.location`.
    func preconditionSendable() {
        precondition(method == .get || method == .post, "only GET and POST can be called")
        precondition(target.utf8.first == 0x2F, "a target begins with a slash: \(target)")
        precondition(
            target.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7F }, "a target is encoded: \(target)")
        for text in headers.flatMap({ [$0.name, $0.value] }) {
            precondition(
                text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }, "control byte in \(text)")
        }
    }

    /// The request up to its body.
    var head: [UInt8] {
        let name = host.utf8.contains(0x3A) ? "[\(host)]" : host
        let verb = method == .post ? "POST" : "GET"
        var text = "\(verb) \(target) HTTP/1.1\r\nHost: \(name)\(port == 80 ? "" : ":\(port)")\r\n"
        for header in headers { text += "\(header.name): \(header.value)\r\n" }
        if method == .post || !body.isEmpty { text += "Content-Length: \(body.count)\r\n" }
        return Array((text + "\r\n").utf8)
    }
}

/// Why a call has no reply.
package enum CallFailure: Error, Equatable, Sendable, CustomStringConvertible {
    case cannotResolve(reason: String)
    /// No address of the host accepted a connection; the reason is that of the last one tried.
    case unreachable(reason: String)
    /// The call's own time was up.
    case timedOut
    /// The connection ended before the whole reply had come.
    case closed
    /// The reply's body is above `OutgoingCall.replyBytesMax`.
    case replyTooLarge
    /// What came is no HTTP/1 reply, or one that can be read in two ways.
    case malformed(reason: String)
    /// `HTTPLimits.callsMax` calls to the address are waiting already.
    case tooManyCalls
    /// The loop has ended.
    case stopped

    package var description: String {
        switch self {
        case .cannotResolve(let reason): "the name cannot be resolved: \(reason)"
        case .unreachable(let reason): "cannot connect: \(reason)"
        case .timedOut: "no reply in time"
        case .closed: "the connection ended before the reply did"
        case .replyTooLarge: "the reply is too large"
        case .malformed(let reason): "the reply is malformed: \(reason)"
        case .tooManyCalls: "too many calls are waiting for this address"
        case .stopped: "the loop has stopped"
        }
    }
}
