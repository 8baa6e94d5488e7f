internal import DiscoveryCore
internal import DiscoveryHTTP
internal import DiscoveryWire

/// Turns answers into replies. Lives on the node's queue.
///
/// A view of an application is encoded once and then sent by reference to whoever gets it, so ten
/// thousand waiters of one change cost one encoding.
struct ReplyEncoder: Sendable {
    let log: NodeLog
    /// The shape of `instances` where a request names none.
    let shape: InstancesShape
    let bulk: BulkEncoder
    let heads: ReplyHeads

    private static let done = Turn.Body.shared(body(.done))
    private static let notModified = Turn.Body.shared(body(.notModified))

    /// `composed`: those of this turn. `exchanges`: large answers to other nodes, of all turns.
    func encode(
        _ answer: Answer, to id: RequestID, in turn: inout Turn, composed: inout ComposedBodies,
        exchanges: inout LivingBodies
    ) {
        let ticket = Ticket(rawValue: id.rawValue)
        switch answer {
        case .done: put(ReplyEncoder.done, answer, ticket, in: &turn)
        case .notModified: put(ReplyEncoder.notModified, answer, ticket, in: &turn)
        case .fetched(let view):
            let shape = shape(of: id, in: turn)
            put(.shared(view.bodies.fetch(shape, view)), answer, ticket, in: &turn)
        case .balanced(let view, let zone):
            put(.shared(view.bodies.balance(zone, view)), answer, ticket, in: &turn)
        case .polled(let view):
            put(.shared(view.bodies.fetch(.byZone, view)), answer, ticket, in: &turn)
        case .polledMany(let views, let missing) where views.count == 1 && missing.isEmpty:
            put(.shared(views[0].bodies.polls(views[0])), answer, ticket, in: &turn)
        case .polledMany(let views, let missing):
            let body = composed.body(of: answer, views, missing: missing, shape: .byZone)
            put(.shared(body), answer, ticket, in: &turn)
        case .fetchedMany(let views):
            let shape = shape(of: id, in: turn)
            let body = composed.body(of: answer, views, missing: nil, shape: shape)
            put(.shared(body), answer, ticket, in: &turn)
        case .fetchedAll(let view): bulk.reply(to: ticket, with: view)
        case .exchanged: putExchanged(answer, ticket, in: &turn, &exchanges)
        case .renewed, .conflict, .outdated, .unknownHost, .unknownWithData, .unknown, .pollUnknown,
            .zoneUnknown, .nodes, .refused:
            let start = turn.bytes.count
            AnswerWriter.append(answer, shape: shape(of: id, in: turn), to: &turn.bytes)
            put(takeLarge(from: start, in: &turn), answer, ticket, in: &turn)
        }
    }

    /// Only a small answer, or one of a bounded number of large ones.
    private func putExchanged(
        _ answer: Answer, _ ticket: Ticket, in turn: inout Turn,
        _ exchanges: inout LivingBodies
    ) {
        let start = turn.bytes.count
        AnswerWriter.append(answer, to: &turn.bytes)
        let range = start..<turn.bytes.count
        if range.count <= Turn.copiedBytesMax {
            put(.bytes(range), answer, ticket, in: &turn)
            return
        }
        let body = exchanges.make(turn.bytes[range])
        turn.bytes.removeSubrange(range)
        if let body {
            put(.shared(body), answer, ticket, in: &turn)
        } else {
            put(ReplyEncoder.tooManyExchanges, ReplyEncoder.crowded, ticket, in: &turn)
        }
    }

    private static var crowded: Answer {
        .refused(.overloaded, "too many answers to other nodes are under way")
    }
    private static let tooManyExchanges = Turn.Body.shared(body(crowded))

    /// What was written behind `start`; taken out of the turn if it is large. A turn keeps the
    /// memory it has grown to, and the socket of a slow reader would need a copy of its own.
    private func takeLarge(from start: Int, in turn: inout Turn) -> Turn.Body {
        let range = start..<turn.bytes.count
        if range.count <= Turn.copiedBytesMax { return .bytes(range) }
        let body = SharedBody(turn.bytes[range])
        turn.bytes.removeSubrange(range)
        return .shared(body)
    }

    private func shape(of id: RequestID, in turn: borrowing Turn) -> InstancesShape {
        turn.shapes.isEmpty ? shape : turn.shapes[id] ?? shape
    }

    private func put(
        _ body: Turn.Body, _ answer: Answer, _ ticket: Ticket, in turn: inout Turn
    ) {
        let code = ReplyCode(answer)
        if ticket.loop == turn.loop {
            turn.replies.append(Turn.Reply(ticket: ticket, code: code, body: body))
            return
        }
        let shared =
            switch body {
            case .shared(let shared): shared
            case .bytes(let range): SharedBody(Array(turn.bytes[range]))
            }
        turn.foreign[ticket.loop].append(
            AddressedReply(ticket: ticket, head: heads[code], body: shared))
    }

    private static func body(_ answer: Answer) -> SharedBody {
        var bytes: [UInt8] = []
        AnswerWriter.append(answer, to: &bytes)
        return SharedBody(bytes)
    }
}

/// The answers that are put together of several applications, or name missing ones, in one turn:
/// whoever asks for the same gets the same bytes. On the node's queue only.
struct ComposedBodies {
    private struct Entry {
        let views: [AppView]
        /// Nil for fetchs.
        let missing: [AppKey]?
        let shape: InstancesShape
        let body: SharedBody
    }

    /// Fleets ask in a few ways. A miss costs one composition, so few are kept.
    private static let countMax = 8
    private var entries: [Entry] = []

    /// `answer` is of these `views` and `missing`.
    mutating func body(
        of answer: Answer, _ views: [AppView], missing: [AppKey]?, shape: InstancesShape
    ) -> SharedBody {
        let known = entries.first { entry in
            entry.shape == shape && entry.views.count == views.count && entry.missing == missing
                && zip(entry.views, views).allSatisfy { $0 === $1 }
        }
        if let known { return known.body }
        var bytes: [UInt8] = []
        AnswerWriter.append(answer, shape: shape, to: &bytes)
        let body = SharedBody(bytes)
        if entries.count == ComposedBodies.countMax { entries.removeFirst() }
        entries.append(Entry(views: views, missing: missing, shape: shape, body: body))
        return body
    }

    mutating func removeAll() {
        if !entries.isEmpty { entries.removeAll() }
    }
}

extension AppView {
    fileprivate var bodies: ViewBodies {
        if let bodies = encoding.attachment as? ViewBodies { return bodies }
        let bodies = ViewBodies()
        encoding.attachment = bodies
        return bodies
    }
}

/// The bodies made of one view, each when it is first asked for. Hangs on the view, so it goes with
/// it, and is used on the node's queue only.
private final class ViewBodies {
    private var byZone: SharedBody?
    private var array: SharedBody?
    private var polls: SharedBody?
    /// By what decides for a caller: a zone with a rule or with instances, or neither. So a caller
    /// that makes zones up costs nothing; those with instances come from clients too, so the number
    /// is bounded. The one used last is the last.
    private var balances: [(decision: [UInt8]?, body: SharedBody)] = []
    private static let balancesMax = 64

    func fetch(_ shape: InstancesShape, _ view: AppView) -> SharedBody {
        switch shape {
        case .byZone:
            if let byZone { return byZone }
            let body = SharedBody(ViewWriter.fetchBody(view, .byZone))
            byZone = body
            return body
        case .array:
            if let array { return array }
            let body = SharedBody(ViewWriter.fetchBody(view, .array))
            array = body
            return body
        }
    }

    func balance(_ zone: [UInt8], _ view: AppView) -> SharedBody {
        let decision = view.decision(for: zone)
        if let known = balances.firstIndex(where: { $0.decision == decision }) {
            balances.append(balances.remove(at: known))
            return balances[balances.count - 1].body
        }
        let body = SharedBody(BalanceWriter.body(view, zone: zone))
        if balances.count == ViewBodies.balancesMax { balances.removeFirst() }
        balances.append((decision, body))
        return body
    }

    func polls(_ view: AppView) -> SharedBody {
        if let polls { return polls }
        let body = SharedBody(ViewWriter.pollsBody(view))
        polls = body
        return body
    }
}
