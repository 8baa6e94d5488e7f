internal import DiscoveryCore
internal import DiscoveryHTTP
internal import DiscoveryWire

/// What a loop serves: reads requests into a turn, runs it on the node's queue, writes the replies.
/// One per loop, on its thread.
final class NodeClient: LoopClient {
    private unowned let loop: EventLoop
    private let siblings: [LoopHandle]
    private let services: NodeServices
    private let counts: RequestCounts
    /// The first loop's; it calls for all of them.
    private let caller: PeerCaller?
    private var reader: RequestReader
    private var turn: Turn
    /// What was last asked for, by the slot of the ticket.
    private var asked: [Asked] = []
    private var turnNumber: UInt64 = 0
    /// When the node wants a turn; nil: nothing is due. Due at first, because what the node waits
    /// for from its start on no loop has been told yet.
    private var deadline: Int64? = .min

    private struct Asked {
        var route: Route?
        /// The turn it came in: polls that waited are not part of the latencies.
        var turn: UInt64
    }

    /// Position of the listeners in the loop's configuration.
    static let adminListener = 1

    /// The loop that makes the calls to other nodes.
    static let callingLoop = 0

    init(loop: EventLoop, siblings: [LoopHandle], services: NodeServices) {
        self.loop = loop
        self.siblings = siblings
        self.services = services
        counts = services.counts[loop.index]
        caller = loop.index == NodeClient.callingLoop ? services.makeCaller(loop) : nil
        reader = RequestReader(settings: services.wire)
        turn = Turn(loop: loop.index, loopCount: siblings.count)
    }

    // MARK: LoopClient

    func received(_ request: borrowing Request) {
        if request.listener == NodeClient.adminListener {
            services.admin.answer(request, on: loop)
            return
        }
        let ticket = request.ticket
        let route = request.withTarget { path, _ in Route.find(path: path) }
        remember(route, ticket)
        guard let route else {
            reply(ticket, .unknownRoute, .shared(NodeClient.unknownRoute))
            return
        }
        guard request.method == (route.isPost ? .post : .get) else {
            reply(ticket, route.isPost ? .wantsPost : .wantsGet, .shared(NodeClient.wrongMethod))
            return
        }
        do throws(Rejection) {
            try read(request, route)
        } catch {
            let start = turn.bytes.count
            AnswerWriter.append(error.answer, to: &turn.bytes)
            reply(ticket, ReplyCode(error.answer), .bytes(start..<turn.bytes.count))
        }
    }

    func clientLeft(_ ticket: Ticket) {
        turn.batch.inputs.append(.clientLeft(RequestID(ticket.rawValue)))
    }

    func replies(_ reply: borrowing AddressedReply) {
        let (route, head) = (asked[reply.ticket.slot].route, reply.head)
        guard let code = services.heads.code(of: head) else { return }
        counts.record { $0.count(route, code) }
    }

    func answered(_ reply: borrowing CallReply) {
        guard let answer = caller?.read(reply) else { return }
        turn.batch.inputs.append(.peerReplied(reply.id, answer))
    }

    func callFailed(_ id: UInt64, _ failure: CallFailure) {
        guard let answer = caller?.fail(id, failure) else { return }
        turn.batch.inputs.append(.peerReplied(id, answer))
    }

    func hostHungUp(_ host: String, port: UInt16) {
        let address = Endpoint(host: host, port: port)
        turn.batch.inputs.append(.peerHungUp(address.description))
    }

    func receivedMessage(_ message: any Sendable) {
        switch message as? PeerMail {
        case .calls(let calls): for call in calls { caller?.start(call) }
        case .reply(let id, let reply): turn.batch.inputs.append(.peerReplied(id, reply))
        case .due: deadline = .min
        case nil: preconditionFailure("a message of an unknown type")
        }
    }

    func turnEnded(_ loop: EventLoop) {
        let now = Moment(
            wall: Int64(clamping: loop.wallNanoseconds),
            monotonic: Int64(clamping: loop.monotonicNanoseconds))
        let isDue = deadline.map { $0 <= now.monotonic } ?? false
        if isDue { turn.batch.inputs.append(.ticked) }
        if turn.batch.inputs.isEmpty, turn.replies.isEmpty { return }
        if !turn.batch.inputs.isEmpty {
            deadline = services.queue.run(&turn, at: now)
            loop.setDeadline(monotonicNanoseconds: deadline.map { UInt64(clamping: $0) })
        }
        writeReplies()
        for index in turn.foreign.indices { siblings[index].post(turn.foreign[index]) }
        call()
        if turn.hasJoined { services.onJoined() }
        count(since: loop.monotonicNanoseconds)
        turn.removeAll()
        turnNumber += 1
    }

    // MARK: Requests

    private func read(_ request: borrowing Request, _ route: Route) throws(Rejection) {
        let id = RequestID(request.ticket.rawValue)
        let byteCount = turn.batch.bytes.count
        let outcome = try request.withTarget { _, query throws(Rejection) in
            try request.withBody { body throws(Rejection) in
                if route.isPost {
                    return try request.withHeader("Content-Type") { type throws(Rejection) in
                        try reader.read(
                            route: route, id: id, query: query, body: body, contentType: type,
                            holdHeader: nil, into: &turn.batch)
                    }
                }
                guard route == .poll || route == .polls else {
                    return try reader.read(
                        route: route, id: id, query: query, body: body, contentType: nil,
                        holdHeader: nil, into: &turn.batch)
                }
                return try request.withHeader("x1-bmspy-timeout") { hold throws(Rejection) in
                    try reader.read(
                        route: route, id: id, query: query, body: body, contentType: nil,
                        holdHeader: hold, into: &turn.batch)
                }
            }
        }
        if !services.peers.isOpen { try admit(request, since: byteCount) }
        if outcome.shape != services.wire.shape, route == .fetch || route == .fetchs {
            turn.shapes[id] = outcome.shape
        }
    }

    /// Takes the input that was just read, and its bytes, out of the turn again if only nodes may
    /// send it and this is none.
    private func admit(
        _ request: borrowing Request, since byteCount: Int
    ) throws(Rejection) {
        guard let input = turn.batch.inputs.last, PeerGuard.concerns(input, in: turn.batch)
        else { return }
        let remote = request.remoteAddress()
        if request.withHeader(
            PeerGuard.header, { services.peers.admits(remote: remote, token: $0) })
        {
            return
        }
        turn.batch.inputs.removeLast()
        turn.batch.bytes.removeLast(turn.batch.bytes.count - byteCount)
        throw PeerGuard.rejection
    }

    private func reply(_ ticket: Ticket, _ code: ReplyCode, _ body: Turn.Body) {
        turn.replies.append(Turn.Reply(ticket: ticket, code: code, body: body))
    }

    private func remember(_ route: Route?, _ ticket: Ticket) {
        while asked.count <= ticket.slot { asked.append(Asked(route: nil, turn: 0)) }
        asked[ticket.slot] = Asked(route: route, turn: turnNumber)
    }

    // MARK: Other nodes

    private func call() {
        if turn.calls.isEmpty { return }
        if let caller {
            for call in turn.calls { caller.start(call) }
        } else {
            siblings[NodeClient.callingLoop].post(message: PeerMail.calls(turn.calls))
        }
    }

    // MARK: Replies

    private func writeReplies() {
        for reply in turn.replies {
            switch reply.body {
            case .bytes(let range):
                loop.reply(
                    reply.ticket, services.heads[reply.code], turn.bytes.span.extracting(range))
            case .shared(let body): loop.reply(reply.ticket, services.heads[reply.code], body)
            }
        }
    }

    /// Counts what was answered. The time of a request is that of its turn: from the first callback
    /// to the last reply.
    private func count(since start: UInt64) {
        let took = Int64(clamping: Clocks.monotonic &- start)
        counts.record { table in
            for reply in turn.replies {
                let asked = asked[reply.ticket.slot]
                table.count(asked.route, reply.code)
                if asked.turn == turnNumber { table.time(asked.route, nanoseconds: took) }
            }
        }
    }

    private static let unknownRoute = SharedBody(Array("404 page not found".utf8))
    private static let wrongMethod = SharedBody(Array("Method Not Allowed".utf8))
}
