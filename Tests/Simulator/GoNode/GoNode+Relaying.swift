import DiscoveryCore

/// Whom it tells, once each and whatever comes of it.
extension GoNode {
    enum Action { case register, renew, cancel }

    typealias Neighbours = (peers: [String], zones: [[String]])

    /// The nodes that its registry names, or before it is announced its seeds. Those it cannot see
    /// in its registry any more are forgotten.
    var neighbours: Neighbours {
        guard isAnnounced else { return neighboursBeforeAnnouncing }
        var peers: [String] = []
        var zones: [(name: [UInt8], addresses: [String])] = []
        for key in sortedKeys where key.packed[key.appid.range].elementsEqual(GoNode.selfAppID) {
            guard let address = instances[key]?.content.unpacked.addrs.first else { continue }
            let text = String(String(decoding: address, as: UTF8.self).dropFirst(7))
            if text == self.address { continue }
            let name = Array(key.packed[key.zone.range])
            if name == Array(zone.utf8) {
                peers.append(text)
            } else if let index = zones.firstIndex(where: { $0.name == name }) {
                zones[index].addresses.append(text)
            } else {
                zones.append((name, [text]))
            }
        }
        return (peers, zones.map(\.addresses))
    }

    var neighboursBeforeAnnouncing: Neighbours {
        var zones: [(name: String, addresses: [String])] = []
        for seed in seeds where seed.zone != zone {
            if let index = zones.firstIndex(where: { $0.name == seed.zone }) {
                zones[index].addresses.append(seed.address)
            } else {
                zones.append((seed.zone, [seed.address]))
            }
        }
        let peers = seeds.filter { $0.zone == zone && $0.address != address }
        return (peers.map(\.address), zones.map(\.addresses))
    }

    /// Every node of its zone, and of every other zone any one.
    func receivers(
        isOnlyOwnZone: Bool, of neighbours: Neighbours
    ) -> [(address: String, isSameZone: Bool)] {
        var receivers = neighbours.peers.map { (address: $0, isSameZone: true) }
        if !isOnlyOwnZone {
            receivers += neighbours.zones.map { (address: pick($0), isSameZone: false) }
        }
        return receivers
    }

    func relay(_ id: RequestID?, _ key: InstanceKey, _ action: Action, isOnlyOwnZone: Bool) {
        guard let stored = instances[key] else { return }
        replicate(
            id, key, action, isOnlyOwnZone: isOnlyOwnZone, stored.content, stored.status,
            stored.dirty, to: neighbours)
    }

    func replicate(
        _ id: RequestID?, _ key: InstanceKey, _ action: Action, isOnlyOwnZone: Bool,
        _ content: InstanceContent, _ status: InstanceStatus, _ version: Int64,
        to neighbours: Neighbours
    ) {
        if let id { waiting[id] = Waiting(calls: 1) }
        for (address, isSameZone) in receivers(isOnlyOwnZone: isOnlyOwnZone, of: neighbours) {
            if let id { waiting[id]?.calls += 1 }
            send(
                id, key, action, content, status, version, to: address, isSameZone: isSameZone)
        }
        if let id { settle(id) }
    }

    private func send(
        _ id: RequestID?, _ key: InstanceKey, _ action: Action, _ content: InstanceContent,
        _ status: InstanceStatus, _ version: Int64, to address: String, isSameZone: Bool
    ) {
        let write: Relay.Write
        switch action {
        case .register:
            write = .register(
                Record.Registered(
                    content: GoNode.joined(content), status: status, registered: 0, up: 0,
                    silence: 0),
                latest: 0)
        case .renew: write = .renew
        case .cancel: write = .cancel
        }
        call(
            .relay(
                Relay(
                    key: key, region: Array("sh".utf8), version: version, write: write,
                    isSameZone: isSameZone)),
            Errand(
                request: id, address: address, isSameZone: isSameZone, key: key,
                isRenewal: action == .renew))
    }

    /// All addresses become one, with commas in it.
    static func joined(_ content: InstanceContent) -> InstanceContent {
        let parts = content.unpacked
        guard parts.addrs.count > 1 else { return content }
        let address = Array(parts.addrs.joined(separator: [UInt8(ascii: ",")]))
        return InstanceContent(
            region: parts.region, version: parts.version, addrs: [address],
            metadata: parts.metadata) ?? content
    }

    func call(_ request: PeerRequest, _ errand: Errand) {
        let id = nextCall
        nextCall += 1
        calls[id] = errand
        acts.append(
            .call(
                PeerCall(
                    id: id, address: errand.address, request: request,
                    timeout: GoNode.callTimeout)))
    }

    func replied(_ call: UInt64, _ reply: PeerReply, at now: Moment) {
        guard let errand = calls.removeValue(forKey: call) else { return }
        switch reply.outcome {
        case .all(let records, _): return pulled(records, at: now)
        case .answered(let code, let record):
            if errand.isRenewal, code == -404, let key = errand.key, let stored = instances[key] {
                if let id = errand.request { waiting[id]?.calls += 1 }
                send(
                    errand.request, key, .register, stored.content, stored.status, stored.dirty,
                    to: errand.address, isSameZone: errand.isSameZone)
            }
            if errand.isRenewal, code == -409, let record { adopt(record, errand, at: now) }
        case .failed, .unable, .refused, .forbidden, .exchanged: break
        }
        if errand.request == nil, errand.key == nil { return pulled(nil, at: now) }
        guard let id = errand.request else { return }
        if errand.isSet, GoNode.isError(reply.outcome) { callOffSets(of: id) }
        settle(id)
    }

    private static func isError(_ outcome: PeerReply.Outcome) -> Bool {
        if case .answered(code: 0, _) = outcome { false } else { true }
    }

    /// The calls of a set share a context, which the first error of one of them ends for the rest.
    private func callOffSets(of id: RequestID) {
        for call in calls.keys.sorted() where calls[call]?.request == id {
            calls[call] = nil
            acts.append(.callOff(call))
            settle(id)
        }
    }

    /// It registers at itself what the other one has, as if the other had sent it.
    private func adopt(_ record: Record, _ errand: Errand, at now: Moment) {
        guard case .registered(let registered) = record.state else { return }
        let content = GoNode.joined(registered.content)
        _ = store(record.key, content, registered.status, dirty: record.version, at: now)
        if errand.isSameZone { return }
        replicate(
            nil, record.key, .register, isOnlyOwnZone: true, content, registered.status,
            record.version, to: neighbours)
    }

    /// One of the things that the answer waits for is done.
    func settle(_ id: RequestID) {
        guard var rest = waiting[id] else { return }
        rest.calls -= 1
        waiting[id] = rest.calls > 0 ? rest : nil
        if rest.calls == 0 { answer(id, Reply(code: rest.code)) }
    }
}
