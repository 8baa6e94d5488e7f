/// Comparing everything with a node that knows no digest, by its fetch/all.
extension Node {
    mutating func startFetchingAll(
        from peer: Int, at now: Moment, _ effects: inout [Effect]
    ) {
        cluster.peers[peer].statistics.comparisons += 1
        cluster.peers[peer].statistics.skipped = 0
        let interval = cluster.random.jittered(cluster.settings.comparisonInterval, downTo: 80)
        cluster.peers[peer].nextComparison = now.monotonic.addingSaturated(interval)
        cluster.peers[peer].comparedAt = now.monotonic
        startSession(.fetchingAll, .fetchAll, with: peer, &effects)
    }

    mutating func note(
        _ skipped: Int, of peer: Int, at now: Moment, _ effects: inout [Effect]
    ) {
        cluster.peers[peer].statistics.skipped += skipped
        if skipped > 0, limitNotes.isNews("skipped", at: now.monotonic) {
            effects.append(.note(.recordsSkipped(cluster.peers[peer].address, count: skipped)))
        }
    }

    /// Instances compared in one step.
    private static let comparisonSlice = 2_048

    /// Goes on with the comparisons with nodes that know no digest.
    mutating func advanceComparisons(at now: Moment, _ effects: inout [Effect]) {
        cluster.comparisonDue = nil
        for peer in cluster.peers.indices {
            guard case .comparingAll(var comparison) = cluster.peers[peer].session else { continue }
            cluster.peers[peer].session = .idle
            if compareSlice(&comparison, with: peer, at: now, &effects) {
                cluster.peers[peer].statistics.divergent = comparison.differences
                settled(peer, isComplete: true, at: now, &effects)
            } else {
                cluster.peers[peer].session = .comparingAll(comparison)
                cluster.comparisonDue = .min
            }
        }
    }

    /// It ran out here, and is late there: a node that knows no age may have been told of it by
    /// another one long after the client had renewed last.
    private func hasLapsed(_ record: Record, at now: Int64) -> Bool {
        guard case .registered(let state) = record.state,
            tombstones.version(of: record.key, at: now) == nil,
            let evicted = evictions.version(of: record.key, at: now)
        else { return false }
        return evicted >= record.version && state.silence >= settings.overdueAfter
    }

    /// Whether that was the last one.
    private mutating func compareSlice(
        _ comparison: inout Comparison, with peer: Int, at now: Moment,
        _ effects: inout [Effect]
    ) -> Bool {
        if comparison.merged < comparison.records.count {
            let end = min(comparison.merged + Node.comparisonSlice, comparison.records.count)
            for record in comparison.records[comparison.merged..<end] {
                comparison.versions[record.key] = record.version
                if hasLapsed(record, at: now.monotonic) { continue }
                switch merge(record, at: now, &effects) {
                case .taken:
                    comparison.differences += 1
                    cluster.peers[peer].statistics.repairs += 1
                case .stale:
                    comparison.differences += 1
                    tell(record.key, to: peer, at: now)
                case .same, .refused: break
                }
            }
            comparison.merged = end
            return false
        }
        // While it joins a node has nothing to tell.
        if cluster.joining != nil { return true }
        let end = min(
            Int(comparison.slot) + Node.comparisonSlice, registry.records.count)
        for slot in Int(comparison.slot)..<max(end, Int(comparison.slot)) {
            guard let instance = registry.records[slot].instance,
                comparison.versions[instance.key] == nil,
                leases.silence(of: UInt32(slot), at: now.monotonic) < settings.overdueAfter
            else { continue }
            // A register there begins a lease anew: only what is alive is told.
            comparison.differences += 1
            tell(instance.key, to: peer, at: now)
        }
        comparison.slot = UInt32(end)
        return end >= registry.records.count
    }
}
