import DiscoveryCore

/// What was cancelled on a node comes back there by a newer register only, and what ran out by that
/// or by a renewal.
final class ResurrectionChecker: Checker {
    let name = "resurrection"

    private struct Place: Hashable {
        let host: Int
        let incarnation: Int
        let key: InstanceKey
    }

    /// The newest version the node is known to have held, and the one it had when it was cancelled.
    private var held: [Place: Int64] = [:]
    private var cancelled: [Place: Int64] = [:]

    /// The version that ran out on the node.
    private var evicted: [Place: Int64] = [:]
    /// When a client registered or renewed it last, anywhere.
    private var signs: [InstanceKey: Int64] = [:]

    func see(_ sight: Sight, _ world: World) -> String? {
        switch sight {
        case .received(_, _, let request):
            switch request.request {
            case .client(.register(let registration)): signs[registration.key] = world.now
            case .client(.renew(let key)): signs[key] = world.now
            default: break
            }
        case .noted(let host, let note): return noted(host, note, world)
        default: break
        }
        return nil
    }

    private func noted(_ host: Host, _ note: Note, _ world: World) -> String? {
        switch note {
        case .evicted(let key, _):
            evicted[place(host, key)] = held[place(host, key)]
        case .replaced(let instance):
            held[place(host, instance.key)] = instance.dirty
        case .removed(let key):
            let place = place(host, key)
            cancelled[place] = max(cancelled[place] ?? .min, held[place] ?? .min)
        case .added(let instance):
            let place = place(host, instance.key)
            held[place] = instance.dirty
            if let what = risen(instance, place, host, world) { return what }
            guard let version = cancelled.removeValue(forKey: place), instance.dirty <= version
            else { return nil }
            return "\(host.name) holds \(Names.text(instance.key)) again with "
                + "\(Trace.version(instance.dirty)), after a cancel of \(Trace.version(version))"
        default: break
        }
        return nil
    }

    private func place(_ host: Host, _ key: InstanceKey) -> Place {
        Place(host: host.index, incarnation: host.incarnation, key: key)
    }

    /// A message that was long under way makes an instance younger than it is, as do the nodes of
    /// the reference's kind.
    private func risen(
        _ instance: Instance, _ place: Place, _ host: Host, _ world: World
    ) -> String? {
        let silence = world.now - (signs[instance.key] ?? world.now)
        guard evicted.removeValue(forKey: place) == instance.dirty,
            silence > world.options.lease + 10 * Duration.second,
            world.options.faults.isDisjoint(with: FaultKind.makingYounger)
        else { return nil }
        return "\(host.name) holds \(Names.text(instance.key)) again, which ran out there and has "
            + "been silent for \(Trace.text(silence)) s"
    }
}
