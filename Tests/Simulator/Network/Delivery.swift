import DiscoveryCore

/// What the wire between two nodes makes of requests and answers, without their bytes.
enum Delivery {
    /// Puts a request into the batch as the receiving node reads it.
    static func put(
        _ content: Message.Content, _ id: RequestID, isFromGo: Bool, into batch: inout Batch
    ) {
        switch content {
        case .left: batch.inputs.append(.clientLeft(id))
        case .client(let request): put(request, id, into: &batch)
        case .peer(let request): put(request, id, isFromGo: isFromGo, into: &batch)
        }
    }

    private static func put(_ request: ClientRequest, _ id: RequestID, into batch: inout Batch) {
        switch request {
        case .register(let registration): batch.inputs.append(.registered(id, registration))
        case .renew(let key):
            let range = append(key.packed, to: &batch)
            batch.inputs.append(.renewed(id, Renewal(key: range)))
        case .cancel(let key):
            let range = append(key.packed, to: &batch)
            batch.inputs.append(.cancelled(id, Cancellation(key: range)))
        case .set(let change): batch.inputs.append(.set(id, Setting(changes: [change])))
        case .poll(let app, let latest, let zone, let hold):
            let range = append(Names.app(app).packed, to: &batch)
            let zoneRange = append(Array(zone.utf8), to: &batch)
            let first = batch.pollTargets.count
            batch.pollTargets.append(PollTarget(app: range, latest: latest))
            batch.inputs.append(
                .polled(id, Poll(first: first, count: 1, zone: zoneRange, hold: hold)))
        }
    }

    private static func put(
        _ request: PeerRequest, _ id: RequestID, isFromGo: Bool, into batch: inout Batch
    ) {
        switch request {
        case .probe: batch.inputs.append(.askedForNodes(id))
        case .fetchAll: batch.inputs.append(.fetchedAll(id))
        case .exchange(let exchange): batch.inputs.append(.exchanged(id, exchange))
        case .set(let changes, let version, let isSameZone):
            let setting = Setting(
                changes: changes, origin: isSameZone ? .peer : .zone, dirty: version)
            batch.inputs.append(.set(id, setting))
        case .relay(let relay):
            let origin: Origin = relay.isSameZone ? .peer : .zone
            switch relay.write {
            case .register(let registered, latest: _):
                let registration = Registration(
                    key: relay.key,
                    content: isFromGo ? split(registered.content) : registered.content,
                    status: registered.status, origin: origin, dirty: relay.version)
                batch.inputs.append(.registered(id, registration))
            case .renew:
                let key = append(relay.key.packed, to: &batch)
                batch.inputs.append(
                    .renewed(id, Renewal(key: key, origin: origin, dirty: relay.version)))
            case .cancel:
                let key = append(relay.key.packed, to: &batch)
                batch.inputs.append(
                    .cancelled(id, Cancellation(key: key, origin: origin, dirty: relay.version)))
            }
        }
    }

    static func append(_ bytes: [UInt8], to batch: inout Batch) -> ByteRange {
        let range = ByteRange(start: batch.bytes.count, count: bytes.count)
        batch.bytes += bytes
        return range
    }

    // MARK: Answers

    /// What a node that called reads from the answer. `wall`: the answering node's clock, whose
    /// time goes with every answer.
    static func reply(_ answer: Answer, to request: PeerRequest, from node: NodeID, wall: Int64)
        -> PeerReply
    {
        PeerReply(node: node, outcome: outcome(answer, request, wall))
    }

    private static func outcome(
        _ answer: Answer, _ request: PeerRequest, _ wall: Int64
    ) -> PeerReply.Outcome {
        switch answer {
        case .exchanged(let reply): return .exchanged(reply)
        case .fetchedAll(let view):
            return .all(
                view.rows.map { record($0.instance, renewed: $0.renewed, wall) }, skipped: 0)
        case .renewed(let instance, let renewed), .conflict(let instance, let renewed),
            .outdated(let instance, let renewed):
            return .answered(code: code(answer), record(instance, renewed: renewed, wall))
        case .refused(let refusal, let sentence):
            if case .exchange = request {
                return refusal == .invalid ? .refused(sentence) : .unable(sentence)
            }
            return .answered(code: refusal.rawValue, nil)
        default: return .answered(code: code(answer), nil)
        }
    }

    private static func record(_ instance: Instance, renewed: Int64, _ wall: Int64) -> Record {
        Record(
            key: instance.key, version: instance.dirty,
            state: .registered(
                Record.Registered(
                    content: instance.content, status: instance.status,
                    registered: instance.registered, up: instance.up,
                    silence: max(0, wall - renewed))))
    }

    /// The wire's code.
    static func code(_ answer: Answer) -> Int {
        switch answer {
        case .done, .renewed, .fetched, .fetchedMany, .fetchedAll, .balanced, .polled, .polledMany,
            .nodes, .exchanged:
            0
        case .conflict: -409
        case .outdated, .unknownHost, .unknownWithData, .unknown, .pollUnknown, .zoneUnknown: -404
        case .notModified: -304
        case .refused(let refusal, _): refusal.rawValue
        }
    }

    /// A node of the reference's kind answers with no node's name.
    static func reply(_ reply: GoNode.Reply, to request: PeerRequest, isToGo: Bool) -> PeerReply {
        if case .exchange = request {
            return PeerReply(node: nil, outcome: .refused("404 page not found"))
        }
        if let all = reply.all {
            return PeerReply(node: nil, outcome: .all(isToGo ? all : all.map(split), skipped: 0))
        }
        return PeerReply(
            node: nil,
            outcome: .answered(
                code: reply.code, isToGo ? reply.record : reply.record.map(split)))
    }

    private static func split(_ record: Record) -> Record {
        guard case .registered(var registered) = record.state else { return record }
        registered.content = split(registered.content)
        return Record(key: record.key, version: record.version, state: .registered(registered))
    }

    /// What is one address with commas in it to the reference is several to us.
    private static func split(_ content: InstanceContent) -> InstanceContent {
        let parts = content.unpacked
        guard parts.addrs.contains(where: { $0.contains(UInt8(ascii: ",")) }) else {
            return content
        }
        let addrs = parts.addrs.flatMap { $0.split(separator: UInt8(ascii: ",")).map(Array.init) }
        return InstanceContent(
            region: parts.region, version: parts.version, addrs: addrs, metadata: parts.metadata)
            ?? content
    }
}
