/// Finding out what another node holds, and making up for the difference. One call at a time per
/// node; the next one follows from the answer.
extension Node {
    /// Begins what is due with this peer: a probe, or a comparison.
    mutating func look(after peer: Int, at now: Moment, _ effects: inout [Effect]) {
        guard cluster.peers[peer].session.isIdle else { return }
        scheduleLook(after: peer, at: now.monotonic)
        // A node that has been there for a while may be the contact now.
        cluster.areLinksStale = true
        cluster.peers[peer].lookedAt = now.monotonic
        if cluster.peers[peer].isShutOut, cluster.peers[peer].kind == .own {
            startComparing(with: peer, at: now, &effects)
            return
        }
        guard cluster.peers[peer].health == .healthy, isCompared(peer),
            !cluster.peers[peer].isDoubted || comparisonDue(with: peer) <= now.monotonic
        else {
            startSession(.probing, .probe, with: peer, &effects)
            return
        }
        switch cluster.peers[peer].kind {
        case .own: startComparing(with: peer, at: now, &effects)
        case .reference where cluster.peers[peer].nextComparison <= now.monotonic:
            startFetchingAll(from: peer, at: now, &effects)
        case .unknown, .reference: startSession(.probing, .probe, with: peer, &effects)
        }
    }

    /// Every node of this zone and one of every other zone.
    func isCompared(_ peer: Int) -> Bool {
        cluster.linkIndex(to: cluster.peers[peer].number) != nil
    }

    /// When the next comparison is due, at the latest: doubts, of which there may be many, do not
    /// put it off. `Int64.max`: not known yet.
    func comparisonDue(with peer: Int) -> Int64 {
        let known = cluster.peers[peer]
        if known.kind == .reference {
            return known.nextComparison == 0 ? .max : known.nextComparison
        }
        return known.comparedAt?.addingSaturated(cluster.settings.digestInterval) ?? .min
    }

    private mutating func scheduleLook(after peer: Int, at now: Int64) {
        let settings = cluster.settings
        let wait: Int64
        if cluster.peers[peer].health == .lost {
            let doublings = min(cluster.peers[peer].failures, 10)
            let delay = min(settings.probeDelay << Int64(doublings), settings.probeDelayMax)
            wait = cluster.random.jittered(delay, downTo: 50)
        } else {
            wait = cluster.random.jittered(settings.digestInterval, downTo: 80)
        }
        cluster.peers[peer].nextLook = now.addingSaturated(wait)
    }

    mutating func startSession(
        _ session: RepairSession, _ request: PeerRequest, with peer: Int,
        _ effects: inout [Effect]
    ) {
        cluster.peers[peer].session = session
        let call = cluster.nextCall(.session(peer: cluster.peers[peer].number))
        cluster.peers[peer].sessionCall = call
        send(call, request, to: peer, &effects)
    }

    mutating func startComparing(
        with peer: Int, at now: Moment, _ effects: inout [Effect]
    ) {
        cluster.peers[peer].comparedAt = now.monotonic
        cluster.peers[peer].statistics.comparisons += 1
        cluster.peers[peer].statistics.skipped = 0
        startSession(.comparing, .exchange(.compare(fingerprint)), with: peer, &effects)
    }

    mutating func startPulling(from peer: Int, _ effects: inout [Effect]) {
        startSession(.pulling(leaf: 0), .exchange(.pull(leaf: 0)), with: peer, &effects)
    }

    // MARK: Answers

    mutating func continueSession(
        of peer: Int, _ reply: PeerReply, at now: Moment, _ effects: inout [Effect]
    ) {
        let session = cluster.peers[peer].session
        cluster.peers[peer].session = .idle
        switch (session, reply.outcome) {
        case (.pulling(let leaf), .exchanged(.page(let page))):
            take(page, from: peer, leaf, at: now, &effects)
        case (.fetchingAll, .all(let records, let skipped)):
            note(skipped, of: peer, at: now, &effects)
            cluster.peers[peer].session = .comparingAll(Comparison(records: records))
            cluster.comparisonDue = .min
        case (.fetchingAll, .answered):
            // It cannot tell now: a node of the reference that has started a moment ago.
            compareSoon(with: peer, at: now.monotonic)
            settled(peer, isComplete: false, at: now, &effects)
        case (.comparing, .exchanged(.same(let isProtected))):
            cluster.peers[peer].statistics.divergent = 0
            settled(peer, isComplete: !isProtected, at: now, &effects)
        case (.comparing, .exchanged(.rows(let instances, let apps, let isProtected))):
            list(instances, apps, isProtected, of: peer, at: now, &effects)
        case (.listing(let listing), .exchanged(.leaves(let instances, let apps))):
            list(instances, apps, listing, of: peer, at: now, &effects)
        case (.settling(let listing), .exchanged(.entries(let differences))):
            settle(differences, listing, with: peer, at: now, &effects)
        case (.probing, _): probed(peer, at: now, &effects)
        case (.fetchingAll, _):
            scheduleComparison(with: peer, at: now.monotonic)
            settled(peer, isComplete: false, at: now, &effects)
        case (.idle, _), (.pulling, _), (.comparingAll, _), (.comparing, _),
            (.listing, _), (.settling, _):
            // It failed, was refused, or makes no sense: the next look tries again.
            settled(peer, isComplete: false, at: now, &effects)
        }
    }

    private mutating func take(
        _ page: Page, from peer: Int, _ leaf: UInt32, at now: Moment,
        _ effects: inout [Effect]
    ) {
        note(page.skipped, of: peer, at: now, &effects)
        for record in page.records { repair(record, from: peer, at: now, &effects) }
        takeOver(page.stamps, at: now)
        if let next = page.next, next > leaf {
            startSession(
                .pulling(leaf: next), .exchange(.pull(leaf: next)), with: peer, &effects)
            return
        }
        let isComplete = page.next == nil && !page.isProtected
        settled(peer, isComplete: isComplete, at: now, &effects)
    }

    /// While the node joins its content still changes without moving timestamps.
    private mutating func takeOver(_ stamps: [AppStamp], at now: Moment) {
        if cluster.joining != nil {
            cluster.joining?.stamps += stamps
        } else {
            align(stamps, at: now)
        }
    }

    /// Takes over what the other node holds, or has it told what is newer here. Whether this node
    /// holds something else than before.
    @discardableResult
    private mutating func repair(
        _ record: Record, from peer: Int, at now: Moment, _ effects: inout [Effect]
    ) -> Bool {
        switch merge(record, at: now, &effects) {
        case .taken:
            cluster.peers[peer].statistics.repairs += 1
            return true
        case .stale: tell(record.key, to: peer, at: now)
        case .same, .refused: break
        }
        return false
    }

    mutating func tell(_ key: InstanceKey, to peer: Int, at now: Moment) {
        guard let link = cluster.linkIndex(to: cluster.peers[peer].number),
            cluster.links[link].outbox.writeCount < cluster.settings.outboxMax
        else { return }
        cluster.peers[peer].statistics.repairs += 1
        cluster.links[link].outbox.append(key, since: now.monotonic)
    }

    // MARK: Digests

    private mutating func list(
        _ instances: [UInt64], _ apps: [UInt64], _ isProtected: Bool, of peer: Int,
        at now: Moment, _ effects: inout [Effect]
    ) {
        let (ownInstances, ownApps) = (registry.digest.rows, registry.appDigest.rows)
        guard instances.count == ownInstances.count, apps.count == ownApps.count else {
            settled(peer, isComplete: false, at: now, &effects)
            return
        }
        let listing = Listing(
            isProtected: isProtected,
            instanceRows: instances.indices.reversed().filter {
                instances[$0] != ownInstances[$0]
            }.map { UInt16(clamping: $0) },
            appRows: apps.indices.reversed().filter { apps[$0] != ownApps[$0] }.map {
                UInt16(clamping: $0)
            })
        proceed(listing, with: peer, at: now, &effects)
    }

    private mutating func list(
        _ instances: [UInt64], _ apps: [UInt64], _ listing: Listing, of peer: Int, at now: Moment,
        _ effects: inout [Effect]
    ) {
        let width = cluster.settings.digestLeavesPerRow
        guard instances.count == listing.askedInstanceRows.count * width,
            apps.count == listing.askedAppRows.count * width
        else {
            settled(peer, isComplete: false, at: now, &effects)
            return
        }
        var listing = listing
        listing.instanceLeaves = Node.differing(
            instances, listing.askedInstanceRows, registry.digest)
        listing.appLeaves = Node.differing(apps, listing.askedAppRows, registry.appDigest)
        proceed(listing, with: peer, at: now, &effects)
    }

    private static func differing(
        _ leaves: [UInt64], _ rows: [UInt16], _ tree: DigestTree
    ) -> [UInt32] {
        var differing: [UInt32] = []
        for (place, row) in rows.enumerated() {
            for column in 0..<tree.leavesPerRow {
                let leaf = Int(row) * tree.leavesPerRow + column
                if leaves[place * tree.leavesPerRow + column] != tree.leaves[leaf] {
                    differing.append(UInt32(leaf))
                }
            }
        }
        return differing
    }

    private mutating func settle(
        _ differences: Differences, _ listing: Listing, with peer: Int, at now: Moment,
        _ effects: inout [Effect]
    ) {
        var listing = listing
        note(differences.skipped, of: peer, at: now, &effects)
        listing.differences +=
            differences.records.count + differences.wanted.count + differences.skipped
        let alignments = statistics.alignments
        var isProgress = false
        for record in differences.records where repair(record, from: peer, at: now, &effects) {
            isProgress = true
        }
        for key in differences.wanted { tell(key, to: peer, at: now) }
        takeOver(differences.stamps, at: now)
        if differences.isPartial {
            var leaves = listing.askedInstanceLeaves
            if !isProgress, statistics.alignments == alignments {
                // The same question would have the same answer: on with what lies behind it.
                let end = lastLeaf(of: differences.records)
                leaves.removeAll { $0 <= end }
                if leaves.count == listing.askedInstanceLeaves.count {
                    (leaves, listing.askedAppLeaves) = ([], [])
                }
            }
            listing.instanceLeaves += leaves.reversed()
            listing.appLeaves += listing.askedAppLeaves.reversed()
        }
        proceed(listing, with: peer, at: now, &effects)
    }

    /// In which an answer ended that was full. Cancels are told in no order.
    private func lastLeaf(of records: [Record]) -> UInt32 {
        let last = records.last { if case .registered = $0.state { true } else { false } }
        return last.map { registry.leaf(of: $0.key.packed.span) } ?? .max
    }

    /// Asks for the next thing that is missing: leaves to settle, rows to list, or nothing.
    private mutating func proceed(
        _ listing: Listing, with peer: Int, at now: Moment, _ effects: inout [Effect]
    ) {
        var listing = listing
        if !listing.instanceLeaves.isEmpty || !listing.appLeaves.isEmpty {
            guard hasRoom(for: peer) else {
                // What is wanted there has to leave first.
                cluster.peers[peer].statistics.divergent = listing.differences
                lookAgain(at: peer, now.monotonic)
                settled(peer, isComplete: false, at: now, &effects)
                return
            }
            let entries = nextEntries(of: &listing, at: now, &effects)
            startSession(.settling(listing), .exchange(.entries(entries)), with: peer, &effects)
        } else if !listing.instanceRows.isEmpty || !listing.appRows.isEmpty {
            listing.askedInstanceRows = Node.popLast(Node.rowsMax, of: &listing.instanceRows)
            listing.askedAppRows = Node.popLast(Node.rowsMax, of: &listing.appRows)
            startSession(
                .listing(listing),
                .exchange(
                    .leaves(instances: listing.askedInstanceRows, apps: listing.askedAppRows)),
                with: peer, &effects)
        } else {
            cluster.peers[peer].statistics.divergent = listing.differences
            settled(peer, isComplete: !listing.isProtected, at: now, &effects)
        }
    }

    /// More is to be told than an outbox holds: the rest is found by another look, when there is
    /// room again.
    mutating func lookAgain(at peer: Int, _ now: Int64) {
        let soon = now.addingSaturated(Duration.second)
        cluster.peers[peer].nextLook = min(cluster.peers[peer].nextLook, soon)
    }

    private func hasRoom(for peer: Int) -> Bool {
        guard let link = cluster.linkIndex(to: cluster.peers[peer].number) else { return true }
        return cluster.links[link].writeCount < cluster.settings.outboxMax / 2
    }

    /// Leaves until what this node holds in them is enough for one message, or none are left.
    private mutating func nextEntries(
        of listing: inout Listing, at now: Moment, _ effects: inout [Effect]
    ) -> Entries {
        let sizeMax = cluster.settings.entriesBytesMax
        var size = 0
        listing.askedInstanceLeaves = []
        while size < sizeMax, let leaf = listing.instanceLeaves.popLast() {
            let leafSize = registry.digest.slots(in: leaf).reduce(Node.leafSize) {
                $0 + registry.instance(at: $1).key.packed.count + Node.entrySize
            }
            if isTooLarge(leafSize, at: now, &effects) { continue }
            listing.askedInstanceLeaves.append(leaf)
            size += leafSize
        }
        listing.askedAppLeaves = []
        while size < sizeMax, let leaf = listing.appLeaves.popLast() {
            let leafSize = registry.appDigest.slots(in: leaf).reduce(Node.leafSize) {
                $0 + registry.applications[Int($1)].key.packed.count + Node.entrySize
            }
            if isTooLarge(leafSize, at: now, &effects) { continue }
            listing.askedAppLeaves.append(leaf)
            size += leafSize
        }
        listing.askedInstanceLeaves.sort()
        listing.askedAppLeaves.sort()
        return entries(
            instanceLeaves: listing.askedInstanceLeaves, appLeaves: listing.askedAppLeaves)
    }

    /// Whether the keys in one leaf are too many for a message that other nodes take. Chance does
    /// not bring so many together, but who chooses names can: only that leaf goes uncompared.
    private mutating func isTooLarge(
        _ leafSize: Int, at now: Moment, _ effects: inout [Effect]
    ) -> Bool {
        let sizeMax = 2 * cluster.settings.entriesBytesMax
        if leafSize <= sizeMax { return false }
        if limitNotes.isNews("leaf", at: now.monotonic) {
            effects.append(.note(.leafTooLarge(bytes: leafSize, bytesMax: sizeMax)))
        }
        return true
    }

    /// What a leaf, and an entry besides its key, take on the wire.
    static let leafSize = 4
    private static let entrySize = 16

    private static func popLast(_ count: Int, of rows: inout [UInt16]) -> [UInt16] {
        let last = Array(rows.suffix(count))
        rows.removeLast(last.count)
        return last
    }
}
