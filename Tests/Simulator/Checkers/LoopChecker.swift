import DiscoveryCore

/// Nobody passes on what is not his to pass on: what another node of the zone had told is told to
/// nobody, what came from another zone to no other zone, and nothing more often than it was written
/// here, asked for, or lost on the way.
///
/// Counted per instance and not per version, because a node that has one version to pass on sends
/// the newest it holds by then.
final class LoopChecker: Checker {
    let name = "loops"

    private struct Holder: Hashable {
        let host: Int
        let incarnation: Int
        let key: InstanceKey
    }

    /// To a node of the zone, or to another zone, whichever of its nodes is written to.
    private struct Road: Hashable {
        let host: Int
        let incarnation: Int
        let to: Int

        init(from host: Host, to target: Host) {
            self.host = host.index
            incarnation = host.incarnation
            to = host.zone == target.zone ? target.index : -1 - target.zone
        }
    }

    private struct Lane: Hashable {
        let road: Road
        let key: InstanceKey
    }

    /// Times that a client wrote, or another zone told, the instance.
    private var written: [Holder: Int] = [:]
    private var toldByZone: [Holder: Int] = [:]
    /// Calls that failed, each of which may mean that something is sent again.
    private var failures: [Road: Int] = [:]
    private var asked: [Lane: Int] = [:]
    private var sent: [Lane: Int] = [:]
    /// Likewise, once all agree and little is written: nodes that go on telling each other the same
    /// have a reason each time.
    private var sentAtRest: [Lane: Int] = [:]
    private static let restMax = 20
    /// Whom a zone was written to by, each of which may be told what the one before was.
    private var contacts: [Lane: [Int]] = [:]

    func see(_ sight: Sight, _ world: World) -> String? {
        switch sight {
        case .received(let host, _, let request): received(request, host)
        case .replied(let host, let call, let reply): replied(host, call, reply, world)
        case .sent(let host, let call): return sent(call, host, world)
        default: break
        }
        return nil
    }

    private func received(_ request: PendingRequest, _ host: Host) {
        switch request.request {
        case .left: break
        case .client(.register(let registration)):
            written[holder(host, registration.key), default: 0] += 1
        case .client(.cancel(let key)): written[holder(host, key), default: 0] += 1
        case .client(.set(let change)): written[holder(host, change.key), default: 0] += 1
        case .client: break
        case .peer(let peer):
            for (key, isSameZone) in LoopChecker.writes(of: peer) where !isSameZone {
                toldByZone[holder(host, key), default: 0] += 1
            }
        }
    }

    private func holder(_ host: Host, _ key: InstanceKey) -> Holder {
        Holder(host: host.index, incarnation: host.incarnation, key: key)
    }

    private func replied(_ host: Host, _ call: PeerCall, _ reply: PeerReply, _ world: World) {
        guard let target = world.host(at: call.address) else { return }
        let road = Road(from: host, to: target)
        func ask(_ key: InstanceKey) { asked[Lane(road: road, key: key), default: 0] += 1 }
        func learn(_ record: Record) {
            ask(record.key)
            if target.zone != host.zone { toldByZone[holder(host, record.key), default: 0] += 1 }
        }
        switch (call.request, reply.outcome) {
        case (_, .failed), (_, .unable), (_, .refused): failures[road, default: 0] += 1
        case (.exchange(.changes(let changes)), .exchanged(.changes(let wanted, let newer))):
            for index in wanted where Int(index) < changes.renewals.count {
                ask(changes.key(of: changes.renewals[Int(index)]))
            }
            for record in newer { learn(record) }
        case (_, .exchanged(.entries(let differences))):
            for key in differences.wanted { ask(key) }
            for record in differences.records { ask(record.key) }
        case (_, .exchanged(.page(let page))):
            for record in page.records { ask(record.key) }
        case (.relay(let relay), .answered(let code, let record)) where code != 0:
            ask(relay.key)
            if let record { learn(record) }
        case (.set(let changes, _, _), .answered(let code, _)) where code != 0:
            for change in changes { ask(change.key) }
        case (.fetchAll, .all):
            // A comparison with a node of the reference's kind may find anything missing there.
            for provider in world.providers { ask(provider.key) }
        case (.exchange(.changes), .exchanged): failures[road, default: 0] += 1
        default: break
        }
    }

    private func sent(_ call: PeerCall, _ host: Host, _ world: World) -> String? {
        guard let target = world.host(at: call.address) else { return nil }
        let road = Road(from: host, to: target)
        let isNear = host.zone == target.zone
        for (key, isSameZone) in LoopChecker.writes(of: call.request) {
            // Of itself a node may tell at any time.
            if key.packed[key.appid.range].elementsEqual(GoNode.selfAppID) { continue }
            let lane = Lane(road: road, key: key)
            sent[lane, default: 0] += 1
            if world.phase == .settled, !isDisputed(key, world) {
                sentAtRest[lane, default: 0] += 1
            }
            if contacts[lane]?.last != target.index {
                contacts[lane, default: []].append(target.index)
            }
            let what = "\(host.name) sent \(Names.text(key)) to \(target.name) "
            if sentAtRest[lane] ?? 0 > LoopChecker.restMax { return what + "again and again" }
            if isSameZone != isNear { return what + "as if their zones were other ones" }
            let holder = holder(host, key)
            let allowed =
                (written[holder] ?? 0) + (isNear ? toldByZone[holder] ?? 0 : 0)
                + (failures[road] ?? 0) + (asked[lane] ?? 0) + (contacts[lane]?.count ?? 1) - 1
            if let count = sent[lane], count > allowed {
                return what + "for the \(count). time, with reasons for \(allowed)"
            }
        }
        return nil
    }

    /// What is dead on one node, and protected on another, is wanted at every comparison, and sent
    /// in vain. Where an outbox has little room there is one every second.
    private func isDisputed(_ key: InstanceKey, _ world: World) -> Bool {
        guard world.options.outboxMax != nil else { return false }
        return world.providers.contains { $0.key == key && $0.state != .alive }
    }

    /// The writes in a request, without renewals.
    static func writes(
        of request: PeerRequest
    ) -> [(key: InstanceKey, isSameZone: Bool)] {
        switch request {
        case .probe, .fetchAll: []
        case .set(let changes, _, let isSameZone): changes.map { ($0.key, isSameZone) }
        case .relay(let relay):
            if case .renew = relay.write { [] } else { [(relay.key, relay.isSameZone)] }
        case .exchange(.changes(let changes)):
            changes.records.map { ($0.key, changes.isSameZone) }
        case .exchange: []
        }
    }
}
