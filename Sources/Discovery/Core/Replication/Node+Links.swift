/// By which way each other node is told: one link to every node of this zone, and one to every
/// other zone.
extension Node {
    /// One link to every other node of this zone, and one to every other zone.
    mutating func updateLinks(at now: Int64, _ effects: inout [Effect]) {
        cluster.areLinksStale = false
        var wanted: [(destination: Link.Destination, contact: UInt32?)] = []
        var zones: [String] = []
        for peer in cluster.peers.indices {
            let known = cluster.peers[peer]
            guard known.isTarget, !cluster.peers.isAlias(peer) else { continue }
            if known.zone == settings.zone {
                wanted.append((.peer(known.number), known.number))
            } else if !zones.contains(known.zone) {
                zones.append(known.zone)
                wanted.append((.zone(known.zone), contact(in: known.zone, at: now)))
            }
        }
        for link in cluster.links.indices.reversed() {
            let destination = cluster.links[link].destination
            if wanted.contains(where: { $0.destination == destination }) { continue }
            abandon(link, at: now, &effects)
            if let other = otherAddress(of: link, in: wanted) {
                // What it has missed, renewals above all, is told there.
                cluster.links[link].destination = other.destination
                cluster.links[link].contact = other.contact
                continue
            }
            cluster.links.remove(at: link)
        }
        for (destination, contact) in wanted {
            let known = cluster.links.firstIndex { $0.destination == destination }
            guard let known else {
                cluster.links.append(cluster.makeLink(to: destination, contact: contact))
                continue
            }
            if cluster.links[known].contact != contact {
                abandon(known, at: now, &effects)
                cluster.links[known].contact = contact
                if let contact, let peer = cluster.peers.index(of: contact) {
                    // What the one before did not pass on is found by a comparison.
                    compareSoon(with: peer, at: now)
                }
            }
        }
        for link in cluster.links.indices {
            if cluster.links[link].isSameZone, let peer = cluster.peerIndex(of: link),
                let node = cluster.peers[peer].node
            {
                cluster.links[link].node = node
            }
            catchUp(link, at: now)
        }
        for peer in cluster.peers.indices where !isCompared(peer) {
            cluster.peers[peer].statistics.divergent = 0
        }
    }

    /// Where the node is told now that this link leads to: its other address, without a link yet.
    private func otherAddress(
        of link: Int, in wanted: [(destination: Link.Destination, contact: UInt32?)]
    ) -> (destination: Link.Destination, contact: UInt32?)? {
        guard let node = cluster.links[link].node else { return nil }
        return wanted.first { destination, contact in
            guard case .peer(let number) = destination, let peer = cluster.peers.index(of: number)
            else { return false }
            return cluster.peers[peer].node == node
                && !cluster.links.contains { $0.destination == destination }
        }
    }

    /// A comparison finds the writes that a node missed before it was found, but not the renewals:
    /// it would evict what renewed here meanwhile. A node that joins asks itself.
    private mutating func catchUp(_ link: Int, at now: Int64) {
        guard let peer = cluster.healthyContact(of: link), cluster.peers[peer].isNew,
            cluster.peers[peer].kind == .own
        else { return }
        cluster.peers[peer].isNew = false
        for slot in registry.records.indices where registry.records[slot].instance != nil {
            cluster.links[link].outbox.renew(UInt32(slot), at: now)
        }
    }

    /// The node of another zone that this one writes to. Sooner one of our kind, which can be
    /// compared with and told all that it lacks; the present one while it is healthy; else one that
    /// each node chooses differently, so that they do not all choose the same.
    private func contact(in zone: String, at now: Int64) -> UInt32? {
        let present = cluster.links.first { $0.destination == .zone(zone) }?.contact
        let healthy = cluster.peers.indices.filter {
            cluster.peers[$0].zone == zone && cluster.peers[$0].health == .healthy
                && !cluster.peers[$0].isSelf && !cluster.peers.isAlias($0)
        }
        let own = healthy.filter { cluster.peers[$0].kind == .own && isSteady($0, at: now) }
        let candidates = own.isEmpty ? healthy : own
        if let present, candidates.contains(where: { cluster.peers[$0].number == present }) {
            return present
        }
        let best = candidates.min { rank($0) < rank($1) }
        return best.map { cluster.peers[$0].number }
    }

    /// One that comes and goes does not take the place of one that stays.
    private func isSteady(_ peer: Int, at now: Int64) -> Bool {
        cluster.peers[peer].recoveredAt.map { now - $0 >= Node.steadyAfter } ?? true
    }

    private static let steadyAfter = 10 * Duration.second

    private func rank(_ peer: Int) -> UInt64 {
        ByteHash.join(
            cluster.id.rawValue, ByteHash.common.wide(Array(cluster.peers[peer].address.utf8).span))
    }
}
