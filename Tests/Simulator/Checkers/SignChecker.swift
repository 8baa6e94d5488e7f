import DiscoveryCore

/// Signs of life: no node tells of one that no client gave, and in a whole network none is lost on
/// the way to a node that needs it.
final class SignChecker: Checker {
    let name = "signs"

    private struct Sign {
        let time: Int64
        let host: Host
        let incarnation: Int
    }

    private struct Road: Hashable {
        let from: Int
        let incarnation: Int
        let to: Int
    }

    /// When a client last gave one, whether it arrived or not, and when a node took one.
    private var given: [InstanceKey: Int64] = [:]
    private var taken: [InstanceKey: Sign] = [:]
    /// When a process heard of another host last.
    private var heard: [Road: Int64] = [:]
    private var started: [Int: Int64] = [:]

    /// Drift of the clocks, and messages that arrive twice: on each way at most three seconds late.
    private static let slack = 10 * Duration.second
    /// By then calls that were under way when the faults ended have run out, lost nodes have been
    /// looked for, and what waited for them is sent.
    private static let recovery = 8 * Duration.second
    /// What was taken just now is gathered, and under way.
    private static let spreading = 2 * Duration.second

    func see(_ sight: Sight, _ world: World) -> String? {
        switch sight {
        case .started(let host): started[host.index] = world.now
        case .received(_, _, let request):
            if let key = SignChecker.sign(in: request) { given[key] = world.now }
        case .answered(let host, _, let request, let answer):
            if case .exchanged(let reply) = answer { return claims(in: reply, host, world) }
            if Delivery.code(answer) == 0, let key = SignChecker.sign(in: request) {
                taken[key] = Sign(
                    time: request.arrived, host: host, incarnation: host.incarnation)
            }
        case .sent(let host, let call):
            if case .exchange(.changes(let changes)) = call.request {
                return claims(in: changes, host, world)
            }
        case .replied(let host, let call, let reply):
            if case .failed = reply.outcome { return nil }
            guard let target = world.host(at: call.address) else { return nil }
            heard[road(host, target)] = world.now
        case .noted(let host, .evicted(let key, _)): return lost(key, host, world)
        default: break
        }
        return nil
    }

    private func road(_ host: Host, _ target: Host) -> Road {
        Road(from: host.index, incarnation: host.incarnation, to: target.index)
    }

    private static func sign(in request: PendingRequest) -> InstanceKey? {
        switch request.request {
        case .client(.register(let registration)): registration.key
        case .client(.renew(let key)): key
        default: nil
        }
    }

    // MARK: What nodes claim

    private func claims(in changes: Changes, _ host: Host, _ world: World) -> String? {
        for renewal in changes.renewals {
            let key = changes.key(of: renewal)
            if let what = judge(key, renewal.silence, host, world) { return what }
        }
        return claims(in: changes.records, host, world)
    }

    private func claims(in reply: ExchangeReply, _ host: Host, _ world: World) -> String? {
        switch reply {
        case .changes(wanted: _, let newer): claims(in: newer, host, world)
        case .page(let page): claims(in: page.records, host, world)
        case .entries(let differences): claims(in: differences.records, host, world)
        case .same, .rows, .leaves: nil
        }
    }

    private func claims(in records: [Record], _ host: Host, _ world: World) -> String? {
        for record in records {
            guard case .registered(let state) = record.state else { continue }
            if let what = judge(record.key, state.silence, host, world) { return what }
        }
        return nil
    }

    /// A message that was long under way makes an instance younger than it is, as do the nodes of
    /// the reference's kind, whose messages do not say when the client renewed, and what is taken
    /// for one because of garbage.
    private func judge(
        _ key: InstanceKey, _ silence: Int64, _ host: Host, _ world: World
    ) -> String? {
        guard world.options.faults.isDisjoint(with: FaultKind.makingYounger), let sign = given[key],
            silence + SignChecker.slack < world.now - sign
        else { return nil }
        return "\(host.name) tells that \(Names.text(key)) renewed \(Trace.text(silence)) s ago, "
            + "which it did \(Trace.text(world.now - sign)) s ago"
    }

    // MARK: What gets lost

    private func lost(_ key: InstanceKey, _ host: Host, _ world: World) -> String? {
        // What was refused is not said again.
        guard world.phase != .faults, world.options.goNodes.isEmpty,
            !world.options.faults.contains(.garbage),
            world.now - world.healedAt > SignChecker.recovery,
            world.providers.contains(where: { $0.key == key && $0.state == .alive }),
            let sign = taken[key], world.now - sign.time < world.options.lease * 2 / 3,
            world.now - sign.time > SignChecker.spreading,
            sign.host.isRunning, sign.host.incarnation == sign.incarnation,
            sign.host.zone == host.zone
        else { return nil }
        // Only who has been heard of since it started is written to while it is lost.
        let heard = heard[road(sign.host, host)] ?? .min
        if sign.host !== host, heard < started[host.index] ?? 0 { return nil }
        return "\(host.name) evicted \(Names.text(key)), which renewed at \(sign.host.name) "
            + "\(Trace.text(world.now - sign.time)) s before"
    }
}

extension FaultKind {
    /// Those by which a node can think that an instance renewed later than it did.
    static let makingYounger: Set<FaultKind> = [
        .goNodes, .garbage, .delays, .pauses, .slowNodes, .halfOpen,
    ]
}
