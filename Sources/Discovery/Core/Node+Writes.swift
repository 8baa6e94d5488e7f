extension Node {
    mutating func register(
        _ id: RequestID, _ registration: Registration, at now: Moment, _ effects: inout [Effect]
    ) {
        statistics.registrations += 1
        if registration.origin.isClient {
            registerFromClient(id, registration, at: now, &effects)
            return
        }
        // A node of the reference may leave the version out.
        let version = registration.dirty > 0 ? registration.dirty : now.wall
        if isTooFarAhead(version, now) {
            effects.append(.answer(id, Node.tooFarAhead("dirty_timestamp")))
            return
        }
        let record = Record(
            key: registration.key, version: version,
            state: .registered(
                Record.Registered(
                    content: registration.content, status: registration.status,
                    registered: now.wall, up: now.wall, silence: 0)))
        switch merge(record, at: now, &effects) {
        case .taken:
            relay([record.key], from: registration.origin, at: now)
            effects.append(.answer(id, .done))
        // A client's register makes a new version. The same one again is a repetition, which may
        // have been on its way for long: no sign of life.
        case .same, .stale: effects.append(.answer(id, .done))
        case .refused(let answer): effects.append(.answer(id, answer))
        }
    }

    /// A source write always takes effect, so it is newer than all that was.
    private mutating func registerFromClient(
        _ id: RequestID, _ registration: Registration, at now: Moment, _ effects: inout [Effect]
    ) {
        let key = registration.key
        let stored = registry.find(key.packed.span)
        if let stored, stored == selfSlot {
            effects.append(.answer(id, Node.ownInstance))
            return
        }
        let known = stored.map { registry.instance(at: $0).dirty } ?? .min
        let buried = tombstones.version(of: key, at: now.monotonic) ?? .min
        // It may have been evicted here and still be held by another node.
        let evicted = evictions.version(of: key, at: now.monotonic) ?? .min
        let version = max(now.wall, max(known, buried, evicted).addingSaturated(1))
        let state = Record.Registered(
            content: registration.content, status: registration.status, registered: now.wall,
            up: stored.map { registry.instance(at: $0).up } ?? now.wall, silence: 0)
        if let refusal = store(key, state, version: version, at: now, &effects) {
            effects.append(.answer(id, refusal))
            return
        }
        answer(id, whenAcknowledged: [(key, nil)], at: now, &effects)
    }

    /// Only the node itself says whether it is there: clients find the nodes by this instance.
    static var ownInstance: Answer {
        .refused(.invalid, "hostname is this node's own in infra.discovery, which it keeps itself")
    }

    static func tooFarAhead(_ name: String) -> Answer {
        .refused(.invalid, "\(name) is more than a day ahead of this node's clock")
    }

    func isTooFarAhead(_ version: Int64, _ now: Moment) -> Bool {
        version > now.wall.addingSaturated(settings.skewMax)
    }

    /// Puts this version in its place, newer than what is there; consumers are told if they would
    /// see it. Returns a refusal if a limit is reached.
    mutating func store(
        _ key: InstanceKey, _ state: Record.Registered, version: Int64, at now: Moment,
        _ effects: inout [Effect]
    ) -> Answer? {
        guard let slot = registry.find(key.packed.span) else {
            return add(key, state, version: version, at: now, &effects)
        }
        // Who wrote the newer version does not know that the client has renewed here since: without
        // that it would evict a live instance.
        let silence = leases.silence(of: slot, at: now.monotonic)
        let isFresher = silence < state.silence - cluster.settings.callTimeout
        replace(slot, state, version: version, at: now, &effects)
        leases.renew(slot, at: now.monotonic - state.silence)
        if isFresher { relayRenewal(slot, from: .client, at: now.monotonic) }
        // A node that has started again says the same, but newer.
        noteMembership(registry.records[Int(slot)].app)
        return nil
    }

    private mutating func add(
        _ key: InstanceKey, _ state: Record.Registered, version: Int64, at now: Moment,
        _ effects: inout [Effect]
    ) -> Answer? {
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
            key: key, content: state.content, status: state.status, registered: state.registered,
            up: state.up, dirty: version,
            latest: state.latest ?? registry.nextLatest(app, stamp: version))
        let slot = registry.insert(instance, app: app, renewed: now.wall - state.silence)
        tombstones.forget(key)
        evictions.forget(key)
        leases.grant(
            slot, zone: key.packed.span.extracting(key.zone.range),
            at: now.monotonic - state.silence)
        publish(app, zoneOf: key, stamp: state.latest ?? version, at: now)
        effects.append(.note(.added(instance)))
        return nil
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

    /// A newer version in the place of the old one. Its lease is not touched.
    mutating func replace(
        _ slot: UInt32, _ state: Record.Registered, version: Int64, at now: Moment,
        _ effects: inout [Effect]
    ) {
        let old = registry.instance(at: slot)
        let app = registry.records[Int(slot)].app
        let isChange = !old.holdsSame(state.content, state.status)
        let instance = Instance(
            key: old.key, content: state.content, status: state.status,
            registered: state.registered, up: state.up, dirty: version,
            latest: state.latest
                ?? (isChange ? registry.nextLatest(app, stamp: version) : old.latest))
        let renewed = max(registry.records[Int(slot)].renewed, now.wall - state.silence)
        registry.replace(slot, with: instance, renewed: renewed)
        if isChange {
            publish(app, zoneOf: old.key, stamp: state.latest ?? version, at: now)
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
        relayRenewal(slot, from: renewal.origin, at: now.monotonic)
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
        _ id: RequestID, _ key: InstanceKey, _ cancellation: Cancellation, at now: Moment,
        _ effects: inout [Effect]
    ) {
        statistics.cancels += 1
        let stored = registry.find(key.packed.span)
        if let stored, stored == selfSlot, cancellation.origin.isClient {
            effects.append(.answer(id, Node.ownInstance))
            return
        }
        if cancellation.origin.isClient {
            guard let stored else {
                effects.append(.answer(id, .unknown))
                return
            }
            let old = registry.instance(at: stored).dirty
            remove(stored, version: max(now.wall, old.addingSaturated(1)), at: now)
            effects.append(.note(.removed(key)))
            answer(id, whenAcknowledged: [(key, nil)], at: now, &effects)
            return
        }
        if isTooFarAhead(cancellation.dirty, now) {
            effects.append(.answer(id, Node.tooFarAhead("dirty_timestamp")))
            return
        }
        // A node of the reference gives no version: then it means what is there.
        let known = stored.map { registry.instance(at: $0).dirty }
        let version = cancellation.dirty > 0 ? cancellation.dirty : known ?? 0
        if version > 0 {
            let record = Record(key: key, version: version, state: .cancelled(age: 0))
            if case .taken = merge(record, at: now, &effects) {
                relay([key], from: cancellation.origin, at: now)
            }
        }
        effects.append(.answer(id, stored == nil ? .unknown : .done))
    }
}
