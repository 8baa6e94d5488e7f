import DiscoveryCore

/// What a node holds of one application, as a checker sees it. The node does not notice: it is not
/// stepped, and what is due in it stays due.
struct Look {
    var latest: Int64
    /// By zone and hostname, as readers get them.
    var instances: [Instance]
    var schedule: ZoneSchedule?

    init(latest: Int64, instances: [Instance], schedule: ZoneSchedule?) {
        self.latest = latest
        self.instances = instances
        self.schedule = schedule
    }

    init(_ view: AppView) {
        self.init(
            latest: view.latest, instances: view.zones.flatMap { $0.rows.map(\.instance) },
            schedule: view.schedule)
    }

    /// Not as they are packed: there the shorter name comes first.
    fileprivate static func precedes(_ one: Instance, _ other: Instance) -> Bool {
        let (key, next) = (one.key, other.key)
        let zones = (key.packed[key.zone.range], next.packed[next.zone.range])
        if !zones.0.elementsEqual(zones.1) { return zones.0.lexicographicallyPrecedes(zones.1) }
        return key.packed[key.hostname.range].lexicographicallyPrecedes(
            next.packed[next.hostname.range])
    }
}

extension World {
    /// Nil if it holds nothing of it. `zone`: empty for all.
    func look(at app: AppKey, zone: String = "", statuses: UInt8 = 3, on host: Host) -> Look? {
        guard let held = host.own?.node.held(app) else { return nil }
        let instances = held.instances.filter { instance in
            (zone.isEmpty
                || instance.key.packed[instance.key.zone.range].elementsEqual(zone.utf8))
                && instance.status.mask & statuses != 0
        }
        if instances.isEmpty { return nil }
        return Look(
            latest: held.latest, instances: instances.sorted(by: Look.precedes),
            schedule: held.schedule)
    }

    func instance(_ key: InstanceKey, on host: Host) -> Instance? { host.own?.node.held(key) }
}
