/// Answering what nodes of our own kind ask.
extension Node {
    mutating func answer(
        to exchange: Exchange, at now: Moment, _ effects: inout [Effect]
    ) -> Answer {
        switch exchange {
        case .changes(let changes): .exchanged(take(changes, at: now, &effects))
        case .pull(let leaf): large(at: now, &effects) ?? page(from: leaf, at: now)
        case .compare(let fingerprint): compare(with: fingerprint)
        case .leaves(let instances, let apps): leaves(instances, apps)
        case .entries(let entries):
            tooMany(entries) ?? large(at: now, &effects)
                ?? .exchanged(.entries(settle(entries, at: now)))
        }
    }

    /// A refusal if this step has gathered enough already: the others ask again.
    private mutating func large(at now: Moment, _ effects: inout [Effect]) -> Answer? {
        cluster.largeAnswers += 1
        if cluster.largeAnswers <= Node.largeAnswersMax { return nil }
        return refuse("large answers in a turn", Node.largeAnswersMax, at: now, &effects)
    }

    /// Of half a megabyte each. A node is asked for one at a time by each of the others.
    private static let largeAnswersMax = 32

    /// Nobody of our kind asks for more leaves: each would be walked.
    private func tooMany(_ entries: Entries) -> Answer? {
        let countMax = cluster.settings.entriesBytesMax / Node.leafSize
        if entries.instanceLeaves.count + entries.appLeaves.count <= countMax { return nil }
        return .refused(.invalid, "at most \(countMax) leaves")
    }

    private mutating func take(
        _ changes: Changes, at now: Moment, _ effects: inout [Effect]
    ) -> ExchangeReply {
        let origin: Origin = changes.isSameZone ? .peer : .zone
        var wanted: [UInt32] = []
        var newer: [Record] = []
        var size = 0
        for record in changes.records {
            statistics.recordsReceived += 1
            switch merge(record, at: now, &effects) {
            case .taken: relay([record.key], from: origin, at: now)
            case .stale(let own): append(own, to: &newer, &size)
            case .same:
                // A register that changed nothing is a sign of life all the same.
                if case .registered(let state) = record.state {
                    extendLease(of: record.key, silence: state.silence, from: origin, at: now)
                }
            case .refused: break
            }
        }
        let bytes = changes.bytes
        for (index, renewal) in changes.renewals.enumerated() {
            statistics.renewalsReceived += 1
            let key = bytes.span.extracting(renewal.key.range)
            guard let slot = registry.find(key) else {
                wanted.append(UInt32(index))
                continue
            }
            let instance = registry.instance(at: slot)
            if instance.dirty == renewal.version {
                if renewal.silence < settings.overdueAfter {
                    renew(slot, silence: renewal.silence, from: origin, at: now)
                } else if leases.silence(of: slot, at: now.monotonic) < settings.overdueAfter {
                    // A question: has anybody heard of a later one? Never news itself: it grows no
                    // older on its way, and nodes that ask each other would keep the dead alive.
                    append(record(at: slot, now.monotonic), to: &newer, &size)
                }
            } else if instance.dirty < renewal.version {
                wanted.append(UInt32(index))
            } else {
                append(record(at: slot, now.monotonic), to: &newer, &size)
            }
        }
        return .changes(wanted: wanted, newer: newer)
    }

    /// What an answer has no room for is found by a comparison.
    private func append(_ record: Record, to newer: inout [Record], _ size: inout Int) {
        if size >= cluster.settings.pageBytesMax { return }
        newer.append(record)
        size += record.sizeEstimate
    }

    mutating func extendLease(
        of key: InstanceKey, silence: Int64, from origin: Origin, at now: Moment
    ) {
        guard let slot = registry.find(key.packed.span) else { return }
        renew(slot, silence: silence, from: origin, at: now)
    }

    private mutating func renew(
        _ slot: UInt32, silence: Int64, from origin: Origin, at now: Moment
    ) {
        let silence = min(max(0, silence), Duration.day)
        // The client may have renewed here since, and whoever brought that has passed it on.
        guard silence < leases.silence(of: slot, at: now.monotonic) else { return }
        registry.renew(slot, wall: now.wall - silence)
        leases.renew(slot, at: now.monotonic - silence)
        relayRenewal(slot, from: origin, at: now.monotonic)
    }

    // MARK: Digests

    var fingerprint: Fingerprint {
        Fingerprint(
            instances: registry.digest.root, apps: registry.appDigest.root,
            rows: UInt16(clamping: cluster.settings.digestRows),
            leavesPerRow: UInt16(clamping: cluster.settings.digestLeavesPerRow))
    }

    private func compare(with other: Fingerprint) -> Answer {
        let own = fingerprint
        guard own.rows == other.rows, own.leavesPerRow == other.leavesPerRow else {
            return .refused(.invalid, "the digest of this node has another shape")
        }
        if own == other { return .exchanged(.same(isProtected: protectedUntil != nil)) }
        return .exchanged(
            .rows(
                instances: registry.digest.rows, apps: registry.appDigest.rows,
                isProtected: protectedUntil != nil))
    }

    /// Rows asked for at once: their leaves are 32 KB each way.
    static let rowsMax = 16

    private func leaves(_ instances: [UInt16], _ apps: [UInt16]) -> Answer {
        let rows = cluster.settings.digestRows
        guard instances.count <= Node.rowsMax, apps.count <= Node.rowsMax,
            (instances + apps).allSatisfy({ $0 < rows })
        else { return .refused(.invalid, "at most \(Node.rowsMax) rows that there are") }
        let width = cluster.settings.digestLeavesPerRow
        return .exchanged(
            .leaves(
                instances: instances.flatMap {
                    registry.digest.leaves[Int($0) * width..<(Int($0) + 1) * width]
                },
                apps: apps.flatMap {
                    registry.appDigest.leaves[Int($0) * width..<(Int($0) + 1) * width]
                }))
    }

    // MARK: Pages

    private func page(from leaf: UInt32, at now: Moment) -> Answer {
        let count = registry.digest.leaves.count
        guard Int(leaf) < count else { return .refused(.invalid, "there is no leaf \(leaf)") }
        var page = Page(records: [], stamps: [], next: nil, isProtected: protectedUntil != nil)
        var size = 0
        for leaf in leaf..<UInt32(count) {
            if size >= cluster.settings.pageBytesMax {
                page.next = leaf
                break
            }
            // A leaf is told whole, but for one that was made large on purpose: what is cut off of
            // it a comparison finds.
            let sizeMax = 4 * cluster.settings.pageBytesMax
            for slot in registry.digest.slots(in: leaf) where size < sizeMax {
                let record = record(at: slot, now.monotonic)
                page.records.append(record)
                size += record.sizeEstimate
            }
            for app in registry.appDigest.slots(in: leaf) where size < sizeMax {
                page.stamps.append(stamp(of: app))
                size += registry.applications[Int(app)].key.packed.count + Node.stampSize
            }
        }
        return .exchanged(.page(page))
    }

    private func stamp(of app: UInt32) -> AppStamp {
        let application = registry.applications[Int(app)]
        return AppStamp(
            app: application.key, latest: application.latest, content: application.content)
    }

    /// What an application's timestamp takes on the wire, besides its key.
    private static let stampSize = 16

    // MARK: Entries

    /// What this node holds in the leaves, as the other one will compare it.
    func entries(instanceLeaves: [UInt32], appLeaves: [UInt32]) -> Entries {
        var entries = Entries(
            instanceLeaves: instanceLeaves, appLeaves: appLeaves, instances: [], apps: [])
        for leaf in instanceLeaves {
            for slot in registry.digest.slots(in: leaf) {
                let instance = registry.instance(at: slot)
                entries.instances.append(
                    Entries.Entry(
                        key: instance.key, version: instance.dirty, digest: instance.digest))
            }
        }
        for leaf in appLeaves {
            entries.apps += registry.appDigest.slots(in: leaf).map { stamp(of: $0) }
        }
        return entries
    }

    /// Compares, and takes over timestamps that are higher there. Ends with the leaf in which the
    /// answer is full.
    private mutating func settle(_ entries: Entries, at now: Moment) -> Differences {
        var theirs: [InstanceKey: Entries.Entry] = [:]
        for entry in entries.instances { theirs[entry.key] = entry }
        var differences = Differences(wanted: [], records: [], stamps: [], isPartial: false)
        var size = 0
        for leaf in entries.instanceLeaves where Int(leaf) < registry.digest.leaves.count {
            if differences.isPartial { break }
            for slot in registry.digest.slots(in: leaf) {
                let instance = registry.instance(at: slot)
                let told = theirs.removeValue(forKey: instance.key)
                if let told, told.version > instance.dirty {
                    differences.wanted.append(instance.key)
                } else if told?.digest != instance.digest {
                    append(slot, to: &differences, &size, at: now)
                }
            }
        }
        // In the order they came, because a dictionary has none.
        for entry in entries.instances where theirs[entry.key] != nil {
            theirs[entry.key] = nil
            settleMissing(entry, &differences, &size, at: now)
        }
        settle(entries.apps, in: entries.appLeaves, &differences, &size, at: now)
        return differences
    }

    private func append(
        _ slot: UInt32, to differences: inout Differences, _ size: inout Int, at now: Moment
    ) {
        if size >= cluster.settings.pageBytesMax {
            differences.isPartial = true
            return
        }
        let record = record(at: slot, now.monotonic)
        differences.records.append(record)
        size += record.sizeEstimate
    }

    /// The asker holds it, this node does not: it was cancelled here, or never heard of.
    private func settleMissing(
        _ entry: Entries.Entry, _ differences: inout Differences, _ size: inout Int, at now: Moment
    ) {
        // An entry outside of the leaves it belongs to says nothing.
        if registry.find(entry.key.packed.span) != nil { return }
        guard let buried = tombstones.version(of: entry.key, at: now.monotonic),
            buried >= entry.version,
            let record = record(of: entry.key, at: now.monotonic)
        else {
            differences.wanted.append(entry.key)
            return
        }
        differences.records.append(record)
        size += record.sizeEstimate
    }

    private mutating func settle(
        _ stamps: [AppStamp], in leaves: [UInt32], _ differences: inout Differences,
        _ size: inout Int, at now: Moment
    ) {
        var theirs: [AppKey: AppStamp] = [:]
        for stamp in stamps { theirs[stamp.app] = stamp }
        for leaf in leaves where Int(leaf) < registry.appDigest.leaves.count {
            if size >= cluster.settings.pageBytesMax {
                differences.isPartial = true
                break
            }
            for app in registry.appDigest.slots(in: leaf) {
                let own = stamp(of: app)
                // One that holds something else changes once it holds the same.
                guard let told = theirs[own.app], told.content == own.content else { continue }
                if told.latest > own.latest, !isTooFarAhead(told.latest, now) {
                    align(app, to: told.latest)
                }
                if told.latest < own.latest {
                    differences.stamps.append(own)
                    size += Node.stampSize
                }
            }
        }
    }

    private mutating func align(_ app: UInt32, to latest: Int64) {
        if registry.align(app, to: latest) { statistics.alignments += 1 }
    }

    /// Takes over what applications that are equal have there. A timestamp names one content for
    /// all of the cluster: who has heard of it under another one would never be told of this one.
    mutating func align(_ stamps: [AppStamp], at now: Moment) {
        for stamp in stamps where !isTooFarAhead(stamp.latest, now) {
            guard let app = registry.findApplication(stamp.app.packed.span),
                registry.applications[Int(app)].instanceCount > 0
            else { continue }
            let content = registry.applications[Int(app)].content
            let latest = registry.applications[Int(app)].latest
            if content == stamp.content {
                align(app, to: stamp.latest)
                if latest <= stamp.latest { cluster.joining?.confirmed.insert(app) }
            } else if cluster.joining != nil, latest < stamp.latest {
                // It changed there since, or here more is known. This node may have told of this
                // timestamp before it was started anew: it goes on from there.
                let next = stamp.latest.addingSaturated(1)
                align(app, to: Registry.name(of: content, from: next))
                cluster.joining?.confirmed.remove(app)
            }
        }
    }
}
