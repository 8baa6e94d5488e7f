import DiscoveryCore

/// Once the network has been whole for a while all nodes of ours hold the same.
final class ConvergenceChecker: Checker {
    let name = "convergence"

    func see(_ sight: Sight, _ world: World) -> String? {
        switch sight {
        case .mustHaveConverged: compare(world)
        // What has run out a moment ago has run out on one node first.
        case .ended where world.now - world.lastChange > world.options.convergenceBound:
            compare(world)
        default: nil
        }
    }

    private func compare(_ world: World) -> String? {
        let own = world.hosts.filter { $0.own != nil }
        guard let first = own.first else { return "no node of ours is running" }
        let apps = (0..<world.options.apps).map(Names.app) + [Names.nodesApp]
        for app in apps {
            let reference = world.look(at: app, on: first)
            for other in own.dropFirst() {
                let view = world.look(at: app, on: other)
                if let what = difference(reference, view, app, first, other, world) {
                    return what
                }
            }
        }
        return nil
    }

    private func difference(
        _ left: Look?, _ right: Look?, _ app: AppKey, _ leftHost: Host, _ rightHost: Host,
        _ world: World
    ) -> String? {
        let lefts = left?.instances ?? []
        let rights = right?.instances ?? []
        let keys = (lefts + rights).map(\.key)
        var isSilenceEqual = true
        let pair = "\(leftHost.name) and \(rightHost.name) differ in \(Names.text(app)): "
        for key in keys {
            let one = lefts.first { $0.key == key }
            let two = rights.first { $0.key == key }
            // The digest is of all that is compared: the words are for people.
            if one?.digest == two?.digest { continue }
            // Each node finds out for itself that an instance is dead.
            let held = max(one?.dirty ?? .min, two?.dirty ?? .min)
            if isSilent(key, held, world) {
                isSilenceEqual = false
            } else {
                return pair + "\(Names.text(key)) \(text(one)) and \(text(two))"
            }
        }
        if isSilenceEqual, let left, let right, left.latest != right.latest {
            return pair + "latest_timestamp \(Trace.version(left.latest)) and "
                + Trace.version(right.latest)
        }
        return nil
    }

    /// `held`: the newest version that one of the two has.
    private func isSilent(_ key: InstanceKey, _ held: Int64, _ world: World) -> Bool {
        guard let provider = world.providers.first(where: { $0.key == key }) else { return false }
        // But not that it was cancelled, as long as the node that was told remembers. Of a register
        // at a node of the reference whose clock is ahead the cancel says nothing.
        let last = world.oracle.writes(of: key).max { $0.version < $1.version }
        if let last, last.kind == .cancel, last.isAcknowledged, last.version >= held,
            remembers(last, world)
        {
            return false
        }
        return provider.state != .alive
    }

    private func remembers(_ cancel: SourceWrite, _ world: World) -> Bool {
        let host = world.hosts[cancel.host]
        return host.isRunning && host.incarnation == cancel.incarnation
            && host.own?.node.tombstonesDropped == 0
    }

    private func text(_ instance: Instance?) -> String {
        guard let instance else { return "missing" }
        let digest = Names.signature(instance.content, instance.status)
        return "\(Trace.version(instance.dirty)) \(instance.status) "
            + String(digest % 65_536, radix: 16)
    }
}
