import DiscoveryCore

/// What was cancelled on a node comes back there by a newer register only.
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

    func see(_ sight: Sight, _ world: World) -> String? {
        guard case .noted(let host, let note) = sight else { return nil }
        switch note {
        case .replaced(let instance):
            held[place(host, instance.key)] = instance.dirty
        case .removed(let key):
            let place = place(host, key)
            cancelled[place] = max(cancelled[place] ?? .min, held[place] ?? .min)
        case .added(let instance):
            let place = place(host, instance.key)
            held[place] = instance.dirty
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
}
