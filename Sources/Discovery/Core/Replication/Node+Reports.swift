/// What a node tells of its cluster: to clients, to operators, to tests.
extension Node {
    /// `/nodes`: this node and the others of its zone, and who of them is reachable.
    package var nodes: [NodeEntry] {
        var entries = [NodeEntry(address: address, status: 0, zone: settings.zone)]
        for peer in cluster.peers.indices {
            let known = cluster.peers[peer]
            if known.zone != settings.zone || known.isSelf || cluster.peers.isAlias(peer) {
                continue
            }
            entries.append(
                NodeEntry(
                    address: known.address, status: known.health == .lost ? 1 : 0,
                    zone: known.zone))
        }
        return entries
    }

    /// What it holds, whether or not readers are refused: for whom it is not to notice.
    package func held(_ key: InstanceKey) -> Instance? {
        registry.find(key.packed.span).map { registry.instance(at: $0) }
    }

    /// Likewise all instances of an application, in no particular order, its timestamp and its
    /// schedule; nil without any.
    package func held(
        _ app: AppKey
    ) -> (latest: Int64, instances: [Instance], schedule: ZoneSchedule?)? {
        guard let index = registry.findApplication(app.packed.span) else { return nil }
        let slots = registry.applications[Int(index)].zones.flatMap(\.members)
        let instances = slots.filter { $0 != ZoneGroup.hole }.map { registry.instance(at: $0) }
        if instances.isEmpty { return nil }
        let application = registry.applications[Int(index)]
        return (application.latest, instances, application.schedule)
    }

    /// The addresses that source writes are sent to: all living nodes of the zone and one of each
    /// other zone. In no particular order.
    package var targets: [String] {
        cluster.links.compactMap { link in
            guard let contact = link.contact, let peer = cluster.peers.index(of: contact) else {
                return nil
            }
            return cluster.peers[peer].address
        }
    }

    /// Whether every healthy node has acknowledged everything.
    package var isFlushed: Bool { cluster.isFlushed }

    package var id: NodeID { cluster.id }

    /// Writes whose answers wait for acknowledgements.
    package var awaitedCount: Int { cluster.awaited.count }

    /// It has not been announced yet: it asks the others what they hold, or is about to listen.
    package var isJoining: Bool { address.isEmpty }

    /// Announced nodes that are not taken in because there are too many.
    package var peersRefused: Int { cluster.peers.refused }

    /// By address.
    package func peerReports(at now: Moment) -> [PeerReport] {
        cluster.peers.indices.filter { !cluster.peers[$0].isSelf }.map { peer in
            let known = cluster.peers[peer]
            var report = PeerReport(address: known.address, zone: known.zone)
            report.isHealthy = known.health == .healthy
            report.kind = known.kind
            report.isSeed = known.isSeed
            report.statistics = known.statistics
            report.silence = known.heard.map { max(0, now.monotonic - $0) }
            if let link = cluster.linkIndex(to: known.number) {
                report.isTarget = true
                report.writesQueued = cluster.links[link].writeCount
                report.renewalsQueued = cluster.links[link].outbox.renewalCount
                report.lag = cluster.links[link].lag(at: now.monotonic)
                report.overflows = cluster.links[link].overflows
            }
            return report
        }.sorted { $0.address < $1.address }
    }
}

/// What a node knows of one other node, at one moment.
package struct PeerReport: Equatable, Sendable {
    package enum Kind: Sendable {
        /// It has not answered yet.
        case unknown
        /// Speaks the exchanges of this project's nodes.
        case own
        /// Speaks the reference's protocol only.
        case reference
    }

    package var address: String
    package var zone: String
    package var isHealthy = false
    package var kind = Kind.unknown
    package var isSeed = false
    /// Source writes are sent to it: it is in this zone, or the contact in its own.
    package var isTarget = false
    package var writesQueued = 0
    package var renewalsQueued = 0
    /// How long ago the oldest write was made that it has not acknowledged, nanoseconds.
    package var lag: Int64 = 0
    /// How long ago it answered, nanoseconds; nil: never.
    package var silence: Int64?
    /// Outboxes that were given up because they were full.
    package var overflows = 0
    package var statistics = PeerStatistics()
}
