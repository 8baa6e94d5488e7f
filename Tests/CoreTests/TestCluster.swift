import DiscoveryCore

/// Some nodes and recorders on one clock, with a network between them that delivers at once, or
/// not at all.
final class TestCluster {
    /// A node that is not one: it writes down what it is sent, and answers as it is told.
    final class Recorder {
        /// Nil: it is of the reference's kind.
        var id: NodeID?
        var calls: [PeerRequest] = []
        /// Nil: it never answers, and the caller's time runs out.
        var answer: (PeerRequest) -> PeerReply.Outcome? = { request in
            switch request {
            case .probe, .relay, .set: .answered(code: 0, nil)
            case .fetchAll: .all([], skipped: 0)
            case .exchange: .refused("no such page")
            }
        }

        var writes: [PeerRequest] {
            calls.filter {
                switch $0 {
                case .relay, .set, .exchange(.changes): true
                case .probe, .fetchAll, .exchange: false
                }
            }
        }
    }

    private struct Pending {
        let from: String
        let call: PeerCall
        let due: Int64
    }

    private(set) var nodes: [String: TestNode] = [:]
    /// Addresses in the order of their start: no dictionary decides what happens next.
    private(set) var order: [String] = []
    var recorders: [String: Recorder] = [:]
    /// Directed pairs that nothing gets through.
    var cuts: Set<String> = []
    /// Directed pairs of which the second takes the first for none of its cluster.
    var shutOut: Set<String> = []
    /// Further addresses of nodes.
    var aliases: [String: String] = [:]
    /// Every call that left a node, and when, monotonic.
    private(set) var traffic: [(from: String, to: String, request: PeerRequest, at: Int64)] = []
    /// What nodes answered to exchanges.
    private(set) var replies: [ExchangeReply] = []
    private var unanswered: [Pending] = []
    private var ids: UInt64 = 0
    private(set) var now = TestNode.start

    // MARK: Set-up

    @discardableResult
    func start(
        _ address: String, zone: String = "sh001", seeds: [String] = [],
        zones: [String: [String]] = [:], skew: Int64 = 0,
        _ change: (inout NodeSettings) -> Void = { _ in }
    ) -> TestNode {
        ids += 1
        let start = Moment(wall: now.wall + skew, monotonic: now.monotonic)
        let node = TestNode(id: ids, at: start) { settings in
            settings.zone = zone
            settings.hostname = address
            settings.cluster.digestRows = 4
            settings.cluster.digestLeavesPerRow = 4
            settings.cluster.seeds = seeds.map { .init(address: $0, zone: zone) }
            for (zone, addresses) in zones.sorted(by: { $0.key < $1.key }) {
                settings.cluster.seeds += addresses.map { .init(address: $0, zone: zone) }
            }
            change(&settings)
        }
        nodes[address] = node
        order.removeAll { $0 == address }
        order.append(address)
        feed(node, .started)
        settle()
        return node
    }

    /// Memory and all; the address answers no more.
    func kill(_ address: String) {
        nodes[address] = nil
        order.removeAll { $0 == address }
    }

    func record(_ address: String) -> Recorder {
        let recorder = Recorder()
        recorders[address] = recorder
        return recorder
    }

    /// Of our own kind, and holds what everybody holds.
    func recordOwn(_ address: String) -> Recorder {
        let recorder = record(address)
        recorder.id = NodeID(7)
        recorder.answer = { request in
            switch request {
            case .exchange(.changes): .exchanged(.changes(wanted: [], newer: []))
            case .exchange(.pull):
                .exchanged(.page(Page(records: [], stamps: [], next: nil, isProtected: false)))
            case .exchange: .exchanged(.same(isProtected: false))
            case .probe, .relay, .set, .fetchAll: .answered(code: 0, nil)
            }
        }
        return recorder
    }

    func cut(_ left: String, _ right: String) {
        cuts.insert("\(left)>\(right)")
        cuts.insert("\(right)>\(left)")
    }

    // MARK: Time

    /// Carries everything out that can happen without time passing.
    func settle() {
        var isQuiet = false
        while !isQuiet {
            isQuiet = true
            for address in order {
                guard let node = nodes[address] else { continue }
                for call in node.takeCalls() {
                    isQuiet = false
                    traffic.append(
                        (address, call.address, call.request, now.monotonic))
                    deliver(call, from: address, to: node)
                }
                if node.takeJoined() {
                    isQuiet = false
                    feed(node, .announced(address: address))
                }
            }
        }
    }

    func wait(_ duration: Int64) {
        let end = now.monotonic + duration
        while true {
            settle()
            var next = end
            for address in order {
                if let due = nodes[address]?.node.nextDeadline { next = min(next, due) }
            }
            for pending in unanswered { next = min(next, pending.due) }
            move(to: max(next, now.monotonic))
            let late = unanswered.filter { $0.due <= now.monotonic }
            unanswered.removeAll { $0.due <= now.monotonic }
            for pending in late {
                guard let node = nodes[pending.from] else { continue }
                fail(pending.call, "timed out", node)
            }
            var isDue = !late.isEmpty
            for address in order {
                guard let node = nodes[address], let due = node.node.nextDeadline,
                    due <= now.monotonic
                else { continue }
                isDue = true
                node.tick()
            }
            settle()
            if now.monotonic >= end, !isDue { return }
        }
    }

    private func move(to monotonic: Int64) {
        let step = monotonic - now.monotonic
        now = Moment(wall: now.wall + step, monotonic: monotonic)
        for address in order {
            guard let node = nodes[address] else { continue }
            node.now = Moment(
                wall: node.now.wall + monotonic - node.now.monotonic, monotonic: monotonic)
        }
    }

    // MARK: Delivery

    /// Has a recorder answer, as it is told now, what it has kept waiting.
    func answerLate(_ address: String) {
        let waiting = unanswered.filter { $0.call.address == address }
        unanswered.removeAll { $0.call.address == address }
        for pending in waiting {
            guard let node = nodes[pending.from], let recorder = recorders[address],
                let outcome = recorder.answer(pending.call.request)
            else { continue }
            feed(
                node, .peerReplied(pending.call.id, PeerReply(node: recorder.id, outcome: outcome)))
        }
        settle()
    }

    private func feed(_ node: TestNode, _ input: Input) {
        var batch = Batch()
        batch.inputs.append(input)
        node.step(batch)
    }

    private func fail(_ call: PeerCall, _ reason: String, _ node: TestNode) {
        feed(node, .peerReplied(call.id, PeerReply(node: nil, outcome: .failed(reason))))
    }

    private func deliver(_ call: PeerCall, from address: String, to caller: TestNode) {
        if cuts.contains("\(address)>\(call.address)") {
            fail(call, "cut off", caller)
            return
        }
        if let recorder = recorders[call.address] {
            recorder.calls.append(call.request)
            guard let outcome = recorder.answer(call.request) else {
                unanswered.append(
                    Pending(from: address, call: call, due: now.monotonic + call.timeout))
                return
            }
            feed(caller, .peerReplied(call.id, PeerReply(node: recorder.id, outcome: outcome)))
            return
        }
        guard let callee = nodes[aliases[call.address] ?? call.address], callee.isAnnounced else {
            fail(call, "refused", caller)
            return
        }
        let isShutOut = shutOut.contains("\(address)>\(call.address)")
        if isShutOut, call.request != .probe, call.request != .fetchAll {
            feed(
                caller,
                .peerReplied(call.id, PeerReply(node: nil, outcome: .forbidden("code -403"))))
            return
        }
        let outcome = callee.serve(call.request)
        if case .exchanged(let reply) = outcome { replies.append(reply) }
        // The answer may be lost on the way back.
        if cuts.contains("\(call.address)>\(address)") {
            fail(call, "cut off", caller)
            return
        }
        feed(caller, .peerReplied(call.id, PeerReply(node: callee.node.id, outcome: outcome)))
    }
}

extension TestNode {
    var isAnnounced: Bool { node.nodes[0].address != "" }

    /// Answers a call as the server does.
    func serve(_ request: PeerRequest) -> PeerReply.Outcome {
        switch request {
        case .probe:
            return .answered(code: take(send { id, _ in .askedForNodes(id) })?.code ?? -500, nil)
        case .fetchAll:
            guard case .fetchedAll(let view)? = take(send { id, _ in .fetchedAll(id) }) else {
                return .unable("answered code -500")
            }
            return .all(
                view.rows.map { row in
                    Record(
                        key: row.instance.key, version: row.instance.dirty,
                        state: .registered(
                            Record.Registered(
                                content: row.instance.content, status: row.instance.status,
                                registered: row.instance.registered, up: row.instance.up,
                                silence: now.wall - row.renewed)))
                }, skipped: 0)
        case .relay(let relay): return serve(relay)
        case .set(let changes, let version, let isSameZone):
            let origin: Origin = isSameZone ? .peer : .zone
            let code = set(changes, origin: origin, dirty: version)?.code
            return .answered(code: code ?? -500, nil)
        case .exchange(let exchange):
            let answer = take(send { id, _ in .exchanged(id, exchange) })
            if case .exchanged(let reply)? = answer { return .exchanged(reply) }
            return .refused("code \(answer?.code ?? 0)")
        }
    }

    private func serve(_ relay: Relay) -> PeerReply.Outcome {
        let origin: Origin = relay.isSameZone ? .peer : .zone
        let answer = take(
            send { id, batch in
                switch relay.write {
                case .register(let state, _):
                    return .registered(
                        id,
                        Registration(
                            key: relay.key, content: state.content, status: state.status,
                            origin: origin, dirty: relay.version))
                case .renew:
                    let key = append(relay.key.packed, to: &batch)
                    return .renewed(id, Renewal(key: key, origin: origin, dirty: relay.version))
                case .cancel:
                    let key = append(relay.key.packed, to: &batch)
                    return .cancelled(
                        id, Cancellation(key: key, origin: origin, dirty: relay.version))
                }
            })
        let record = answer?.instance.map { instance in
            Record(
                key: instance.key, version: instance.dirty,
                state: .registered(
                    Record.Registered(
                        content: instance.content, status: instance.status,
                        registered: instance.registered, up: instance.up, silence: 0)))
        }
        return .answered(code: answer?.code ?? -500, record)
    }
}
