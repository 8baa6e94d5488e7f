/// One application across its zones. It exists while it has instances, or pollers that wait for it.
struct Application {
    /// What a vacant slot holds.
    static var vacant: Application { Application(key: AppKey(packed: [0, 0])) }

    let key: AppKey
    /// Its `latest_timestamp`: never goes back. 0 until its first change. Another node's that is
    /// higher is taken over, so that equal applications show equal timestamps everywhere.
    private(set) var latest: Int64
    /// What it was at the last change of content: who has this, or more, has no news to get.
    private(set) var changed: Int64 = 0
    /// The common hash of the key: its place in the digest.
    let hash: UInt64
    /// Sorted by name. An empty one stays until its pollers have been told.
    private(set) var zones: [ZoneGroup] = []
    /// Stamp of zones that are gone; a zone that is not in `zones` changed at this time at the
    /// latest.
    private var goneZonesLatest: Int64 = 0
    private(set) var instanceCount = 0
    /// The exclusive or of its instances' digests and its schedule's: equal where consumers see the
    /// same.
    private(set) var content: UInt64 = 0
    private(set) var schedule: ZoneSchedule?
    /// What readers asked for since the last write, one view per kind of question.
    var views: [AppView] = []
    /// The node will look at the age of the views.
    var isAging = false

    init(key: AppKey) {
        self.key = key
        latest = 0
        hash = ByteHash.common.wide(key.packed.span)
    }

    func zoneIndex(_ name: Span<UInt8>) -> Int? {
        // A handful of zones: a walk beats a search.
        for index in zones.indices where zones[index].name.holdsSame(as: name) { return index }
        return nil
    }

    /// When what a reader of `zone` (nil: all) sees changed last.
    func changed(in zone: [UInt8]?) -> Int64 {
        guard let zone else { return changed }
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

    mutating func add(_ slot: UInt32, _ instance: Instance, zone: Span<UInt8>) -> UInt32 {
        let index = zoneIndex(zone) ?? insertZone(zone)
        instanceCount += 1
        content ^= instance.digest
        zones[index].count(instance.status, by: 1)
        return zones[index].append(slot)
    }

    mutating func remove(at position: UInt32, _ instance: Instance, zone: Span<UInt8>) {
        guard let index = zoneIndex(zone) else {
            preconditionFailure("removed an instance from a zone its application is not in")
        }
        instanceCount -= 1
        content ^= instance.digest
        zones[index].count(instance.status, by: -1)
        zones[index].remove(at: position)
    }

    mutating func replace(_ old: Instance, by new: Instance, zone: Span<UInt8>) {
        content ^= old.digest ^ new.digest
        guard old.status != new.status, let index = zoneIndex(zone) else { return }
        zones[index].count(old.status, by: -1)
        zones[index].count(new.status, by: 1)
    }

    /// Publishes a change of content at `stamp`, which moves the timestamps of the application and
    /// of the zone.
    mutating func publish(zone: Span<UInt8>, stamp: Int64) {
        latest = stamp
        changed = stamp
        views.removeAll()
        if let index = zoneIndex(zone) { zones[index].latest = latest }
    }

    /// Changes what is shown beside the instances. The caller publishes it if there are any.
    mutating func show(_ schedule: ZoneSchedule?) {
        content ^= (self.schedule?.digest ?? 0) ^ (schedule?.digest ?? 0)
        self.schedule = schedule
    }

    /// Publishes a change that readers of every zone see.
    mutating func publishEverywhere(stamp: Int64) {
        latest = stamp
        changed = stamp
        views.removeAll()
        for index in zones.indices { zones[index].latest = latest }
    }

    /// Takes over the timestamp of another node. Nothing has changed for consumers.
    mutating func align(to stamp: Int64) {
        latest = stamp
        views.removeAll()
    }

    /// What it adds to the digest of applications.
    var digest: UInt64 { ByteHash.join(hash, UInt64(bitPattern: latest)) }

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
