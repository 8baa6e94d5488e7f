import DiscoveryCore

/// What a node holds of one application, as a checker sees it.
struct Look {
    var latest: Int64
    /// By zone and hostname, as readers get them.
    var instances: [Instance]

    init(_ view: AppView) {
        latest = view.latest
        instances = view.zones.flatMap { $0.rows.map(\.instance) }
    }

    /// Of pages that hold all there is; nil without an instance to show.
    init?(
        of app: AppKey, in pages: [Page], zone: String, statuses: UInt8
    ) {
        let stamp = pages.lazy.flatMap(\.stamps).first { $0.app == app }
        latest = stamp?.latest ?? 0
        instances = pages.flatMap(\.records).compactMap(Look.instance).filter { instance in
            let key = instance.key
            return key.packed[key.application.range].elementsEqual(app.packed)
                && (zone.isEmpty || key.packed[key.zone.range].elementsEqual(zone.utf8))
                && instance.status.mask & statuses != 0
        }
        if instances.isEmpty { return nil }
        instances.sort { Look.precedes($0.key, $1.key) }
    }

    static func instance(of record: Record) -> Instance? {
        guard case .registered(let state) = record.state else { return nil }
        return Instance(
            key: record.key, content: state.content, status: state.status,
            registered: state.registered, up: state.up, dirty: record.version,
            latest: state.latest ?? record.version)
    }

    /// Not as they are packed: there the shorter name comes first.
    private static func precedes(_ one: InstanceKey, _ other: InstanceKey) -> Bool {
        let zones = (one.packed[one.zone.range], other.packed[other.zone.range])
        if !zones.0.elementsEqual(zones.1) { return zones.0.lexicographicallyPrecedes(zones.1) }
        return one.packed[one.hostname.range].lexicographicallyPrecedes(
            other.packed[other.hostname.range])
    }
}
