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
        if let what = tooMuch(host, own, world) { return what }
        // Relays and one comparison per node; those given up may be under way still, and a set of
        // what others hold asks all of them.
        let callsMax =
            world.hosts.count * (2 * settings.cluster.relaysMax + 2 + world.providers.count)
        if host.calls.count > callsMax {
            return "\(host.name) has \(host.calls.count) calls under way, \(callsMax) are enough"
        }
        return nil
    }

    /// What waits for other nodes, which is only looked at where it could be more than is allowed:
    /// there is one entry of an instance at most.
    private func tooMuch(_ host: Host, _ own: OwnNode, _ world: World) -> String? {
        let cluster = own.settings.cluster
        let instances = world.providers.count + world.hosts.count
        guard cluster.outboxMax < instances else { return nil }
        let now = host.clock.moment(at: world.now)
        // Those under way are counted with those that wait.
        let writesMax = cluster.outboxMax + max(cluster.batchCountMax, cluster.relaysMax)
        for peer in own.node.peerReports(at: now) {
            if peer.writesQueued > writesMax {
                return "\(host.name) has \(peer.writesQueued) writes for \(peer.address), "
                    + "\(writesMax) are allowed"
            }
            if peer.renewalsQueued > own.node.instanceCount {
                return "\(host.name) has \(peer.renewalsQueued) renewals for \(peer.address) of "
                    + "\(own.node.instanceCount) instances"
            }
        }
        return nil
    }
}
