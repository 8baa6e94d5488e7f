import DiscoveryCore

/// What a node keeps stays within what its settings allow, and the number of calls under way too.
final class BoundChecker: Checker {
    let name = "bounds"
    let seesSteps = true

    func see(_ sight: Sight, _ world: World) -> String? {
        guard case .stepped(let host) = sight, let own = host.own else { return nil }
        let settings = own.settings
        if own.node.tombstoneCount > settings.tombstonesMax {
            return "\(host.name) has \(own.node.tombstoneCount) tombstones"
        }
        if own.node.waiterCount > settings.waitersMax {
            return "\(host.name) has \(own.node.waiterCount) waiters"
        }
        // Relays and one comparison per node; those given up may be under way still, and a set of
        // what others hold asks all of them.
        let callsMax =
            world.hosts.count * (2 * settings.cluster.relaysMax + 2 + world.providers.count)
        if host.calls.count > callsMax {
            return "\(host.name) has \(host.calls.count) calls under way, \(callsMax) are enough"
        }
        return nil
    }
}
