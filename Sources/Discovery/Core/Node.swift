/// One node of the registry: a pure state machine.
///
/// Inputs go in with the time, effects come out in order; it does no I/O, reads no clock and draws
/// no random numbers, so equal inputs give equal effects. Its owner calls `step` from one thread at
/// a time, carries the effects out, and calls again at `nextDeadline`.
package struct Node: ~Copyable {
    package let settings: NodeSettings
    var registry: Registry
    var leases: Leases
    var tombstones: Tombstones
    /// What was evicted here, by version: another node that is still holding it does not bring it
    /// back, unless it renewed there.
    var evictions: Tombstones
    var cluster: Cluster
    var watchers: Watchers
    package internal(set) var statistics = NodeStatistics()
    /// Until when reads are refused, monotonic; nil once it is over.
    var protectedUntil: Int64?
    package internal(set) var isDraining = false
    /// host:port that clients and peers reach this node at; empty until it is announced.
    var address = ""
    /// The application key of `infra.discovery` in this node's env.
    let selfAppKey: AppKey
    /// This node's own instance has no lease: it lives as long as the node.
    var selfSlot: UInt32?
    /// Its key.
    let selfKey: InstanceKey
    /// `started` was said: before, nobody is called.
    var hasStarted = false
    /// When it was last made newer than what others told of it, monotonic.
    var selfContested: Int64?
    /// When this node's own instance is renewed next, monotonic.
    var selfRenewal: Int64 = .max
    /// Views that nobody may be asking for any more, with the time to look.
    var aging = Queue<AgingView>()
    var limitNotes = LimitNotes()
    /// The wall clock at the start: timestamps of applications do not fall below it afterwards.
    let startWall: Int64
    /// `fetch/all` is dear; askers within `fetchAge` share one.
    var allView: (view: RegistryView, made: Int64)?

    struct AgingView {
        let app: UInt32
        let due: Int64
    }

    /// A view that is not asked for is kept this long.
    static let viewAgeMax = 60 * Duration.second
    package static let selfAppID = Array("infra.discovery".utf8)
    /// As often as the clients in the field renew theirs, and often enough where leases are short.
    var selfRenewalInterval: Int64 { min(30 * Duration.second, settings.lease / 3) }

    /// `id` and `seed` are drawn from the system's randomness at each start. The seed keeps clients
    /// from choosing colliding names and spreads what is timed.
    package init(settings: NodeSettings, id: NodeID, seed: UInt64, now: Moment) {
        self.settings = settings
        registry = Registry(
            hashSeed: seed, digestRows: settings.cluster.digestRows,
            leavesPerRow: settings.cluster.digestLeavesPerRow)
        leases = Leases(settings: settings, now: now.monotonic)
        tombstones = Tombstones(age: settings.tombstoneAge, countMax: settings.tombstonesMax)
        evictions = Tombstones(
            age: settings.protectionCeiling, countMax: settings.tombstonesMax)
        cluster = Cluster(
            id: id, settings: settings.cluster, seed: seed, now: now.monotonic)
        startWall = now.wall
        watchers = Watchers(wakeInterval: settings.wakeInterval, now: now.monotonic)
        protectedUntil =
            settings.startupProtection > 0
            ? now.monotonic.addingSaturated(settings.startupProtection) : nil
        let env = Array(settings.env.utf8)
        guard let appKey = AppKey(env: env, appid: Node.selfAppID),
            let key = InstanceKey(
                env: env, appid: Node.selfAppID, zone: Array(settings.zone.utf8),
                hostname: Array(settings.hostname.utf8))
        else {
            preconditionFailure(
                "names are at most \(PackedKey.fieldBytesMax) bytes, checked at the start")
        }
        selfAppKey = appKey
        selfKey = key
    }

    /// When to call `step` with `.ticked`, monotonic; nil: nothing is waiting. `Int64.min`: now.
    package var nextDeadline: Int64? {
        // One after the other: a list of them would be allocated twice per turn.
        var due = Node.earlier(watchers.nextDue, leases.nextDue)
        due = Node.earlier(due, tombstones.nextDue)
        due = Node.earlier(due, evictions.nextDue)
        due = Node.earlier(due, protectedUntil)
        due = Node.earlier(due, aging.first?.due)
        due = Node.earlier(due, selfSlot == nil ? nil : selfRenewal)
        due = Node.earlier(due, allViewDue)
        return Node.earlier(due, clusterDue)
    }

    private static func earlier(_ one: Int64?, _ other: Int64?) -> Int64? {
        guard let one, let other else { return one ?? other }
        return min(one, other)
    }

    /// Applies one turn's inputs in order, then tells the pollers what changed.
    package mutating func step(
        _ batch: borrowing Batch, at now: Moment, effects: inout [Effect]
    ) {
        cluster.largeAnswers = 0
        for index in batch.inputs.indices {
            apply(batch.inputs[index], batch, at: now, &effects)
        }
        if let due = nextDeadline, due <= now.monotonic { advance(to: now, &effects) }
        advanceCluster(to: now, &effects)
        wake(at: now, &effects)
    }

    private mutating func apply(
        _ input: Input, _ batch: borrowing Batch, at now: Moment, _ effects: inout [Effect]
    ) {
        switch input {
        case .renewed(let id, let renewal):
            let key = batch.bytes.span.extracting(renewal.key.range)
            effects.append(.answer(id, renew(key, renewal, at: now)))
        case .registered(let id, let registration):
            register(id, registration, at: now, &effects)
        case .cancelled(let id, let cancellation):
            let key = InstanceKey(packed: Array(batch.bytes[cancellation.key.range]))
            cancel(id, key, cancellation, at: now, &effects)
        case .set(let id, let setting):
            set(id, setting, at: now, &effects)
        case .fetched(let id, let fetch):
            effects.append(.answer(id, self.fetch(fetch, batch, at: now)))
        case .fetchedMany(let id, let fetch):
            effects.append(.answer(id, fetchMany(fetch, batch, at: now)))
        case .fetchedAll(let id):
            effects.append(.answer(id, fetchAll(at: now)))
        case .polled(let id, let poll):
            if let answer = self.poll(id, poll, batch, at: now, &effects) {
                effects.append(.answer(id, answer))
            }
        case .balanced(let id, let balance):
            effects.append(.answer(id, self.balance(balance, batch, at: now)))
        case .scheduled(let schedules):
            for scheduled in schedules { schedule(scheduled, at: now) }
        case .askedForNodes(let id):
            effects.append(.answer(id, .nodes(nodes)))
        case .clientLeft(let id):
            clientLeft(id)
        case .ticked:
            break
        case .exchanged(let id, let exchange):
            effects.append(.answer(id, answer(to: exchange, at: now, &effects)))
        case .peerReplied(let call, let reply):
            peerReplied(call, reply, at: now, &effects)
        case .peerHungUp(let address):
            doubt(address, at: now)
        case .started:
            hasStarted = true
            join(at: now, &effects)
        case .announced(let address):
            announce(address: address, at: now)
        case .drained:
            leave(at: now, &effects)
            drain(&effects)
        }
    }

    /// Does what time brings: evictions, deadlines of polls, what is kept for a while only.
    private mutating func advance(to now: Moment, _ effects: inout [Effect]) {
        if let due = leases.nextDue, due <= now.monotonic { evict(at: now, &effects) }
        tombstones.expire(at: now.monotonic)
        evictions.expire(at: now.monotonic)
        if let selfSlot, selfRenewal <= now.monotonic {
            registry.renew(selfSlot, wall: now.wall)
            relayRenewal(selfSlot, from: .client, at: now.monotonic)
            selfRenewal = now.monotonic.addingSaturated(selfRenewalInterval)
        }
        if let until = protectedUntil, until <= now.monotonic {
            protectedUntil = nil
            effects.append(.note(.startupProtectionEnded))
        }
        var budget = settings.wakesPerStepMax
        while budget > 0, let waiter = watchers.popExpired(at: now.monotonic) {
            budget -= 1
            expire(waiter, at: now, &effects)
        }
        if let due = allViewDue, due <= now.monotonic { allView = nil }
        while let view = aging.first, view.due <= now.monotonic {
            _ = aging.popFirst()
            age(view.app, at: now.monotonic)
        }
    }

    private mutating func evict(at now: Moment, _ effects: inout [Effect]) {
        leases.check(at: now.monotonic, notes: &effects)
        askAbout(leases.newlyOverdue, at: now.monotonic)
        var budget = settings.evictionsPerStepMax
        while budget > 0, let slot = leases.nextEviction(at: now.monotonic) {
            budget -= 1
            let instance = registry.instance(at: slot)
            let silence = leases.silence(of: slot, at: now.monotonic)
            statistics.evictions += 1
            effects.append(.note(.evicted(instance.key, silence: silence)))
            // Without a tombstone: a peer that still hears of it has to be able to bring it back.
            remove(slot, version: nil, at: now)
            evictions.bury(instance.key, version: instance.dirty, at: now.monotonic)
        }
        leases.isInterrupted = budget == 0
        // The last evictions may have ended a protection.
        leases.check(at: now.monotonic, notes: &effects)
        askAbout(leases.newlyOverdue, at: now.monotonic)
    }

    /// Takes an instance out, leaves a tombstone of this version if there is one, and publishes.
    /// `age`: how long ago another node heard of the cancel.
    mutating func remove(_ slot: UInt32, version: Int64?, age: Int64 = 0, at now: Moment) {
        let instance = registry.instance(at: slot)
        let app = registry.records[Int(slot)].app
        registry.remove(slot)
        leases.end(slot)
        forgetRenewals(slot)
        if slot == selfSlot { selfSlot = nil }
        if let version {
            tombstones.bury(instance.key, version: version, age: age, at: now.monotonic)
        }
        publish(app, zoneOf: instance.key, stamp: version ?? now.wall, at: now)
        tidy(app)
    }

    /// Moves the application's timestamp and remembers to wake who waits for it. `stamp`: the
    /// version of the write that changed it.
    mutating func publish(
        _ app: UInt32, zoneOf key: InstanceKey, stamp: Int64, at now: Moment
    ) {
        registry.publish(app, zone: key.packed.span.extracting(key.zone.range), stamp: stamp)
        watchers.changed(app, at: now.monotonic)
        noteMembership(app)
    }

    mutating func noteMembership(_ app: UInt32) {
        if registry.applications[Int(app)].key == selfAppKey { cluster.isMembershipStale = true }
    }

    /// Lets go of zones and applications that nobody needs any more.
    mutating func tidy(_ app: UInt32) {
        // Pollers about to be told still have to see the zone they knew, now empty.
        if watchers.isWaking(app) { return }
        _ = registry.tidy(app, isWanted: watchers.isWatched(app))
    }

    /// Recounts what is counted along. O(n): for tests and debug builds.
    package func checkInvariants() {
        leases.checkInvariants()
        watchers.checkInvariants()
        registry.checkInvariants()
    }

    package var instanceCount: Int { registry.instanceCount }
    package var applicationCount: Int { registry.applicationCount }
    package var waiterCount: Int { watchers.count }
    package var tombstoneCount: Int { tombstones.count }
    package var tombstonesDropped: Int { tombstones.dropped }
    package var census: Census { registry.census }
    package var isProtectedAtStart: Bool { protectedUntil != nil }
    package var isSelfPreserving: Bool { leases.overall.isProtected || leases.isAnyZoneProtected }
    package var overdueCount: Int { leases.overall.overdue }
    package var expectedCount: Int { leases.overall.expected }
}
