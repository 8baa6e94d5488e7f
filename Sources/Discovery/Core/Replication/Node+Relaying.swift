/// Telling the other nodes what was written here: to all of this zone, and to one of every other,
/// which tells its own. What came from a node of this zone is told to nobody, what came from
/// another zone to this one only.
extension Node {
    /// Relays source writes and answers once every healthy node of the zone has them, or at the
    /// deadline. The request is never kept waiting by a node that is lost.
    mutating func answer(
        _ id: RequestID, whenAcknowledged writes: [(InstanceKey, Outbox.Change?)], at now: Moment,
        _ effects: inout [Effect]
    ) {
        let number = cluster.nextAwaited()
        var missing = 0
        for link in cluster.links.indices {
            let isAwaited =
                cluster.links[link].isSameZone && cluster.healthyContact(of: link) != nil
                && cluster.settings.acknowledgementWait > 0
            for (key, set) in writes {
                cluster.links[link].outbox.append(
                    key, set: set, waiting: isAwaited ? [number] : [], since: now.monotonic)
            }
            if isAwaited { missing += writes.count }
        }
        if missing == 0 {
            effects.append(.answer(id, .done))
            return
        }
        cluster.awaited[number] = Cluster.Awaited(request: id, missing: missing)
        cluster.awaitedDeadlines.append(
            Cluster.AwaitedDeadline(
                number: number,
                due: now.monotonic.addingSaturated(cluster.settings.acknowledgementWait)))
    }

    /// Relays what did not come from a client of this node.
    mutating func relay(_ keys: [InstanceKey], from origin: Origin, at now: Moment) {
        if origin == .peer { return }
        for link in cluster.links.indices where hears(link, from: origin) {
            for key in keys {
                cluster.links[link].outbox.append(key, since: now.monotonic)
            }
        }
    }

    /// The hot path: one bit per link.
    mutating func relayRenewal(_ slot: UInt32, from origin: Origin, at now: Int64) {
        if origin == .peer { return }
        for link in cluster.links.indices where hears(link, from: origin) {
            cluster.links[link].outbox.renew(slot, at: now)
        }
    }

    /// They are late here. Where the way they came by is broken and no other is, a node that
    /// heard of a later renewal says so.
    mutating func askAbout(_ slots: [UInt32], at now: Int64) {
        for link in cluster.links.indices {
            // Also who is lost at the moment: it is asked when it is back.
            guard let peer = cluster.peerIndex(of: link), cluster.peers[peer].kind == .own
            else { continue }
            for slot in slots { cluster.links[link].outbox.renew(slot, at: now) }
        }
    }

    private func hears(_ link: Int, from origin: Origin) -> Bool {
        switch origin {
        case .client: true
        case .zone: cluster.links[link].isSameZone
        case .peer: false
        }
    }

    /// The slot is vacant from now on.
    mutating func forgetRenewals(_ slot: UInt32) {
        for link in cluster.links.indices { cluster.links[link].outbox.forgetRenewal(slot) }
    }

    /// Gives the writes up where there are too many: a comparison finds what the node lacks.
    mutating func boundOutbox(_ link: Int, at now: Moment, _ effects: inout [Effect]) {
        let count = cluster.links[link].outbox.writeCount + cluster.links[link].doubted.writeCount
        guard count > cluster.settings.outboxMax else { return }
        let waiting =
            cluster.links[link].outbox.dropWrites() + cluster.links[link].doubted.dropWrites()
        cluster.links[link].overflows += 1
        acknowledge(waiting, &effects)
        guard let peer = cluster.peerIndex(of: link) else { return }
        scheduleComparison(with: peer, at: now.monotonic)
        lookAgain(at: peer, now.monotonic)
        if limitNotes.isNews("outbox_max", at: now.monotonic) {
            effects.append(
                .note(
                    .outboxOverflowed(
                        cluster.peers[peer].address, countMax: cluster.settings.outboxMax)))
        }
    }

    // MARK: Acknowledgements

    mutating func acknowledge(_ waiting: [UInt64], _ effects: inout [Effect]) {
        for number in waiting {
            guard var awaited = cluster.awaited[number] else { continue }
            awaited.missing -= 1
            if awaited.missing > 0 {
                cluster.awaited[number] = awaited
            } else {
                cluster.awaited[number] = nil
                effects.append(.answer(awaited.request, .done))
            }
        }
    }

    /// Answers the writes that have waited long enough.
    mutating func expireAwaited(at now: Int64, _ effects: inout [Effect]) {
        while let first = cluster.awaitedDeadlines.first,
            first.due <= now || cluster.awaited[first.number] == nil
        {
            _ = cluster.awaitedDeadlines.popFirst()
            guard let awaited = cluster.awaited.removeValue(forKey: first.number) else { continue }
            statistics.acknowledgementsMissed += 1
            effects.append(.answer(awaited.request, .done))
        }
    }

    // MARK: Sending

    mutating func flush(_ link: Int, at now: Moment, _ effects: inout [Effect]) {
        guard let peer = cluster.healthyContact(of: link) else { return }
        switch cluster.peers[peer].kind {
        case .unknown: break
        case .own: sendBatch(link, to: peer, at: now, &effects)
        case .reference: sendRelays(link, to: peer, at: now, &effects)
        }
    }

    /// One batch at a time: what comes meanwhile is gathered for the next.
    private mutating func sendBatch(
        _ link: Int, to peer: Int, at now: Moment, _ effects: inout [Effect]
    ) {
        guard cluster.links[link].flights.isEmpty else { return }
        let isDue = cluster.links[link].outbox.isBatchDue(
            at: now.monotonic, countMax: cluster.settings.batchCountMax,
            renewalDelay: cluster.settings.renewalDelay)
        let isDoubted =
            !cluster.links[link].doubted.isEmpty
            && !(isDue && cluster.links[link].hasToldDoubted)
        guard isDue || isDoubted else { return }
        cluster.links[link].hasToldDoubted = isDoubted
        var batch = Gathered(isSameZone: cluster.links[link].isSameZone)
        if isDoubted {
            gather(
                \.doubted, of: link, countMax: cluster.links[link].doubtedMax, into: &batch,
                at: now.monotonic, &effects)
        } else {
            gather(
                \.outbox, of: link, countMax: cluster.settings.batchCountMax, into: &batch,
                at: now.monotonic, &effects)
            gatherRenewals(of: link, into: &batch, at: now.monotonic)
        }
        let changes = batch.changes
        if changes.records.isEmpty, changes.renewals.isEmpty {
            // All of it has run out; of the others something may be left.
            if isDoubted { sendBatch(link, to: peer, at: now, &effects) }
            return
        }
        let number = cluster.peers[peer].number
        let call = cluster.nextCall(.link(peer: number, link: cluster.links[link].number))
        var flight = Link.Flight(call: call, writes: batch.writes, changes: changes)
        flight.isDoubted = isDoubted
        cluster.links[link].flights.append(flight)
        cluster.peers[peer].statistics.writesSent += changes.records.count
        cluster.peers[peer].statistics.renewalsSent += changes.renewals.count
        send(call, .exchange(.changes(changes)), to: peer, &effects)
    }

    /// What goes into one batch.
    private struct Gathered {
        var changes: Changes
        var writes: [(key: InstanceKey, write: Outbox.Write)] = []
        var size = 0

        init(isSameZone: Bool) { changes = Changes(isSameZone: isSameZone) }
    }

    private mutating func gather(
        _ outbox: WritableKeyPath<Link, Outbox>, of link: Int, countMax: Int,
        into batch: inout Gathered, at now: Int64, _ effects: inout [Effect]
    ) {
        while batch.size < cluster.settings.batchBytesMax, batch.writes.count < countMax,
            let (key, write) = cluster.links[link][keyPath: outbox].popWrite()
        {
            guard let record = record(of: key, at: now) else {
                // It ran out meanwhile, which every node finds out by itself.
                acknowledge(write.waiting, &effects)
                continue
            }
            batch.changes.records.append(record)
            batch.writes.append((key, write))
            batch.size += record.sizeEstimate
        }
    }

    private mutating func gatherRenewals(
        of link: Int, into batch: inout Gathered, at now: Int64
    ) {
        let (countMax, bytesMax) = (
            cluster.settings.batchCountMax, cluster.settings.batchBytesMax
        )
        let renewalsMax = min(
            cluster.links[link].outbox.renewalCount, countMax - batch.writes.count)
        batch.changes.renewals.reserveCapacity(renewalsMax)
        batch.changes.bytes.reserveCapacity(min(renewalsMax * Node.keyBytesUsual, bytesMax))
        while batch.size < bytesMax,
            batch.writes.count + batch.changes.renewals.count < countMax,
            let slot = cluster.links[link].outbox.popRenewal()
        {
            let instance = registry.instance(at: slot)
            let key = ByteRange(
                start: batch.changes.bytes.count, count: instance.key.packed.count)
            batch.changes.bytes += instance.key.packed
            batch.changes.renewals.append(
                Changes.Renewed(
                    key: key, version: instance.dirty,
                    silence: leases.silence(of: slot, at: now)))
            batch.size += Int(key.count) + 16
        }
    }

    /// The bytes of a key that room is made for in a batch.
    private static let keyBytesUsual = 64

    /// A write or a renewal per call, some calls at a time, and of each instance only one: the next
    /// one of it waits, those of others do not.
    private mutating func sendRelays(
        _ link: Int, to peer: Int, at now: Moment, _ effects: inout [Effect]
    ) {
        // It was of our kind before.
        while let (key, write) = cluster.links[link].doubted.popWrite() {
            cluster.links[link].outbox.append(key, write)
        }
        var held: [(key: InstanceKey, write: Outbox.Write)] = []
        while cluster.links[link].flights.count < cluster.settings.relaysMax,
            let (key, write) = cluster.links[link].outbox.popWrite()
        {
            if cluster.links[link].holds(key) {
                held.append((key, write))
                continue
            }
            guard let request = request(for: key, write, link, at: now) else {
                acknowledge(write.waiting, &effects)
                continue
            }
            let number = cluster.peers[peer].number
            let call = cluster.nextCall(.link(peer: number, link: cluster.links[link].number))
            cluster.links[link].flights.append(Link.Flight(call: call, writes: [(key, write)]))
            cluster.peers[peer].statistics.writesSent += 1
            send(call, request, to: peer, &effects)
        }
        for (key, write) in held { cluster.links[link].outbox.append(key, write) }
        var heldSlots: [UInt32] = []
        while cluster.links[link].flights.count < cluster.settings.relaysMax,
            let slot = cluster.links[link].outbox.popRenewal()
        {
            if isStale(leases.silence(of: slot, at: now.monotonic)) { continue }
            let instance = registry.instance(at: slot)
            if cluster.links[link].holds(instance.key) {
                heldSlots.append(slot)
                continue
            }
            let number = cluster.peers[peer].number
            let call = cluster.nextCall(.link(peer: number, link: cluster.links[link].number))
            var flight = Link.Flight(call: call)
            flight.renewed = instance.key
            cluster.links[link].flights.append(flight)
            cluster.peers[peer].statistics.renewalsSent += 1
            let relay = Relay(
                key: instance.key, region: instance.content.unpacked.region,
                version: instance.dirty, write: .renew,
                isSameZone: cluster.links[link].isSameZone)
            send(call, .relay(relay), to: peer, &effects)
        }
        for slot in heldSlots { cluster.links[link].outbox.renew(slot, at: now.monotonic) }
    }

    /// Nodes of the reference's kind are told no age, and begin a lease anew with what they are
    /// told: two of them would keep the dead alive by way of this one. A client that lives renews
    /// every 30 s, so half of the time after which one is late tells who does not.
    private func isStale(_ silence: Int64) -> Bool { silence >= settings.overdueAfter / 2 }

    /// Nil if there is nothing to tell a node of the reference's kind.
    private func request(
        for key: InstanceKey, _ write: Outbox.Write, _ link: Int, at now: Moment
    ) -> PeerRequest? {
        guard let record = record(of: key, at: now.monotonic) else { return nil }
        let isSameZone = cluster.links[link].isSameZone
        switch record.state {
        case .registered(let state):
            let instance = registry.find(key.packed.span).map { registry.instance(at: $0) }
            if let set = write.set, set.digest == instance?.digest {
                return .set([set.change], version: record.version, isSameZone: isSameZone)
            }
            if isStale(state.silence) { return nil }
            return .relay(
                Relay(
                    key: key, region: state.content.unpacked.region, version: record.version,
                    write: .register(state, latest: instance?.latest ?? record.version),
                    isSameZone: isSameZone))
        case .cancelled:
            return .relay(
                Relay(
                    key: key, region: [], version: record.version, write: .cancel,
                    isSameZone: isSameZone))
        }
    }

    mutating func send(
        _ call: UInt64, _ request: PeerRequest, to peer: Int, _ effects: inout [Effect]
    ) {
        cluster.peers[peer].statistics.calls += 1
        let settings = cluster.settings
        let timeout =
            switch request {
            // Another node of its zone may have to be asked before the start is over.
            case .fetchAll where hasSubstitute(peer):
                min(settings.fetchAllTimeout, settings.pullTimeout)
            case .fetchAll: settings.fetchAllTimeout
            case .exchange(.pull): settings.pullTimeout
            case .probe, .relay, .set, .exchange: settings.callTimeout
            }
        effects.append(
            .call(
                PeerCall(
                    id: call, address: cluster.peers[peer].address, request: request,
                    timeout: timeout)))
    }
}

extension Record {
    /// About what it takes on the wire.
    var sizeEstimate: Int {
        switch state {
        case .registered(let state): key.packed.count + state.content.packed.count + 40
        case .cancelled: key.packed.count + 24
        }
    }
}
