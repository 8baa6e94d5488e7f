import DiscoveryCore

/// A node of the reference's kind that says that it lacks an instance is told of it, and one that
/// has a newer version is believed.
final class ReferenceChecker: Checker {
    let name = "reference"
    let seesSteps = true
    private static let bound = 5 * Duration.second

    private struct Debt {
        let host: Host
        let incarnation: Int
        let target: Host
        let key: InstanceKey
        let due: Int64
    }

    private var debts: [Debt] = []
    /// The newest call that was under way when a call of the host failed.
    private var lastFailures: [Int: UInt64] = [:]
    private var told: (host: Host, record: Record)?

    func see(_ sight: Sight, _ world: World) -> String? {
        switch sight {
        case .started(let host): lastFailures[host.index] = nil
        case .replied(let host, let call, let reply): replied(host, call, reply, world)
        case .sent(let host, let call): pay(host, call, world)
        case .stepped(let host):
            if let record = told?.record, told?.host === host {
                told = nil
                return believes(host, record, world)
            }
            return overdue(world)
        default: break
        }
        return nil
    }

    private func replied(_ host: Host, _ call: PeerCall, _ reply: PeerReply, _ world: World) {
        guard let target = world.host(at: call.address) else { return }
        guard case .answered(let code, let record) = reply.outcome else {
            lastFailures[host.index] = host.calls.keys.max() ?? call.id
            // It is told when it is back; how soon is another checker's business.
            return debts.removeAll { $0.host === host && $0.target.zone == target.zone }
        }
        guard case .relay(let relay) = call.request, case .renew = relay.write else { return }
        if code == -409, let record, !isGivenUp(call, host) { told = (host, record) }
        // A node that is paused owes nothing, and what an outbox has no room for is found by a
        // comparison, which takes its time with such a node.
        guard code == -404, world.options.outboxMax == nil, !world.options.faults.contains(.pauses),
            world.phase != .faults, !isGivenUp(call, host)
        else { return }
        debts.append(
            Debt(
                host: host, incarnation: host.incarnation, target: target, key: relay.key,
                due: world.now + ReferenceChecker.bound))
    }

    /// What was under way when a node was lost is said again; an answer to the first is for nobody.
    private func isGivenUp(_ call: PeerCall, _ host: Host) -> Bool {
        call.id <= lastFailures[host.index] ?? 0
    }

    /// Another zone is told through any of its nodes.
    private func pay(_ host: Host, _ call: PeerCall, _ world: World) {
        guard !debts.isEmpty, let target = world.host(at: call.address) else { return }
        for (key, _) in LoopChecker.writes(of: call.request) {
            debts.removeAll {
                $0.host === host && $0.key == key
                    && ($0.target === target
                        || ($0.target.zone == target.zone && target.zone != host.zone))
            }
        }
    }

    private func overdue(_ world: World) -> String? {
        guard let first = debts.first, first.due < world.now else { return nil }
        debts.removeFirst()
        guard first.host.incarnation == first.incarnation, first.host.isServing,
            world.instance(first.key, on: first.host) != nil
        else { return nil }
        return "\(first.target.name) told \(first.host.name) that it lacks "
            + "\(Names.text(first.key)), and was not told of it"
    }

    private func believes(_ host: Host, _ record: Record, _ world: World) -> String? {
        let key = record.key
        // Of itself a node knows better, and says so every ten seconds at most.
        let isOwn =
            key.packed[key.appid.range].elementsEqual(GoNode.selfAppID)
            && key.packed[key.hostname.range].elementsEqual("node\(host.index)".utf8)
        guard !isOwn, let held = world.instance(key, on: host), held.dirty < record.version else {
            return nil
        }
        return "\(host.name) was told that \(Names.text(record.key)) has "
            + "\(Trace.version(record.version)), and keeps \(Trace.version(held.dirty))"
    }
}
