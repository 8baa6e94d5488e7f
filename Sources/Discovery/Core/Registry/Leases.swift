/// Who renewed when, who is late, and who may be evicted.
///
/// A renewal writes one time and nothing else: an instance is looked at again only when its lease
/// could have run out. It is `fresh`, then `overdue` (renewals were missed), then `lapsed` (it may
/// go).
struct Leases {
    enum State: UInt8 {
        case none, fresh, overdue, lapsed
    }

    private struct Lease {
        var renewed: Int64 = 0
        var zone: UInt32 = 0
        var state = State.none
    }

    /// In the order in which they lapsed, so the longest silent go first. `renewed` tells an entry
    /// that renewed since.
    private struct Lapse {
        let slot: UInt32
        let renewed: Int64
    }

    private struct Zone {
        var name: [UInt8]
        var guardState = SelfPreservation.State()
        var lapsed = Queue<Lapse>()
    }

    private let settings: NodeSettings
    private var wheel: TimerWheel
    private var leases: [Lease] = []
    private var zones: [Zone] = []
    private var vacantZones: [UInt32] = []
    /// Only looked up, never walked: its order differs from run to run.
    private var zoneIndexes: [[UInt8]: UInt32] = [:]
    private(set) var overall = SelfPreservation.State()
    private var budget: EvictionBudget
    private var lapsedCount = 0
    private var lastCheck: Int64
    /// Zones before this one have nothing to evict until the next check.
    private var evictionZone = 0
    /// More may be evicted than a step allows: the next step goes on.
    var isInterrupted = false
    /// Those that became overdue in the last check.
    private(set) var newlyOverdue: [UInt32] = []

    /// A quarter of a second keeps evictions well within a second of their due time.
    private static let tick = 250 * Duration.millisecond
    /// Lapsed instances that may not go yet are looked at this often.
    private static let recheck = Duration.second

    init(settings: NodeSettings, now: Int64) {
        self.settings = settings
        // 512 ticks of a quarter second reach past the lease of 90 s.
        wheel = TimerWheel(tick: Leases.tick, buckets: 512, now: now)
        budget = EvictionBudget(percentMax: settings.evictionPercentMax)
        lastCheck = now
    }

    /// When to call `check` next.
    var nextDue: Int64? {
        if isInterrupted { return .min }
        let needsRecheck = lapsedCount > 0 || overall.isProtected || isAnyZoneProtected
        let recheck = needsRecheck ? lastCheck.addingSaturated(Leases.recheck) : nil
        guard let due = wheel.nextDue else { return recheck }
        return min(due, recheck ?? due)
    }

    private(set) var isAnyZoneProtected = false

    /// Starts the lease of a newly stored instance that renewed at `renewed`, which is before now
    /// if it comes from another node.
    mutating func grant(_ slot: UInt32, zone: Span<UInt8>, at renewed: Int64) {
        while leases.count <= Int(slot) { leases.append(Lease()) }
        precondition(leases[Int(slot)].state == .none, "the slot has a lease already")
        let zoneIndex = self.zoneIndex(of: zone)
        leases[Int(slot)] = Lease(renewed: renewed, zone: zoneIndex, state: .fresh)
        zones[Int(zoneIndex)].guardState.expected += 1
        overall.expected += 1
        wheel.schedule(slot, at: renewed.addingSaturated(settings.overdueAfter))
    }

    /// The hot path: one store while the instance is fresh. `renewed` is before now if another node
    /// was told of the renewal; one that is older than the last changes nothing.
    mutating func renew(_ slot: UInt32, at renewed: Int64) {
        let index = Int(slot)
        guard index < leases.count, leases[index].state != .none,
            renewed > leases[index].renewed
        else { return }
        leases[index].renewed = renewed
        if leases[index].state == .fresh { return }
        if leases[index].state == .lapsed { lapsedCount -= 1 }
        // A renewal that another node heard of may be late again before the lease would have ended.
        wheel.cancel(slot)
        wheel.schedule(slot, at: renewed.addingSaturated(settings.overdueAfter))
        leases[index].state = .fresh
        zones[Int(leases[index].zone)].guardState.overdue -= 1
        overall.overdue -= 1
    }

    /// The instance was removed. No-op for one without a lease.
    mutating func end(_ slot: UInt32) {
        let index = Int(slot)
        guard index < leases.count, leases[index].state != .none else { return }
        let lease = leases[index]
        wheel.cancel(slot)
        let isLate = lease.state != .fresh
        if lease.state == .lapsed { lapsedCount -= 1 }
        leases[index] = Lease()
        let zone = Int(lease.zone)
        zones[zone].guardState.expected -= 1
        overall.expected -= 1
        if isLate {
            zones[zone].guardState.overdue -= 1
            overall.overdue -= 1
        }
        // A protected zone stays until the check has told that its protection ended.
        if zones[zone].guardState.expected == 0, !zones[zone].guardState.isProtected { free(zone) }
    }

    /// How long ago the instance renewed, nanoseconds; 0 for one without a lease.
    func silence(of slot: UInt32, at now: Int64) -> Int64 {
        let index = Int(slot)
        guard index < leases.count, leases[index].state != .none else { return 0 }
        return max(0, now - leases[index].renewed)
    }

    /// Moves instances on whose time has come and settles who is protected. Call before
    /// `nextEviction`.
    mutating func check(at now: Int64, notes: inout [Effect]) {
        lastCheck = now
        evictionZone = 0
        newlyOverdue = []
        while let slot = wheel.popDue(at: now) { advance(slot, at: now) }
        let percent = settings.overduePercentMax
        if let note = overall.settle(percentMax: percent, scope: .overall) {
            notes.append(.note(note))
        }
        isAnyZoneProtected = false
        for index in zones.indices where zones[index].guardState.isRelevant {
            let name = zones[index].name
            let note = zones[index].guardState.settle(
                percentMax: percent, scope: .zone(String(decoding: name, as: UTF8.self)))
            if let note { notes.append(.note(note)) }
            if zones[index].guardState.isProtected { isAnyZoneProtected = true }
            if zones[index].guardState.expected == 0 { free(index) }
        }
    }

    /// The next instance to evict now, or nil. The caller removes it (which calls `end`).
    mutating func nextEviction(at now: Int64) -> UInt32? {
        if lapsedCount == 0 { return nil }
        while evictionZone < zones.count {
            let index = evictionZone
            while let lapse = zones[index].lapsed.first {
                let lease = leases[Int(lapse.slot)]
                guard lease.state == .lapsed, lease.renewed == lapse.renewed else {
                    _ = zones[index].lapsed.popFirst()
                    continue
                }
                let isProtected = overall.isProtected || zones[index].guardState.isProtected
                if isProtected, now - lease.renewed < settings.protectionCeiling { break }
                guard budget.take(of: overall.expected, at: now) else { return nil }
                _ = zones[index].lapsed.popFirst()
                return lapse.slot
            }
            evictionZone += 1
        }
        return nil
    }

    private mutating func advance(_ slot: UInt32, at now: Int64) {
        let index = Int(slot)
        let renewed = leases[index].renewed
        let silence = now - renewed
        if silence < settings.overdueAfter {
            wheel.schedule(slot, at: renewed.addingSaturated(settings.overdueAfter))
            return
        }
        let zone = Int(leases[index].zone)
        if leases[index].state == .fresh {
            leases[index].state = .overdue
            zones[zone].guardState.overdue += 1
            overall.overdue += 1
            newlyOverdue.append(slot)
        }
        if silence < settings.lease {
            wheel.schedule(slot, at: renewed.addingSaturated(settings.lease))
            return
        }
        leases[index].state = .lapsed
        lapsedCount += 1
        zones[zone].lapsed.append(Lapse(slot: slot, renewed: renewed))
    }

    private mutating func zoneIndex(of name: Span<UInt8>) -> UInt32 {
        let bytes = name.copied
        if let index = zoneIndexes[bytes] { return index }
        let index: UInt32
        if let vacant = vacantZones.popLast() {
            index = vacant
            zones[Int(index)] = Zone(name: bytes)
        } else {
            index = UInt32(zones.count)
            zones.append(Zone(name: bytes))
        }
        zoneIndexes[bytes] = index
        return index
    }

    private mutating func free(_ zone: Int) {
        zoneIndexes[zones[zone].name] = nil
        zones[zone] = Zone(name: [])
        vacantZones.append(UInt32(zone))
    }

    /// Recounts from the leases what is otherwise counted along. For tests and debug builds.
    func checkInvariants() {
        var (expected, overdue, lapsed) = (0, 0, 0)
        for (slot, lease) in leases.enumerated() where lease.state != .none {
            expected += 1
            if lease.state != .fresh { overdue += 1 }
            if lease.state == .lapsed { lapsed += 1 }
            precondition(
                wheel.isScheduled(UInt32(slot)) == (lease.state != .lapsed),
                "a lease is in the wheel until it lapsed")
        }
        precondition(expected == overall.expected, "expected renewals miscounted")
        precondition(overdue == overall.overdue, "overdue renewals miscounted")
        precondition(lapsed == lapsedCount, "lapsed leases miscounted")
        precondition(
            zones.reduce(0) { $0 + $1.guardState.expected } == expected, "zones miscounted")
    }
}
