internal import DiscoveryHTTP
internal import DiscoveryWire
internal import Dispatch
internal import Synchronization

/// Asks the nodes of a registry, for commands: one after the other until one answers. Its caller
/// waits.
final class NodeCaller: Sendable {
    /// What a node answered.
    struct Answer {
        let node: Endpoint
        let code: Int
        let message: String
        let tree: JSONTree

        /// Protected, or over a limit: another node may do it.
        var isElsewhere: Bool { code == -500 || code == -503 }

        var data: JSONTree { tree["data"] }
    }

    let nodes: [Endpoint]
    /// The one that answered last, which is asked first.
    private let present = Atomic(0)
    private let group: LoopGroup
    /// An answer about some three million instances.
    private static let replyBytesMax = 1 << 30

    /// `nodes`: those that `get` and `post` ask.
    init(_ nodes: [Endpoint]) throws(CommandFailure) {
        self.nodes = nodes
        do throws(LoopError) {
            group = try LoopGroup.start(
                count: 1, LoopConfiguration(listeners: [])
            ) { loop, _ in CallingLoop(loop) }
        } catch {
            throw .broken("\(error)")
        }
    }

    deinit {
        group.stop()
        group.join()
    }

    /// Throws `unreachable` if no node answers, never because of a code.
    /// `hold`: milliseconds after which a poll is to be answered at the latest.
    func get(
        _ route: Route, _ fields: [(String, String)], seconds: Int = 10, hold: Int? = nil
    ) throws(CommandFailure) -> Answer {
        try ask(.get, route, fields, seconds, hold)
    }

    func post(
        _ route: Route, _ fields: [(String, String)], seconds: Int = 10
    ) throws(CommandFailure) -> Answer {
        try ask(.post, route, fields, seconds)
    }

    private func ask(
        _ method: Method, _ route: Route, _ fields: [(String, String)], _ seconds: Int,
        _ hold: Int? = nil
    ) throws(CommandFailure) -> Answer {
        let form = FormText.join(fields)
        var failures: [String] = []
        var refusal: Answer?
        var refusedByHTTP: [CommandFailure] = []
        for place in nodes.indices {
            let index = (present.load(ordering: .relaxed) + place) % nodes.count
            let node = nodes[index]
            var call = OutgoingCall(
                id: 0, host: node.host, port: node.port, method: method, target: route.path,
                timeoutMilliseconds: seconds * 1000, replyBytesMax: NodeCaller.replyBytesMax)
            switch method {
            case .post:
                call.headers = [("Content-Type", "application/x-www-form-urlencoded")]
                call.body = Array(form.utf8)
            default: if !form.isEmpty { call.target += "?\(form)" }
            }
            if let hold { call.headers.append(("x1-bmspy-timeout", "\(hold)")) }
            do throws(CommandFailure) {
                let answer = try read(carryOut(call), of: node)
                if !answer.isElsewhere {
                    present.store(index, ordering: .relaxed)
                    return answer
                }
                refusal = answer
            } catch {
                // It may be a proxy without a node behind it.
                if case .refused = error { refusedByHTTP.append(error) }
                failures.append("\(node): \(error)")
            }
        }
        if let refusal { return refusal }
        if let first = refusedByHTTP.first, refusedByHTTP.count == nodes.count { throw first }
        throw .unreachable(failures.joined(separator: "\n"))
    }

    /// A page of text at one address.
    func page(_ path: String, at address: Endpoint) throws(CommandFailure) -> String {
        let call = OutgoingCall(
            id: 0, host: address.host, port: address.port, method: .get, target: path,
            timeoutMilliseconds: 3_000, replyBytesMax: 1 << 26)
        switch carryOut(call) {
        case .failure(let failure): throw .unreachable("\(address): \(failure)")
        case .success(let reply) where reply.status == 200:
            return String(decoding: reply.body, as: UTF8.self)
        case .success(let reply):
            throw .unreachable("\(address): it answers with HTTP status \(reply.status)")
        }
    }

    private func carryOut(_ call: OutgoingCall) -> Result<PendingCall.Reply, CallFailure> {
        let pending = PendingCall(call)
        group.handles[0].post(message: pending)
        return pending.wait()
    }

    private func read(
        _ result: Result<PendingCall.Reply, CallFailure>, of node: Endpoint
    ) throws(CommandFailure) -> Answer {
        switch result {
        case .failure(let failure): throw .unreachable("\(failure)")
        case .success(let reply):
            guard reply.status == 200 else {
                // The request was not one for a registry, or not for this one.
                if (400..<500).contains(reply.status) {
                    let text = String(decoding: reply.body.prefix(200), as: UTF8.self)
                    throw .refused(code: reply.status, message: text)
                }
                throw .unreachable("it answers with HTTP status \(reply.status)")
            }
            do throws(Rejection) {
                let tree = try JSONTree.read(reply.body.span, "its answer")
                guard case .integer(let code) = tree["code"], let code = Int(exactly: code) else {
                    throw Rejection("its answer is none of a registry")
                }
                return Answer(node: node, code: code, message: tree["message"].text, tree: tree)
            } catch {
                throw .unreachable(error.message)
            }
        }
    }
}

/// A call on its way through the loop's thread.
private final class PendingCall: Sendable {
    struct Reply: Sendable {
        let status: Int
        let body: [UInt8]
    }

    let call: OutgoingCall
    private let result = Mutex<Result<Reply, CallFailure>?>(nil)
    private let done = DispatchSemaphore(value: 0)

    init(_ call: OutgoingCall) { self.call = call }

    func wait() -> Result<Reply, CallFailure> {
        done.wait()
        return result.withLock { $0 } ?? .failure(.stopped)
    }

    func end(_ result: Result<Reply, CallFailure>) {
        self.result.withLock { $0 = result }
        done.signal()
    }
}

/// The loop of a program that only calls: one call at a time.
private final class CallingLoop: LoopClient {
    private let loop: EventLoop
    private var pending: PendingCall?

    init(_ loop: EventLoop) { self.loop = loop }

    func receivedMessage(_ message: any Sendable) {
        guard let pending = message as? PendingCall else { return }
        self.pending = pending
        loop.call(pending.call)
    }

    func answered(_ reply: borrowing CallReply) {
        pending?.end(.success(PendingCall.Reply(status: reply.status, body: reply.body)))
    }

    func callFailed(_ id: UInt64, _ failure: CallFailure) { pending?.end(.failure(failure)) }

    // Nobody calls this program.
    func received(_ request: borrowing Request) {}
    func clientLeft(_ ticket: Ticket) {}
    func replies(_ reply: borrowing AddressedReply) {}
    func hostHungUp(_ host: String, port: UInt16) {}
    func turnEnded(_ loop: EventLoop) {}
}
