/// One application across its zones. It exists while it has instances, or pollers that wait for it.
struct Application {
    /// What a vacant slot holds.
    static var vacant: Application { Application(key: AppKey(packed: [0, 0])) }

    let key: AppKey
    /// Its `latest_timestamp`: strictly increasing, moved by content only. 0 until its first
    /// change.
    private(set) var latest: Int64
    /// Sorted by name. An empty one stays until its pollers have been told.
    private(set) var zones: [ZoneGroup] = []
    /// Stamp of zones that are gone; a zone that is not in `zones` changed at this time at the
    /// latest.
    private var goneZonesLatest: Int64 = 0
    private(set) var instanceCount = 0
    /// What readers asked for since the last write, one view per kind of question.
    var views: [AppView] = []
    /// The node will look at the age of the views.
    var isAging = false

    init(key: AppKey) {
        self.key = key
        latest = 0
    }

    func zoneIndex(_ name: Span<UInt8>) -> Int? {
        // A handful of zones: a walk beats a search.
        for index in zones.indices where zones[index].name.holdsSame(as: name) { return index }
        return nil
    }

    /// When what a reader of `zone` (nil: all) sees changed last.
    func latest(in zone: [UInt8]?) -> Int64 {
        guard let zone else { return latest }
        let index = zones.firstIndex { $0.name == zone }
        return index.map { zones[$0].latest } ?? goneZonesLatest
    }

    /// How many instances a reader would see.
    func count(in zone: [UInt8]?, _ statuses: UInt8) -> Int {
        if let zone {
            guard let index = zones.firstIndex(where: { $0.name == zone }) else { return 0 }
            return zones[index].count(of: statuses)
        }
        var sum = 0
        for index in zones.indices { sum += zones[index].count(of: statuses) }
        return sum
    }

    /// Whether it has any instance there, of whatever status.
    func isPresent(in zone: [UInt8]?) -> Bool {
        guard let zone else { return instanceCount > 0 }
        guard let index = zones.firstIndex(where: { $0.name == zone }) else { return false }
        return zones[index].count > 0
    }

    mutating func add(_ slot: UInt32, _ status: InstanceStatus, zone: Span<UInt8>) -> UInt32 {
        let index = zoneIndex(zone) ?? insertZone(zone)
        instanceCount += 1
        zones[index].count(status, by: 1)
        return zones[index].append(slot)
    }

    mutating func remove(at position: UInt32, _ status: InstanceStatus, zone: Span<UInt8>) {
        guard let index = zoneIndex(zone) else {
            preconditionFailure("removed an instance from a zone its application is not in")
        }
        instanceCount -= 1
        zones[index].count(status, by: -1)
        zones[index].remove(at: position)
    }

    mutating func changeStatus(
        from old: InstanceStatus, to new: InstanceStatus, zone: Span<UInt8>
    ) {
        guard old != new, let index = zoneIndex(zone) else { return }
        zones[index].count(old, by: -1)
        zones[index].count(new, by: 1)
    }

    /// Publishes a change of content: moves the timestamps of the application and of the zone.
    /// `floor`: what the timestamp has to exceed at least, for applications that were there before.
    mutating func publish(zone: Span<UInt8>, wall: Int64, floor: Int64) -> Int64 {
        latest = max(wall, max(latest, floor).addingSaturated(1))
        views.removeAll()
        if let index = zoneIndex(zone) { zones[index].latest = latest }
        return latest
    }

    /// An instance was replaced by one that looks the same to consumers.
    mutating func touch() {
        views.removeAll()
    }

    mutating func dropEmptyZones() {
        for zone in zones where zone.count == 0 {
            goneZonesLatest = max(goneZonesLatest, zone.latest)
        }
        zones.removeAll { $0.count == 0 }
    }

    mutating func order(zone index: Int, by precedes: (UInt32, UInt32) -> Bool) {
        zones[index].order(by: precedes)
    }

    private mutating func insertZone(_ name: Span<UInt8>) -> Int {
        let bytes = name.copied
        let index = zones.firstIndex { bytes.precedes($0.name) } ?? zones.count
        zones.insert(ZoneGroup(name: bytes, latest: latest), at: index)
        return index
    }
}
