/// Who the other nodes are, which of them live, and by which way each is told.
extension Node {
    // MARK: Health

    /// The node has answered.
    mutating func hear(
        _ peer: Int, _ purpose: Cluster.Purpose, _ reply: PeerReply, at now: Moment,
        _ effects: inout [Effect]
    ) {
        let old = cluster.peers[peer]
        let isProbe = if case .session = purpose { old.session.isProbing } else { false }
        cluster.peers[peer].heard = now.monotonic
        if old.isShutOut, old.kind == .own {
            // To probes it answers all the same.
            guard case .exchanged = reply.outcome else { return }
        }
        cluster.peers[peer].isShutOut = false
        // A batch may arrive where a question is too much.
        if isProbe { cluster.peers[peer].isDoubted = false }
        cluster.peers[peer].failures = 0
        cluster.peers[peer].hasLived = true
        cluster.peers[peer].health = .healthy
        if let node = reply.node {
            cluster.peers[peer].node = node
            cluster.peers[peer].kind = .own
            cluster.peers[peer].isSelf = node == cluster.id
        } else if isProbe, old.kind == .unknown || reply.isDone {
            // Only a probe tells the kind: other answers may come from something in between, and so
            // may a refused probe.
            cluster.peers[peer].node = nil
            cluster.peers[peer].kind = .reference
            cluster.peers[peer].isSelf = false
        }
        let isRestarted = old.node != nil && reply.node != nil && old.node != reply.node
        if old.health == .healthy, old.kind == cluster.peers[peer].kind, !isRestarted { return }
        cluster.areLinksStale = true
        if cluster.peers[peer].isSelf { return }
        cluster.peers[peer].isNew = !old.hasLived && cluster.joining == nil
        if old.health == .lost || isRestarted {
            compareSoon(with: peer, at: now.monotonic)
        }
        if old.health == .lost, old.hasLived {
            cluster.peers[peer].recoveredAt = now.monotonic
            effects.append(.note(.peerRecovered(old.address, zone: old.zone)))
        } else if old.health != .healthy {
            effects.append(.note(.peerFound(old.address, zone: old.zone)))
        }
    }

    /// Something may have been missed. A node that comes and goes is not asked for everything each
    /// time.
    mutating func compareSoon(with peer: Int, at now: Int64) {
        cluster.peers.look(at: peer, now)
        scheduleComparison(with: peer, at: now)
    }

    /// By `fetch/all`, where it knows no digest.
    mutating func scheduleComparison(with peer: Int, at now: Int64) {
        let earliest = cluster.peers[peer].comparedAt.map {
            $0.addingSaturated(Node.comparisonPause)
        }
        cluster.peers[peer].nextComparison = max(now, earliest ?? now)
    }

    private static let comparisonPause = 30 * Duration.second

    /// The node may be gone: it is looked after at once instead of when its turn comes.
    mutating func doubt(_ address: String, at now: Moment) {
        guard let peer = cluster.peers.index(at: address),
            cluster.peers[peer].health == .healthy
        else { return }
        cluster.peers[peer].isDoubted = true
        cluster.peers.look(at: peer, now.monotonic)
    }

    /// A question failed that the node may live without answering.
    mutating func doubt(_ peer: Int, at now: Moment) {
        cluster.peers[peer].statistics.callsFailed += 1
        if cluster.peers[peer].health != .healthy { return }
        cluster.peers[peer].isDoubted = true
        cluster.peers.look(at: peer, now.monotonic)
    }

    /// The node did not answer.
    mutating func lose(
        _ peer: Int, _ reason: String, at now: Moment, _ effects: inout [Effect]
    ) {
        let old = cluster.peers[peer]
        cluster.peers[peer].statistics.callsFailed += 1
        cluster.peers[peer].isShutOut = false
        cluster.peers[peer].isDoubted = false
        if old.health != .lost, !old.isSelf {
            effects.append(.note(.peerLost(old.address, zone: old.zone, reason: reason)))
        }
        doWithout(peer, at: now, &effects)
    }

    /// The node answers, but takes nothing from this one.
    mutating func shutOut(
        by peer: Int, _ reason: String, at now: Moment, _ effects: inout [Effect]
    ) {
        let old = cluster.peers[peer]
        cluster.peers[peer].heard = now.monotonic
        cluster.peers[peer].isShutOut = true
        if !old.isShutOut {
            effects.append(.note(.shutOut(old.address, zone: old.zone, reason: reason)))
        }
        doWithout(peer, at: now, &effects)
    }

    private mutating func doWithout(_ peer: Int, at now: Moment, _ effects: inout [Effect]) {
        let old = cluster.peers[peer]
        cluster.peers[peer].failures += 1
        if old.health == .lost { return }
        cluster.peers[peer].health = .lost
        // What differed may be long settled; nobody knows.
        cluster.peers[peer].statistics.divergent = 0
        cluster.peers[peer].nextLook = now.monotonic.addingSaturated(
            cluster.random.jittered(cluster.settings.probeDelay, downTo: 50))
        cluster.areLinksStale = true
        for link in cluster.links.indices where cluster.links[link].contact == old.number {
            abandon(link, at: now.monotonic, &effects)
        }
        guard cluster.peers[peer].sessionCall != nil else { return }
        // Whatever is still answered to it comes from before.
        cluster.peers[peer].sessionCall = nil
        cluster.peers[peer].session = .idle
        settled(peer, isComplete: false, at: now, &effects)
    }

    /// Nobody waits any longer for a node that is lost; what is under way to it is told again.
    mutating func abandon(_ link: Int, at now: Int64, _ effects: inout [Effect]) {
        let flights = cluster.links[link].flights
        cluster.links[link].flights = []
        for flight in flights { putBack(flight, on: link, at: now, &effects) }
        acknowledge(cluster.links[link].outbox.releaseWaiting(), &effects)
        acknowledge(cluster.links[link].doubted.releaseWaiting(), &effects)
    }

    // MARK: Members

    /// Reads the live instances of `infra.discovery`: they and the seeds are the cluster.
    mutating func updateMembers(at now: Moment, _ effects: inout [Effect]) {
        cluster.isMembershipStale = false
        var members: [(address: String, zone: String, version: Int64)] = []
        var known: Set<String> = []
        var looked = 0
        cluster.peers.refused = 0
        if let app = selfApp {
            for group in registry.applications[Int(app)].zones {
                for slot in group.members where slot != ZoneGroup.hole {
                    looked += 1
                    if looked > Node.membersRead {
                        cluster.peers.refused += 1
                        continue
                    }
                    let instance = registry.instance(at: slot)
                    // Also before it is announced: what others remember of an earlier start.
                    if instance.key == selfKey { continue }
                    guard let address = Node.address(of: instance) else { continue }
                    known.insert(address)
                    let zone = instance.key.packed[instance.key.zone.range]
                    members.append(
                        (address, String(decoding: zone, as: UTF8.self), instance.dirty))
                }
            }
        }
        // Who has left makes room for who comes.
        for peer in cluster.peers.indices.reversed() {
            cluster.peers[peer].isMember = false
            if cluster.peers[peer].isSeed || known.contains(cluster.peers[peer].address) {
                continue
            }
            effects.append(
                .note(.peerForgotten(cluster.peers[peer].address, zone: cluster.peers[peer].zone)))
            settled(peer, isComplete: false, at: now, &effects)
            cluster.peers.remove(at: peer)
        }
        for member in members {
            let index = cluster.peers.add(
                member.address, zone: member.zone, isSeed: false, at: now.monotonic,
                countMax: cluster.settings.nodesMax)
            guard let index else { continue }
            cluster.peers[index].isMember = true
            cluster.peers[index].zone = member.zone
            if cluster.peers[index].announced == member.version { continue }
            cluster.peers[index].announced = member.version
            // It is back: no reason to wait for the next probe.
            if cluster.peers[index].health == .lost {
                cluster.peers.look(at: index, now.monotonic)
            }
        }
        cluster.areLinksStale = true
    }

    /// Instances of `infra.discovery` that are looked at when it changes: whoever may register
    /// there could fill it, and each change would cost more than the one before.
    private static let membersRead = 1_024

    /// host:port of the first `http://` address; nil if it has none.
    private static func address(of instance: Instance) -> String? {
        for bytes in instance.content.unpacked.addrs {
            let text = String(decoding: bytes, as: UTF8.self)
            guard text.hasPrefix("http://") else { continue }
            let rest = text.dropFirst("http://".count)
            let address = rest.prefix { $0 != "/" && $0 != "?" }
            if !address.isEmpty { return String(address) }
        }
        return nil
    }

    // MARK: This node

    /// Registers this node as an instance of `infra.discovery`, without a lease, for clients and
    /// the other nodes to find it. `address` is the host:port that it is reached at.
    mutating func announce(address: String, at now: Moment) {
        self.address = address
        if selfSlot != nil { return }
        let key = selfKey
        // What others remember of it: an earlier start, or its end.
        var version = now.wall
        if let buried = tombstones.version(of: key, at: now.monotonic) {
            version = max(version, buried.addingSaturated(1))
        }
        if let stored = registry.find(key.packed.span) {
            version = max(version, registry.instance(at: stored).dirty.addingSaturated(1))
            remove(stored, version: nil, at: now)
        }
        storeSelf(key, version: version, at: now)
        selfRenewal = now.monotonic.addingSaturated(selfRenewalInterval)
        // One of the addresses may be this node's own, which did not answer before it listened.
        for peer in cluster.peers.indices where !cluster.peers[peer].hasLived {
            cluster.peers[peer].nextLook = now.monotonic
        }
    }

    private mutating func storeSelf(_ key: InstanceKey, version: Int64, at now: Moment) {
        guard
            let content = InstanceContent(
                region: Array(settings.region.utf8), version: [],
                addrs: [Array("http://\(address)".utf8)], metadata: [])
        else { preconditionFailure("the region and the address are checked at the start") }
        let appKey = selfAppKey.packed
        let app = registry.ensureApplication(appKey.span)
        let instance = Instance(
            key: key, content: content, status: .up, registered: now.wall, up: now.wall,
            dirty: version, latest: registry.nextLatest(app, stamp: version))
        tombstones.forget(key)
        if let slot = selfSlot {
            registry.replace(slot, with: instance, renewed: now.wall)
        } else {
            selfSlot = registry.insert(instance, app: app, renewed: now.wall)
        }
        publish(app, zoneOf: key, stamp: version, at: now)
        for link in cluster.links.indices {
            cluster.links[link].outbox.append(key, since: now.monotonic)
        }
    }

    /// Others tell of this node itself. It alone says that it is there, so what is newer than its
    /// own word (from before a restart, with the clock set back) is outdone.
    mutating func mergeSelf(
        _ record: Record, _ slot: UInt32, at now: Moment, _ effects: inout [Effect]
    ) -> Merged {
        let own = registry.instance(at: slot)
        if case .registered(let state) = record.state, record.version == own.dirty,
            own.holdsSame(state.content, state.status)
        {
            return .same
        }
        if record.version < own.dirty { return .stale(self.record(at: slot, now.monotonic)) }
        // Two nodes of one name would outdo each other without end.
        if let contested = selfContested, now.monotonic - contested < 10 * Duration.second {
            return .same
        }
        selfContested = now.monotonic
        effects.append(.note(.nameContested(own.key)))
        storeSelf(own.key, version: max(now.wall, record.version.addingSaturated(1)), at: now)
        return .stale(self.record(at: slot, now.monotonic))
    }

    /// Leaves the cluster: the others forget this node at once instead of when its lease runs out.
    mutating func leave(at now: Moment, _ effects: inout [Effect]) {
        for number in cluster.awaitedDeadlines.all.map(\.number) {
            guard let awaited = cluster.awaited.removeValue(forKey: number) else { continue }
            effects.append(.answer(awaited.request, .done))
        }
        guard let slot = selfSlot else { return }
        let key = selfKey
        let version = max(now.wall, registry.instance(at: slot).dirty.addingSaturated(1))
        remove(slot, version: version, at: now)
        for link in cluster.links.indices {
            cluster.links[link].outbox.append(key, since: now.monotonic)
        }
    }
}
