extension Node {
    /// All of it or nothing: looks everything up and merges everything before it stores anything.
    mutating func set(
        _ id: RequestID, _ setting: Setting, at now: Moment, _ effects: inout [Effect]
    ) {
        statistics.sets += 1
        let isSource = setting.origin.isClient
        if !isSource, isTooFarAhead(setting.dirty, now) {
            effects.append(.answer(id, Node.tooFarAhead("set_timestamp")))
            return
        }
        switch plans(for: setting) {
        case .obstructed(.unknown(let sentence)) where isSource:
            forward(id, setting, refusal: sentence, at: now, &effects)
        case .obstructed(.unknown(let sentence)):
            effects.append(.answer(id, .refused(.invalid, sentence)))
        case .obstructed(.refused(let answer)): effects.append(.answer(id, answer))
        case .found(let plans):
            var relayed: [(InstanceKey, Outbox.Change?)] = []
            for plan in plans {
                if let write = carryOut(plan, setting, at: now, &effects) { relayed.append(write) }
            }
            if isSource {
                answer(id, whenAcknowledged: relayed, at: now, &effects)
            } else {
                relay(relayed.map(\.0), from: setting.origin, at: now)
                effects.append(.answer(id, .done))
            }
        }
    }

    private enum Obstacle {
        /// Some instance is not here; it may be elsewhere.
        case unknown(String)
        case refused(Answer)
    }

    private enum Plans {
        case found([Plan])
        case obstructed(Obstacle)
    }

    private func plans(for setting: Setting) -> Plans {
        var plans: [Plan] = []
        // A host that is named twice: its second change is laid over its first.
        var places: [UInt32: Int] = [:]
        for change in setting.changes {
            guard let slot = registry.find(change.key.packed.span) else {
                let name = String(
                    decoding: change.key.packed[change.key.hostname.range], as: UTF8.self)
                return .obstructed(.unknown("hostname \(name) is not registered in this zone"))
            }
            if slot == selfSlot { return .obstructed(.refused(Node.ownInstance)) }
            let old = registry.instance(at: slot)
            let place = places[slot] ?? plans.count
            if place == plans.count {
                places[slot] = place
                plans.append(Plan(slot: slot, content: old.content, status: old.status))
            }
            guard let content = merge(change.metadata, into: plans[place].content) else {
                let (bytes, entries) = (settings.metadataBytesMax, NodeSettings.metadataEntriesMax)
                let refusal = Answer.refused(
                    .invalid,
                    "metadata may have at most \(bytes) bytes and \(entries) entries, "
                        + "with what is there")
                return .obstructed(.refused(refusal))
            }
            plans[place].content = content
            plans[place].note(change)
        }
        return .found(plans)
    }

    /// Stores what a `set` makes of one instance. Returns what to relay; nil if it is too late: a
    /// node's change that is older than what is here, or of the same version and settled so.
    private mutating func carryOut(
        _ plan: Plan, _ setting: Setting, at now: Moment, _ effects: inout [Effect]
    ) -> (InstanceKey, Outbox.Change?)? {
        let old = registry.instance(at: plan.slot)
        let isDated = !setting.origin.isClient && setting.dirty > 0
        if isDated {
            if setting.dirty < old.dirty { return nil }
            let isWinner = old.yields(to: plan.content, plan.status)
            if setting.dirty == old.dirty, !isWinner { return nil }
        }
        let version = isDated ? setting.dirty : max(now.wall, old.dirty.addingSaturated(1))
        let state = Record.Registered(
            content: plan.content, status: plan.status, registered: old.registered,
            up: plan.isSetUp ? now.wall : old.up, silence: .max)
        replace(plan.slot, state, version: version, at: now, &effects)
        let digest = registry.instance(at: plan.slot).digest
        let change = plan.onlyChange.map { Outbox.Change(change: $0, digest: digest) }
        return (old.key, change)
    }

    /// What a `set` makes of one instance.
    private struct Plan {
        let slot: UInt32
        var content: InstanceContent
        var status: InstanceStatus
        var isSetUp = false
        private var changes = 0
        private var last: Setting.Change?

        init(slot: UInt32, content: InstanceContent, status: InstanceStatus) {
            self.slot = slot
            self.content = content
            self.status = status
        }

        /// The change, if it is one only: nodes of the reference are sent it as it is.
        var onlyChange: Setting.Change? { changes == 1 ? last : nil }

        mutating func note(_ change: Setting.Change) {
            changes += 1
            last = change
            guard let status = change.status else { return }
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
