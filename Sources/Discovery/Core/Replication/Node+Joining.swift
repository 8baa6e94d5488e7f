/// The start of a node, and what time brings to its cluster.
extension Node {
    /// Asks every seed what it holds, all at once.
    mutating func join(at now: Moment, _ effects: inout [Effect]) {
        guard !cluster.peers.all.isEmpty else {
            finishJoining(at: now, &effects)
            return
        }
        registry.isJoining = true
        cluster.joining = Joining(
            deadline: now.monotonic.addingSaturated(cluster.settings.joinTimeout),
            waiting: cluster.peers.all.map(\.number))
        for peer in cluster.peers.indices { look(after: peer, at: now, &effects) }
    }

    private mutating func finishJoining(at now: Moment, _ effects: inout [Effect]) {
        align(cluster.joining?.stamps ?? [], at: now)
        // Nodes of the reference do not tell the timestamps of applications, and those of their
        // instances may be older than what this node has told before it was started anew.
        if cluster.joining?.hasSource == true {
            registry.raiseTimestamps(except: cluster.joining?.confirmed ?? [])
        } else {
            registry.raiseTimestamps(to: startWall)
        }
        cluster.joining = nil
        registry.isJoining = false
        registry.raiseFloor(to: startWall)
        let living = cluster.peers.all.count { $0.health == .healthy && !$0.isSelf }
        if !cluster.peers.all.isEmpty {
            effects.append(
                .note(
                    .joined(
                        nodes: living, of: cluster.peers.all.count,
                        instances: registry.instanceCount)))
        }
        effects.append(.joined)
    }

    /// A probe has come to its end, this way or the other.
    mutating func probed(_ peer: Int, at now: Moment, _ effects: inout [Effect]) {
        let known = cluster.peers[peer]
        guard cluster.joining != nil else {
            if known.kind == .own, known.comparedAt != nil, isCompared(peer) {
                let earliest = now.monotonic.addingSaturated(Peers.lookPause)
                cluster.peers[peer].nextLook = min(
                    known.nextLook, max(comparisonDue(with: peer), earliest))
            }
            if known.health == .healthy, known.kind == .reference, known.nextComparison == 0 {
                cluster.peers[peer].nextComparison = now.monotonic.addingSaturated(
                    cluster.random.jittered(cluster.settings.comparisonInterval, downTo: 20))
            }
            return
        }
        guard known.health == .healthy, !known.isSelf else {
            settled(peer, isComplete: false, at: now, &effects)
            return
        }
        // Once each: who has told, or has failed to, is compared with later.
        guard cluster.joining?.waiting.contains(known.number) == true else { return }
        if known.zone != settings.zone {
            // One node of each other zone is enough.
            let zones = cluster.joining?.zones ?? []
            if let zone = zones.firstIndex(where: { $0.name == known.zone }) {
                if zones[zone].isTold {
                    settled(peer, isComplete: false, at: now, &effects)
                    return
                }
                cluster.joining?.zones[zone].queued.append(known.number)
                return
            }
            cluster.joining?.zones.append(Joining.Zone(name: known.zone, source: known.number))
        }
        startLearning(from: peer, at: now, &effects)
    }

    /// Asks a node what it holds, for the first time.
    private mutating func startLearning(
        from peer: Int, at now: Moment, _ effects: inout [Effect]
    ) {
        let known = cluster.peers[peer]
        switch known.kind {
        case .reference: startFetchingAll(from: peer, at: now, &effects)
        case .own where cluster.joining?.source == nil && cluster.joining?.hasSource == false:
            cluster.joining?.source = known.number
            startPulling(from: peer, &effects)
        case .own where cluster.joining?.source != nil:
            cluster.joining?.queued.append(known.number)
        case .own, .unknown: startComparing(with: peer, at: now, &effects)
        }
    }

    /// What there was to find out about the peer is found out, or was not to be had.
    mutating func settled(
        _ peer: Int, isComplete: Bool, at now: Moment, _ effects: inout [Effect]
    ) {
        let number = cluster.peers[peer].number
        if isComplete, protectedUntil != nil {
            protectedUntil = nil
            effects.append(.note(.startupProtectionEnded))
        }
        guard cluster.joining != nil else { return }
        cluster.joining?.waiting.removeAll { $0 == number }
        if isComplete, cluster.peers[peer].kind == .own { cluster.joining?.hasSource = true }
        if cluster.joining?.source == number {
            cluster.joining?.source = nil
            startQueued(at: now, &effects)
        }
        settleZone(of: number, isComplete: isComplete, at: now, &effects)
        if cluster.joining?.waiting.isEmpty == true { finishJoining(at: now, &effects) }
    }

    /// The source has told everything: the others tell what differs. Or it has failed: the next
    /// one is the source.
    private mutating func startQueued(at now: Moment, _ effects: inout [Effect]) {
        let queued = cluster.joining?.queued ?? []
        cluster.joining?.queued = []
        for number in queued {
            guard let peer = cluster.peers.index(of: number) else { continue }
            if cluster.joining?.hasSource == true {
                startComparing(with: peer, at: now, &effects)
            } else if cluster.joining?.source == nil {
                cluster.joining?.source = number
                startPulling(from: peer, &effects)
            } else {
                cluster.joining?.queued.append(number)
            }
        }
    }

    /// Whether another node may be asked in its place: of another zone one is enough.
    func hasSubstitute(_ peer: Int) -> Bool {
        let known = cluster.peers[peer]
        guard known.zone != settings.zone, let waiting = cluster.joining?.waiting else {
            return false
        }
        return cluster.peers.all.contains {
            $0.zone == known.zone && $0.number != known.number && waiting.contains($0.number)
        }
    }

    /// The one asked in another zone has told everything: the others there need not. Or it has
    /// failed: the next one is asked.
    private mutating func settleZone(
        of number: UInt32, isComplete: Bool, at now: Moment, _ effects: inout [Effect]
    ) {
        let zones = cluster.joining?.zones ?? []
        guard let zone = zones.firstIndex(where: { $0.source == number && !$0.isTold })
        else { return }
        var queued = zones[zone].queued[...]
        if isComplete {
            cluster.joining?.zones[zone].queued = []
            cluster.joining?.zones[zone].isTold = true
            cluster.joining?.waiting.removeAll { queued.contains($0) }
            return
        }
        while let next = queued.popFirst() {
            guard let peer = cluster.peers.index(of: next),
                cluster.peers[peer].health == .healthy, cluster.peers[peer].session.isIdle
            else {
                cluster.joining?.waiting.removeAll { $0 == next }
                continue
            }
            cluster.joining?.zones[zone] = Joining.Zone(
                name: zones[zone].name, source: next, queued: Array(queued))
            startLearning(from: peer, at: now, &effects)
            return
        }
        cluster.joining?.zones.remove(at: zone)
    }

    // MARK: Time

    /// Behind the inputs of a step: does what they and the time ask for.
    mutating func advanceCluster(to now: Moment, _ effects: inout [Effect]) {
        expireAwaited(at: now.monotonic, &effects)
        if let joining = cluster.joining, joining.deadline <= now.monotonic {
            finishJoining(at: now, &effects)
        }
        if cluster.comparisonDue != nil { advanceComparisons(at: now, &effects) }
        if cluster.isMembershipStale { updateMembers(at: now, &effects) }
        if cluster.areLinksStale { updateLinks(at: now.monotonic, &effects) }
        for peer in cluster.peers.indices
        where cluster.peers[peer].nextLook <= now.monotonic && isLookedAfter(peer) {
            look(after: peer, at: now, &effects)
        }
        for link in cluster.links.indices {
            boundOutbox(link, at: now, &effects)
            flush(link, at: now, &effects)
        }
    }

    /// For ever. At an address where this node found itself another one may answer next: a name,
    /// or a balancer.
    private func isLookedAfter(_ peer: Int) -> Bool {
        cluster.peers[peer].session.isIdle && hasStarted
    }

    /// When the cluster needs a step, monotonic.
    var clusterDue: Int64? {
        var due = cluster.awaitedDeadlines.first?.due
        func consider(_ time: Int64?) {
            guard let time else { return }
            due = min(due ?? time, time)
        }
        consider(cluster.joining?.deadline)
        consider(cluster.comparisonDue)
        for peer in cluster.peers.indices where isLookedAfter(peer) {
            consider(cluster.peers[peer].nextLook)
        }
        for link in cluster.links.indices where cluster.links[link].flights.isEmpty {
            guard let since = cluster.links[link].outbox.renewalsSince,
                cluster.healthyContact(of: link) != nil
            else { continue }
            consider(since.addingSaturated(cluster.settings.renewalDelay))
        }
        return due
    }
}
