internal import DiscoveryCore
internal import DiscoveryHTTP
internal import DiscoveryWire
internal import Dispatch

/// What reaches the loop that talks to the other nodes, from wherever the node was run.
enum PeerMail: Sendable {
    case calls([PeerCall])
    case reply(UInt64, PeerReply)
    /// The node was run by no loop: one of them has to learn when it wants to be run again.
    case due
}

/// Carries out what the node asks of others. On the first loop's thread only: one loop, so that
/// there is one set of kept-open connections.
final class PeerCaller {
    private unowned let loop: EventLoop
    private let headers: [(name: String, value: String)]
    private let limits: WireLimits
    /// What was asked in the calls under way, by their ids. As many as the node allows itself.
    private var questions: [UInt64: PeerReplyReader.Question] = [:]
    /// Reads the answers of fetch/all, which take seconds where there are a million instances.
    private let bulk = DispatchQueue(label: "discovery.peers", qos: .utility)

    /// Above `ClusterSettings.pageBytesMax` a page has the rest of its last leaf: mostly a few
    /// instances.
    private static let replyBytesMax = 4 << 20

    init(loop: EventLoop, node: NodeID, token: String, limits: WireLimits) {
        self.loop = loop
        self.limits = limits
        let name = (name: NodeHeader.name, value: NodeHeader.value(node))
        headers = token.isEmpty ? [name] : [name, (name: "\(PeerGuard.header)", value: token)]
    }

    func start(_ call: PeerCall) {
        let question = PeerReplyReader.Question(call.request)
        guard let address = Endpoint(call.address) else {
            let reason = "cannot be called: \"\(call.address)\" is no host:port"
            post(call.id, PeerReply(node: nil, outcome: .failed(reason)))
            return
        }
        let message = PeerRequestWriter.write(call.request)
        var headers = headers
        if let type = message.contentType { headers.append((name: "Content-Type", value: type)) }
        if question == .write {
            // A node of the reference answers a write when its own peers have, and waits 40 s for
            // one that hangs: it has stored it long before. This is its word for how long it may.
            let half = call.timeout / Duration.millisecond / 2
            headers.append((name: "x1-bmspy-timeout", value: "\(half)"))
        }
        questions[call.id] = question
        loop.call(
            OutgoingCall(
                id: call.id, host: address.host, port: address.port,
                method: message.isPost ? .post : .get, target: message.target, headers: headers,
                body: message.body,
                timeoutMilliseconds: Int(clamping: call.timeout / Duration.millisecond),
                replyBytesMax: question == .fetchAll
                    ? limits.fetchAllBytesMax : PeerCaller.replyBytesMax))
    }

    /// Nil if the reply is posted to the loop once it has been read.
    func read(_ reply: borrowing CallReply) -> PeerReply? {
        guard let question = questions.removeValue(forKey: reply.id) else { return nil }
        let node = reply.withHeader("Discovery-Node") { NodeHeader.read($0) }
        let status = reply.status
        let now = wallTime(of: reply)
        if question == .fetchAll, status == 200 {
            readLater(reply.id, node, reply.body, now)
            return nil
        }
        let outcome = reply.withHeader("Content-Type") { type in
            reply.withBody { body in
                PeerReplyReader.read(
                    question, status: status, contentType: type, body: body, now: now,
                    limits: limits)
            }
        }
        return PeerReply(node: node, outcome: outcome)
    }

    /// The other node's clock, or ours if it does not tell. Its date is in whole seconds: what it
    /// was told in the last one would come later.
    private func wallTime(of reply: borrowing CallReply) -> Int64 {
        let date: Int64? = reply.withHeader("Date") { value in
            guard let value else { return nil }
            return HTTPDate.read(value)
        }
        guard let date else { return Int64(clamping: loop.wallNanoseconds) }
        return date.addingSaturated(Duration.second)
    }

    func fail(_ id: UInt64, _ failure: CallFailure) -> PeerReply? {
        guard questions.removeValue(forKey: id) != nil else { return nil }
        return PeerReply(node: nil, outcome: .failed(failure.description))
    }

    private func readLater(_ id: UInt64, _ node: NodeID?, _ body: [UInt8], _ now: Int64) {
        let (handle, limits) = (loop.handle, limits)
        bulk.async {
            let outcome = PeerReplyReader.read(
                .fetchAll, status: 200, contentType: nil, body: body.span, now: now,
                limits: limits)
            handle.post(
                message: PeerMail.reply(id, PeerReply(node: node, outcome: outcome)))
        }
    }

    private func post(_ id: UInt64, _ reply: PeerReply) {
        loop.handle.post(message: PeerMail.reply(id, reply))
    }
}
