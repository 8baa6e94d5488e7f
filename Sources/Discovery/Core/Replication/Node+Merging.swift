/// Taking in what other nodes hold. Commutative, associative and idempotent: whatever the order in
/// which records arrive, and however often, all nodes end up with the same.
extension Node {
    enum Merged {
        /// It was newer, and is stored now.
        case taken
        /// It is here already.
        case same
        /// What is here is newer: this.
        case stale(Record)
        case refused(Answer)
    }

    mutating func merge(
        _ record: Record, at now: Moment, _ effects: inout [Effect]
    ) -> Merged {
        if isTooFarAhead(record.version, now) {
            statistics.refusedVersions += 1
            if limitNotes.isNews("version", at: now.monotonic) {
                effects.append(.note(.versionRefused(record.key, version: record.version)))
            }
            return .refused(Node.tooFarAhead("dirty_timestamp"))
        }
        if let selfSlot, record.key == selfKey {
            return mergeSelf(record, selfSlot, at: now, &effects)
        }
        let slot = registry.find(record.key.packed.span)
        if let slot, registry.instance(at: slot).dirty > record.version {
            return .stale(self.record(at: slot, now.monotonic))
        }
        switch record.state {
        case .cancelled(let age): return mergeCancel(record, age, slot, at: now, &effects)
        case .registered(var state):
            let isHeard = (0..<settings.lease).contains(state.silence)
            state.silence = min(max(0, state.silence), Duration.day)
            if let latest = state.latest, isTooFarAhead(latest, now) { state.latest = nil }
            return mergeRegister(record, state, isHeard: isHeard, slot, at: now, &effects)
        }
    }

    private mutating func mergeCancel(
        _ record: Record, _ age: Int64, _ slot: UInt32?, at now: Moment,
        _ effects: inout [Effect]
    ) -> Merged {
        let age = max(0, age)
        if let slot {
            remove(slot, version: record.version, age: age, at: now)
            effects.append(.note(.removed(record.key)))
            return .taken
        }
        let known = tombstones.version(of: record.key, at: now.monotonic) ?? .min
        if known > record.version { return .stale(buried(record.key, known, at: now.monotonic)) }
        if known == record.version { return .same }
        tombstones.bury(record.key, version: record.version, age: age, at: now.monotonic)
        return .taken
    }

    private mutating func mergeRegister(
        _ record: Record, _ state: Record.Registered, isHeard: Bool, _ slot: UInt32?,
        at now: Moment, _ effects: inout [Effect]
    ) -> Merged {
        guard let slot else {
            if let buried = tombstones.version(of: record.key, at: now.monotonic),
                buried >= record.version
            {
                return .stale(self.buried(record.key, buried, at: now.monotonic))
            }
            // It ran out here, or a newer one did, and nobody has heard of it since.
            let evicted = evictions.version(of: record.key, at: now.monotonic) ?? .min
            if !isHeard, evicted >= record.version { return .same }
            let refusal = store(
                record.key, state, version: record.version, at: now, &effects)
            return refusal.map { .refused($0) } ?? .taken
        }
        let old = registry.instance(at: slot)
        if old.dirty == record.version {
            if old.holdsSame(state.content, state.status) {
                return .same
            }
            if !old.yields(to: state.content, state.status) {
                return .stale(self.record(at: slot, now.monotonic))
            }
        }
        _ = store(record.key, state, version: record.version, at: now, &effects)
        return .taken
    }

    // MARK: What this node holds

    /// Nil if it knows nothing of the key.
    func record(of key: InstanceKey, at now: Int64) -> Record? {
        if let slot = registry.find(key.packed.span) { return record(at: slot, now) }
        return tombstones.version(of: key, at: now).map { buried(key, $0, at: now) }
    }

    func record(at slot: UInt32, _ now: Int64) -> Record {
        let instance = registry.instance(at: slot)
        return Record(
            key: instance.key, version: instance.dirty,
            state: .registered(
                Record.Registered(
                    content: instance.content, status: instance.status,
                    registered: instance.registered, up: instance.up, latest: instance.latest,
                    silence: leases.silence(of: slot, at: now))))
    }

    private func buried(_ key: InstanceKey, _ version: Int64, at now: Int64) -> Record {
        Record(
            key: key, version: version,
            state: .cancelled(age: tombstones.age(of: key, at: now)))
    }
}
