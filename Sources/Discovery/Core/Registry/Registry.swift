/// All instances and applications. The only place where an instance changes.
///
/// Instances lie in a slab and are found by the hash of their packed key, so a renewal is one
/// look-up whatever the number of applications.
struct Registry {
    struct Record {
        /// Nil while the slot is vacant.
        var instance: Instance?
        /// Wall time of the last renewal.
        var renewed: Int64 = 0
        var app: UInt32 = 0
        /// Its place in the members of its zone.
        var position: UInt32 = 0
    }

    private let hash: ByteHash
    private(set) var records: [Record] = []
    private var vacantRecords: [UInt32] = []
    private var table = KeyTable()

    private(set) var applications: [Application] = []
    private var vacantApplications: [UInt32] = []
    private var applicationTable = KeyTable()
    /// By application, which may not exist.
    private var schedules: [AppKey: ZoneSchedule] = [:]
    /// Applications that have instances; the others exist for pollers that wait for them.
    private(set) var populatedCount = 0

    /// No application that comes back may start below what it had when it went, and none after a
    /// restart below what it had before.
    private var latestFloor: Int64 = 0
    /// While a node takes over what others hold, an application's timestamp is that of its newest
    /// instance; nobody has seen those on the way.
    var isJoining = false
    private(set) var digest: DigestTree
    private(set) var appDigest: DigestTree
    private(set) var census = Census()

    init(hashSeed: UInt64, digestRows: Int, leavesPerRow: Int) {
        hash = ByteHash(seed: hashSeed)
        digest = DigestTree(rows: digestRows, leavesPerRow: leavesPerRow)
        appDigest = digest
    }

    var instanceCount: Int { table.count }
    /// Applications with instances, and those that only have pollers waiting for them.
    var applicationCount: Int { applicationTable.count }

    // MARK: Look-ups

    func find(_ key: Span<UInt8>) -> UInt32? {
        table.find(hash(key)) { slot in
            guard let instance = records[Int(slot)].instance else { return false }
            return instance.key.packed.holdsSame(as: key)
        }
    }

    func findApplication(_ key: Span<UInt8>) -> UInt32? {
        applicationTable.find(hash(key)) { applications[Int($0)].key.packed.holdsSame(as: key) }
    }

    func instance(at slot: UInt32) -> Instance {
        guard let instance = records[Int(slot)].instance else {
            preconditionFailure("the slot is vacant")
        }
        return instance
    }

    // MARK: Changes

    mutating func renew(_ slot: UInt32, wall: Int64) { records[Int(slot)].renewed = wall }

    /// Stores a new instance and returns its slot. Its application exists (`ensureApplication`),
    /// and the caller publishes the change.
    mutating func insert(_ instance: Instance, app: UInt32, renewed: Int64) -> UInt32 {
        let slot: UInt32
        if let vacant = vacantRecords.popLast() {
            slot = vacant
        } else {
            slot = UInt32(records.count)
            records.append(Record())
        }
        let key = instance.key
        let packed = key.packed.span
        if applications[Int(app)].instanceCount == 0 {
            populatedCount += 1
            let application = applications[Int(app)]
            appDigest.insert(
                app, leaf: appDigest.leaf(of: application.hash), digest: application.digest)
        }
        let position = applications[Int(app)].add(
            slot, instance, zone: packed.extracting(key.zone.range))
        records[Int(slot)] = Record(
            instance: instance, renewed: renewed, app: app, position: position)
        table.insert(slot, hash(packed))
        digest.insert(slot, leaf: leaf(of: packed), digest: instance.digest)
        census.count(key, instance.status, by: 1)
        if zoneCount(app, key) == 1 { census.countApp(key, by: 1) }
        return slot
    }

    /// Instances of the application in the zone of the key.
    private func zoneCount(_ app: UInt32, _ key: InstanceKey) -> Int {
        let packed = key.packed.span
        guard let zone = applications[Int(app)].zoneIndex(packed.extracting(key.zone.range)) else {
            return 0
        }
        return applications[Int(app)].zones[zone].count
    }

    /// `renewed`: the wall time if the write is a sign of life too, else nil.
    mutating func replace(_ slot: UInt32, with instance: Instance, renewed: Int64?) {
        let old = self.instance(at: slot)
        let key = instance.key
        let packed = key.packed.span
        applications[Int(records[Int(slot)].app)].replace(
            old, by: instance, zone: packed.extracting(key.zone.range))
        records[Int(slot)].instance = instance
        digest.change(slot, from: old.digest, to: instance.digest)
        if let renewed { records[Int(slot)].renewed = renewed }
        census.count(old.key, old.status, by: -1)
        census.count(instance.key, instance.status, by: 1)
    }

    mutating func remove(_ slot: UInt32) {
        let instance = self.instance(at: slot)
        let record = records[Int(slot)]
        let key = instance.key
        let packed = key.packed.span
        table.remove(slot, hash(packed))
        digest.remove(slot, digest: instance.digest)
        applications[Int(record.app)].remove(
            at: record.position, instance, zone: packed.extracting(key.zone.range))
        if applications[Int(record.app)].instanceCount == 0 {
            populatedCount -= 1
            appDigest.remove(record.app, digest: applications[Int(record.app)].digest)
        }
        records[Int(slot)] = Record()
        vacantRecords.append(slot)
        if zoneCount(record.app, key) == 0 { census.countApp(key, by: -1) }
        let application = Int(record.app)
        if let zone = applications[application].zoneIndex(packed.extracting(key.zone.range)),
            applications[application].zones[zone].isMostlyHoles
        {
            order(record.app, zone)
        }
        census.count(instance.key, instance.status, by: -1)
    }

    /// The leaf of the digest that the key belongs to, on every node.
    func leaf(of key: Span<UInt8>) -> UInt32 { digest.leaf(of: ByteHash.common.wide(key)) }

    /// Moves the application's timestamp because content in `zone` has moved, by a change with this
    /// stamp: the version of a write, so that it comes out the same on every node.
    ///
    /// What is held now decides the lowest bits. Else nodes that have heard of different changes
    /// before this one, or a change that is lost with its node and the one that comes instead,
    /// would give one timestamp to two contents; and who has it from one node would never be told
    /// by the other.
    mutating func publish(_ app: UInt32, zone: Span<UInt8>, stamp: Int64) {
        let old = applications[Int(app)].digest
        applications[Int(app)].publish(zone: zone, stamp: nextName(app, stamp: stamp))
        updateDigest(app, from: old)
    }

    private func nextName(_ app: UInt32, stamp: Int64) -> Int64 {
        let latest = nextLatest(app, stamp: stamp)
        if isJoining { return latest }
        return Registry.name(of: applications[Int(app)].content, from: latest)
    }

    /// Instances carry the stamp of the change that stores them, moved on where it is not newer:
    /// the clock of its node is behind.
    func nextLatest(_ app: UInt32, stamp: Int64) -> Int64 {
        let latest = applications[Int(app)].latest
        if isJoining { return max(stamp, latest) }
        return max(stamp, max(latest, latestFloor).addingSaturated(1))
    }

    /// The first timestamp from this one on that stands for the content, by its lowest 16 bits: no
    /// more than 65 us later. Changes that come faster than their stamps move an application ahead
    /// of the clock by some 33 us each: 30,000 writes per second for long, or 100,000 instances
    /// taken over one by one, by seconds.
    static func name(of content: UInt64, from earliest: Int64) -> Int64 {
        let bits = Int64(ByteHash.mix(content) & 0xFFFF)
        let name = earliest & ~0xFFFF | bits
        return name < earliest ? name.addingSaturated(0x1_0000) : name
    }

    /// Takes over another node's timestamp of the application if it is higher; whether it was.
    mutating func align(_ app: UInt32, to stamp: Int64) -> Bool {
        if stamp <= applications[Int(app)].latest { return false }
        let old = applications[Int(app)].digest
        applications[Int(app)].align(to: stamp)
        updateDigest(app, from: old)
        return true
    }

    /// From now on every change gets a higher timestamp than this.
    mutating func raiseFloor(to stamp: Int64) { latestFloor = max(latestFloor, stamp) }

    /// Raises those of all applications but some to this at least, and has each stand for its
    /// content.
    mutating func raiseTimestamps(to stamp: Int64 = .min, except kept: Set<UInt32> = []) {
        for app in applications.indices
        where applications[app].instanceCount > 0 && !kept.contains(UInt32(app)) {
            let earliest = max(stamp, applications[app].latest)
            _ = align(UInt32(app), to: Registry.name(of: applications[app].content, from: earliest))
        }
    }

    /// Lays down, or takes away, what an application is shown with. Returns the application if
    /// it has instances and is shown with something else now.
    mutating func schedule(_ key: AppKey, _ schedule: ZoneSchedule?, stamp: Int64) -> UInt32? {
        schedules[key] = schedule
        let found = findApplication(key.packed.span)
        guard let app = found, applications[Int(app)].schedule != schedule else { return nil }
        applications[Int(app)].show(schedule)
        if applications[Int(app)].instanceCount == 0 { return nil }
        let old = applications[Int(app)].digest
        applications[Int(app)].publishEverywhere(stamp: nextName(app, stamp: stamp))
        updateDigest(app, from: old)
        return app
    }

    private mutating func updateDigest(_ app: UInt32, from old: UInt64) {
        if !appDigest.contains(app) { return }
        appDigest.change(app, from: old, to: applications[Int(app)].digest)
    }

    mutating func touch(_ app: UInt32) { applications[Int(app)].touch() }

    mutating func ensureApplication(_ key: Span<UInt8>) -> UInt32 {
        if let app = findApplication(key) { return app }
        var application = Application(key: AppKey(packed: key.copied))
        if !schedules.isEmpty { application.show(schedules[application.key]) }
        let app: UInt32
        if let vacant = vacantApplications.popLast() {
            app = vacant
            applications[Int(app)] = application
        } else {
            app = UInt32(applications.count)
            applications.append(application)
        }
        applicationTable.insert(app, hash(key))
        return app
    }

    /// Forgets zones without instances, and the application if it has none at all and `isWanted` is
    /// false. Returns whether it is gone.
    mutating func tidy(_ app: UInt32, isWanted: Bool) -> Bool {
        applications[Int(app)].dropEmptyZones()
        if isWanted || applications[Int(app)].instanceCount > 0 { return false }
        raiseFloor(to: applications[Int(app)].latest)
        let key = applications[Int(app)].key
        applicationTable.remove(app, hash(key.packed.span))
        applications[Int(app)] = .vacant
        vacantApplications.append(app)
        return true
    }

    // MARK: Views

    /// The part of an application that a reader asks for, made now or at most `ageMax` ago.
    mutating func view(
        _ app: UInt32, zone: [UInt8]?, statuses: UInt8, env: [UInt8]?, at now: Int64, ageMax: Int64
    ) -> AppView {
        let index = Int(app)
        let known = applications[index].views.firstIndex {
            $0.statuses == statuses && $0.filter == zone && $0.env == env
        }
        if let known {
            let view = applications[index].views[known]
            if now - view.made <= ageMax { return view }
            applications[index].views.remove(at: known)
        }
        let view = makeView(app, zone: zone, statuses: statuses, env: env, at: now)
        // Readers ask for a few kinds. Zone names come from clients, so the number is bounded.
        if applications[index].views.count >= 8 { applications[index].views.removeFirst() }
        applications[index].views.append(view)
        return view
    }

    /// Whether the caller has to look after the application's views from now on: true once, until
    /// `dropViews`.
    mutating func startAging(_ app: UInt32) -> Bool {
        defer { applications[Int(app)].isAging = true }
        return !applications[Int(app)].isAging
    }

    mutating func dropViews(_ app: UInt32, madeBefore time: Int64) {
        applications[Int(app)].isAging = false
        applications[Int(app)].views.removeAll { $0.made < time }
    }

    private mutating func makeView(
        _ app: UInt32, zone: [UInt8]?, statuses: UInt8, env: [UInt8]?, at now: Int64
    ) -> AppView {
        let index = Int(app)
        var zones: [AppView.Zone] = []
        for zoneIndex in applications[index].zones.indices {
            if let zone, applications[index].zones[zoneIndex].name != zone { continue }
            order(app, zoneIndex)
            let group = applications[index].zones[zoneIndex]
            var rows: [RegistryView.Row] = []
            rows.reserveCapacity(group.count(of: statuses))
            for slot in group.members {
                let record = records[Int(slot)]
                guard let instance = record.instance, instance.status.mask & statuses != 0
                else { continue }
                rows.append(RegistryView.Row(instance: instance, renewed: record.renewed))
            }
            zones.append(AppView.Zone(name: group.name, rows: rows))
        }
        let application = applications[index]
        return AppView(
            app: application.key, latest: application.latest, zones: zones, env: env,
            schedule: application.schedule, filter: zone, statuses: statuses, made: now)
    }

    /// Everything, ordered. O(n): the caller asks for it rarely.
    mutating func viewAll() -> RegistryView {
        var rows: [RegistryView.Row] = []
        rows.reserveCapacity(instanceCount)
        let order = applications.indices.filter { applications[$0].instanceCount > 0 }.sorted {
            applications[$0].key.isListed(before: applications[$1].key)
        }
        for index in order {
            for zoneIndex in applications[index].zones.indices {
                self.order(UInt32(index), zoneIndex)
                for slot in applications[index].zones[zoneIndex].members {
                    let record = records[Int(slot)]
                    guard let instance = record.instance else { continue }
                    rows.append(RegistryView.Row(instance: instance, renewed: record.renewed))
                }
            }
        }
        return RegistryView(rows: rows)
    }

    private mutating func order(_ app: UInt32, _ zone: Int) {
        guard applications[Int(app)].zones[zone].needsOrdering else { return }
        sortMembers(app, zone)
        updatePositions(app, zone)
    }

    private mutating func sortMembers(_ app: UInt32, _ zone: Int) {
        // A second reference, not a copy. It ends with this function, before `records` is written:
        // written while shared, all of it would be copied.
        let records = self.records
        applications[Int(app)].order(zone: zone) { left, right in
            guard let left = records[Int(left)].instance, let right = records[Int(right)].instance
            else { preconditionFailure("a member's slot is vacant") }
            return left.key.isHostPreceding(right.key)
        }
    }

    private mutating func updatePositions(_ app: UInt32, _ zone: Int) {
        let members = applications[Int(app)].zones[zone].members
        for (position, slot) in members.enumerated() {
            records[Int(slot)].position = UInt32(position)
        }
    }
}

extension AppKey {
    /// By appid, then env: the order of `fetch/all`, which merges envs.
    func isListed(before other: AppKey) -> Bool {
        let (left, right) = (packed.span, other.packed.span)
        let leftID = left.extracting(appid.range)
        let rightID = right.extracting(other.appid.range)
        if !leftID.holdsSame(as: rightID) { return leftID.precedes(rightID) }
        return left.extracting(env.range).precedes(right.extracting(other.env.range))
    }
}
