import DiscoveryCore

/// What renews at a node is not evicted there, nor anywhere once the network is whole; no minute
/// evicts more than its share; nothing is evicted while too many are late; nothing outlives the
/// ceiling.
final class LeaseChecker: Checker {
    let name = "leases"
    let seesSteps = true

    private struct Place: Hashable {
        let host: Int
        let key: InstanceKey
    }

    /// When a client renewed or registered at the node, on its monotonic clock.
    private var renewals: [Place: Int64] = [:]
    /// The step that took it away there last.
    private var removals: [Place: Int] = [:]
    /// When it was heard of anywhere, by the world's time.
    private var signs: [InstanceKey: Int64] = [:]
    private var takers: [InstanceKey: (host: Host, incarnation: Int)] = [:]
    /// When each host evicted within the last minute or so, and how many instances it has.
    private var evictions: [[Int64]] = []
    private var counts: [Int] = []
    /// How long what was evicted in this step had been silent.
    private var silences: [Int64] = []
    private static let percentMax = NodeSettings().evictionPercentMax
    private static let overduePercentMax = NodeSettings().overduePercentMax

    func see(_ sight: Sight, _ world: World) -> String? {
        switch sight {
        case .started(let host): forget(host, world)
        case .answered(let host, _, let request, let answer):
            if Delivery.code(answer) == 0 { heard(request, host) }
        case .willStep(let host):
            if counts.count != world.hosts.count { reset(world) }
            counts[host.index] = host.own?.node.instanceCount ?? 0
            silences = []
        case .stepped(let host): return unprotected(host, world)
        case .noted(let host, let note):
            switch note {
            case .added: counts[host.index] += 1
            case .removed(let key):
                counts[host.index] -= 1
                renewals[Place(host: host.index, key: key)] = nil
                removals[Place(host: host.index, key: key)] = world.stepCount
            case .evicted(let key, let silence):
                silences.append(silence)
                return evicted(key, host, world)
            default: break
            }
        case .ended: return outlived(world)
        default: break
        }
        return nil
    }

    private func reset(_ world: World) {
        counts = Array(repeating: 0, count: world.hosts.count)
        evictions = Array(repeating: [], count: world.hosts.count)
    }

    private func forget(_ host: Host, _ world: World) {
        if counts.count != world.hosts.count { reset(world) }
        evictions[host.index] = []
        for provider in world.providers {
            renewals[Place(host: host.index, key: provider.key)] = nil
        }
    }

    private func heard(_ request: PendingRequest, _ host: Host) {
        guard case .client(let client) = request.request else { return }
        switch client {
        case .register(let registration): note(registration.key, request, host)
        case .renew(let key): note(key, request, host)
        case .cancel, .set, .poll: break
        }
    }

    private func note(_ key: InstanceKey, _ request: PendingRequest, _ host: Host) {
        // The answer may have waited for other nodes, and what was registered is cancelled by now:
        // what is there again is of an older sign.
        let place = Place(host: host.index, key: key)
        if removals[place] ?? 0 < request.step { renewals[place] = request.monotonic }
        signs[key] = request.arrived
        takers[key] = (host, host.incarnation)
    }

    private func evicted(_ key: InstanceKey, _ host: Host, _ world: World) -> String? {
        let now = host.clock.moment(at: world.now).monotonic
        let lease = world.options.lease
        if let renewed = renewals[Place(host: host.index, key: key)], now - renewed < lease {
            return "\(host.name) evicted \(Names.text(key)), which renewed there "
                + "\(Trace.text(now - renewed)) s before"
        }
        // Nodes of the reference's kind do not pass on what is registered in another zone.
        if world.phase == .settled, world.options.goNodes.isEmpty,
            let provider = world.providers.first(where: { $0.key == key }),
            provider.state == .alive, let sign = signs[key], world.now - sign < lease * 2 / 3,
            // What took it may be gone, and its sign with it.
            let taker = takers[key], taker.host.isRunning,
            taker.host.incarnation == taker.incarnation
        {
            return "\(host.name) evicted \(Names.text(key)) in a whole network, "
                + "\(Trace.text(world.now - sign)) s after it renewed"
        }
        return tooMany(host, at: now)
    }

    /// Those that were evicted were late when it was decided.
    private func unprotected(_ host: Host, _ world: World) -> String? {
        guard let own = host.own, silences.contains(where: { $0 < world.options.ceiling }) else {
            return nil
        }
        let overdue = own.node.overdueCount + silences.count
        let expected = own.node.expectedCount + silences.count
        silences = []
        if overdue <= max(1, expected * LeaseChecker.overduePercentMax / 100) { return nil }
        return "\(host.name) evicted while \(overdue) of \(expected) were late"
    }

    private func tooMany(_ host: Host, at now: Int64) -> String? {
        // The node counts in whole seconds.
        evictions[host.index].removeAll { now - $0 > 61 * Duration.second }
        let spent = evictions[host.index].count
        let allowed = max(1, (counts[host.index] + spent) * LeaseChecker.percentMax / 100)
        counts[host.index] -= 1
        evictions[host.index].append(now)
        let inMinute = evictions[host.index].count { now - $0 < Duration.minute }
        guard inMinute > allowed else { return nil }
        return "\(host.name) evicted \(inMinute) within a minute, \(allowed) are allowed"
    }

    private func renews(_ key: InstanceKey, _ world: World) -> Bool {
        world.providers.contains { $0.key == key && $0.state == .alive }
    }

    private func outlived(_ world: World) -> String? {
        for host in world.hosts where host.own != nil {
            for app in 0..<world.options.apps {
                if let look = world.look(at: Names.app(app), on: host) {
                    for instance in look.instances {
                        // Of what renews at a node of the reference's kind nothing is seen here.
                        if renews(instance.key, world) { continue }
                        let silence = world.now - (signs[instance.key] ?? 0)
                        // One per minute may go, so many take their time.
                        let longest = world.options.ceiling + 5 * Duration.minute
                        if silence > longest {
                            return "\(host.name) still holds \(Names.text(instance.key)), silent "
                                + "for \(Trace.text(silence)) s"
                        }
                    }
                }
            }
        }
        return nil
    }
}
