extension Node {
    /// Registers this node as an instance of `infra.discovery`, without a lease. `address` is the
    /// host:port that clients reach it at. Call it once, when the node listens.
    package mutating func announce(address: String, at now: Moment) {
        self.address = address
        guard selfSlot == nil,
            let key = InstanceKey(
                env: Array(settings.env.utf8), appid: Node.selfAppID,
                zone: Array(settings.zone.utf8), hostname: Array(settings.hostname.utf8)),
            let content = InstanceContent(
                region: Array(settings.region.utf8), version: [],
                addrs: [Array("http://\(address)".utf8)], metadata: [])
        else { return }
        // The node listens already, so a client, or a node that remembers this one, may have
        // been faster.
        var dirty = now.wall
        if let stored = registry.find(key.packed.span) {
            dirty = max(dirty, registry.instance(at: stored).dirty.addingSaturated(1))
            remove(stored, version: nil, at: now)
        }
        let appKey = selfAppKey.packed
        let app = registry.ensureApplication(appKey.span)
        let instance = Instance(
            key: key, content: content, status: .up, registered: now.wall, up: now.wall,
            dirty: dirty, latest: registry.nextLatest(app, wall: now.wall))
        selfSlot = registry.insert(instance, app: app, renewed: now.wall)
        selfRenewal = now.monotonic.addingSaturated(Node.selfRenewalInterval)
        publish(app, zoneOf: key, at: now)
    }

    mutating func register(
        _ registration: Registration, at now: Moment, _ effects: inout [Effect]
    ) -> Answer {
        statistics.registrations += 1
        let key = registration.key
        let stored = registry.find(key.packed.span)
        let buried = tombstones.version(of: key) ?? .min
        if let stored, stored == selfSlot { return Node.ownInstance }
        if !registration.origin.isClient, isTooFarAhead(registration.dirty, now) {
            return .refused(
                .invalid, "dirty_timestamp is more than a day ahead of this node's clock")
        }
        let dirty = version(of: registration, stored: stored, buried: buried, at: now)
        guard let stored else {
            if !registration.origin.isClient, dirty <= buried { return .done }
            return add(registration, dirty: dirty, at: now, &effects)
        }
        let old = registry.instance(at: stored)
        if !registration.origin.isClient {
            if dirty < old.dirty { return .done }
            let isWinner = old.yields(to: registration.content, registration.status)
            if dirty == old.dirty, !isWinner { return .done }
        }
        replace(
            stored, content: registration.content, status: registration.status, dirty: dirty,
            registered: now.wall, up: old.up, renewed: now.wall, at: now, &effects)
        leases.renew(stored, at: now.monotonic)
        return .done
    }

    /// Only the node itself says whether it is there: clients find the nodes by this instance.
    private static var ownInstance: Answer {
        .refused(.invalid, "hostname is this node's own in infra.discovery, which it keeps itself")
    }

    /// A source write always takes effect, so it is newer than all that was.
    private func version(
        of registration: Registration, stored: UInt32?, buried: Int64, at now: Moment
    ) -> Int64 {
        if !registration.origin.isClient {
            return registration.dirty > 0 ? registration.dirty : now.wall
        }
        let known = max(stored.map { registry.instance(at: $0).dirty } ?? .min, buried)
        return max(now.wall, known.addingSaturated(1))
    }

    private func isTooFarAhead(_ version: Int64, _ now: Moment) -> Bool {
        version > now.wall.addingSaturated(settings.skewMax)
    }

    private mutating func add(
        _ registration: Registration, dirty: Int64, at now: Moment, _ effects: inout [Effect]
    ) -> Answer {
        let key = registration.key
        if registry.instanceCount >= settings.instancesMax {
            return refuse("instances_max", settings.instancesMax, at: now, &effects)
        }
        let appKey = key.packed.span.extracting(key.application.range)
        let known = registry.findApplication(appKey)
        let isPopulated = known.map { registry.applications[Int($0)].instanceCount > 0 } ?? false
        if !isPopulated, registry.populatedCount >= settings.appsMax {
            return refuse("apps_max", settings.appsMax, at: now, &effects)
        }
        let app = registry.ensureApplication(appKey)
        let instance = Instance(
            key: key, content: registration.content, status: registration.status,
            registered: now.wall, up: now.wall, dirty: dirty,
            latest: registry.nextLatest(app, wall: now.wall))
        let slot = registry.insert(instance, app: app, renewed: now.wall)
        tombstones.forget(key)
        leases.grant(
            slot, zone: key.packed.span.extracting(key.zone.range), at: now.monotonic)
        publish(app, zoneOf: key, at: now)
        effects.append(.note(.added(instance)))
        return .done
    }

    /// Says no because a limit of the settings is reached, and tells so once in a while.
    mutating func refuse(
        _ limit: String, _ value: Int, at now: Moment, _ effects: inout [Effect]
    ) -> Answer {
        statistics.refusedByLimit += 1
        let sentence = "this node is at its limit of \(value) (\(limit))"
        if limitNotes.isNews(limit, at: now.monotonic) {
            effects.append(.note(.limitReached(sentence)))
        }
        return .refused(.overloaded, sentence)
    }

    /// Puts a new version in the place of the old one; consumers are told if they would see it.
    private mutating func replace(
        _ slot: UInt32, content: InstanceContent, status: InstanceStatus, dirty: Int64,
        registered: Int64, up: Int64, renewed: Int64?, at now: Moment, _ effects: inout [Effect]
    ) {
        let old = registry.instance(at: slot)
        let app = registry.records[Int(slot)].app
        let isChange = !old.holdsSame(content, status)
        let instance = Instance(
            key: old.key, content: content, status: status, registered: registered, up: up,
            dirty: dirty, latest: isChange ? registry.nextLatest(app, wall: now.wall) : old.latest)
        registry.replace(slot, with: instance, renewed: renewed)
        if isChange {
            publish(app, zoneOf: old.key, at: now)
            effects.append(.note(.replaced(instance)))
        } else {
            registry.touch(app)
        }
    }

    mutating func renew(_ key: Span<UInt8>, _ renewal: Renewal, at now: Moment) -> Answer {
        statistics.renewals += 1
        guard let slot = registry.find(key) else { return unknownRenewal(key) }
        let record = registry.records[Int(slot)]
        let instance = registry.instance(at: slot)
        // Nodes compare versions before the lease is touched; from another zone only if they gave
        // one.
        let compares =
            renewal.origin == .peer || (renewal.origin == .zone && renewal.dirty > 0)
        if compares, renewal.dirty < instance.dirty {
            return .conflict(instance, renewed: record.renewed)
        }
        if compares, renewal.dirty > instance.dirty {
            return .outdated(instance, renewed: record.renewed)
        }
        registry.renew(slot, wall: now.wall)
        leases.renew(slot, at: now.monotonic)
        return .renewed(instance, renewed: now.wall)
    }

    /// The reference tells a host that is missing from a known zone by a blank instance.
    private func unknownRenewal(_ key: Span<UInt8>) -> Answer {
        let appKey = key.extracting(0..<PackedKey.end(of: 2, in: key))
        guard let app = registry.findApplication(appKey) else { return .unknownWithData }
        let zone = key.extracting(PackedKey.field(2, of: key).range)
        let application = registry.applications[Int(app)]
        guard let index = application.zoneIndex(zone), application.zones[index].count > 0 else {
            return .unknownWithData
        }
        return .unknownHost
    }

    mutating func cancel(
        _ key: Span<UInt8>, _ cancellation: Cancellation, at now: Moment,
        _ effects: inout [Effect]
    ) -> Answer {
        statistics.cancels += 1
        let isSource = cancellation.origin.isClient
        if !isSource, isTooFarAhead(cancellation.dirty, now) {
            return .refused(
                .invalid, "dirty_timestamp is more than a day ahead of this node's clock")
        }
        guard let slot = registry.find(key) else {
            if !isSource, cancellation.dirty > 0 {
                tombstones.bury(
                    InstanceKey(packed: key.copied), version: cancellation.dirty,
                    at: now.monotonic)
            }
            return .unknown
        }
        if slot == selfSlot { return Node.ownInstance }
        let instance = registry.instance(at: slot)
        let version: Int64
        if isSource {
            version = max(now.wall, instance.dirty.addingSaturated(1))
        } else if cancellation.dirty > 0 {
            // What was registered after the cancel stays.
            if cancellation.dirty < instance.dirty { return .done }
            version = cancellation.dirty
        } else {
            version = instance.dirty
        }
        remove(slot, version: version, at: now)
        effects.append(.note(.removed(instance.key)))
        return .done
    }

    /// All of it or nothing: looks everything up and merges everything before it stores anything.
    mutating func set(
        _ setting: Setting, at now: Moment, _ effects: inout [Effect]
    ) -> Answer {
        statistics.sets += 1
        let isSource = setting.origin.isClient
        if !isSource, isTooFarAhead(setting.dirty, now) {
            return .refused(.invalid, "set_timestamp is more than a day ahead of this node's clock")
        }
        var plans: [Plan] = []
        // A host that is named twice: its second change is laid over its first.
        var places: [UInt32: Int] = [:]
        for change in setting.changes {
            guard let slot = registry.find(change.key.packed.span) else {
                let name = String(
                    decoding: change.key.packed[change.key.hostname.range], as: UTF8.self)
                return .refused(.invalid, "hostname \(name) is not registered in this zone")
            }
            if slot == selfSlot { return Node.ownInstance }
            let old = registry.instance(at: slot)
            let place = places[slot] ?? plans.count
            if place == plans.count {
                places[slot] = place
                plans.append(Plan(slot: slot, content: old.content, status: old.status))
            }
            guard let content = merge(change.metadata, into: plans[place].content) else {
                let (bytes, entries) = (settings.metadataBytesMax, NodeSettings.metadataEntriesMax)
                return .refused(
                    .invalid,
                    "metadata may have at most \(bytes) bytes and \(entries) entries, "
                        + "with what is there")
            }
            plans[place].content = content
            if let status = change.status { plans[place].change(to: status) }
        }
        for plan in plans {
            let old = registry.instance(at: plan.slot)
            // A node's change that is older than what is here is too late; one of the same version
            // is settled as a register is.
            if !isSource, setting.dirty > 0 {
                if setting.dirty < old.dirty { continue }
                let isWinner = old.yields(to: plan.content, plan.status)
                if setting.dirty == old.dirty, !isWinner { continue }
            }
            let isDated = !isSource && setting.dirty > 0
            replace(
                plan.slot, content: plan.content, status: plan.status,
                dirty: isDated
                    ? setting.dirty : max(now.wall, old.dirty.addingSaturated(1)),
                registered: old.registered, up: plan.isSetUp ? now.wall : old.up,
                renewed: nil, at: now, &effects)
        }
        return .done
    }

    /// What a `set` makes of one instance.
    private struct Plan {
        let slot: UInt32
        var content: InstanceContent
        var status: InstanceStatus
        var isSetUp = false

        mutating func change(to status: InstanceStatus) {
            self.status = status
            isSetUp = status == .up
        }
    }

    private func merge(
        _ metadata: Setting.Metadata, into content: InstanceContent
    ) -> InstanceContent? {
        switch metadata {
        case .unchanged: content
        case .merged(let entries): withinLimit(content.merging(entries, keepsOld: true))
        case .cleared: content.merging([], keepsOld: false)
        }
    }

    /// Nil if one set after the other has gathered more than an instance may have.
    private func withinLimit(_ content: InstanceContent?) -> InstanceContent? {
        guard let content else { return nil }
        let size = content.metadataSize
        let isWithin =
            size.bytes <= settings.metadataBytesMax
            && size.entries <= NodeSettings.metadataEntriesMax
        return isWithin ? content : nil
    }
}
