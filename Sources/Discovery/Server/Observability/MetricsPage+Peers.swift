internal import DiscoveryCore
internal import DiscoveryHTTP

/// What this node knows of every other one. There are at most `ClusterSettings.nodesMax` of them.
extension MetricsPage {
    func writePeers(_ peers: [PeerReport], refused: Int, _ text: inout PrometheusText) {
        text.gauge(
            "discovery_peers_refused",
            help: "Announced nodes that are not taken in: there are too many.", refused)
        for peer in peers {
            writeState(peer, &text)
            writeTraffic(peer, ["peer": peer.address, "zone": peer.zone], &text)
        }
    }

    private func writeState(_ peer: PeerReport, _ text: inout PrometheusText) {
        let labels: PrometheusText.Labels = ["peer": peer.address, "zone": peer.zone]
        text.gauge(
            "discovery_peer_up", help: "1 while the other node answers.",
            labels: [
                "peer": peer.address, "zone": peer.zone,
                "kind": peer.kind.label,
            ], peer.isHealthy ? 1 : 0)
        text.gauge(
            "discovery_peer_target",
            help: "1 if writes are sent to it: a node of this zone, or the contact in its own.",
            labels: labels, peer.isTarget ? 1 : 0)
        text.gauge(
            "discovery_peer_lag_milliseconds", help: "How long the oldest write for it has waited.",
            labels: labels, Int(peer.lag / Duration.millisecond))
        if let silence = peer.silence {
            text.gauge(
                "discovery_peer_silence_milliseconds", help: "How long ago it answered last.",
                labels: labels, Int(silence / Duration.millisecond))
        }
        for (kind, count) in [("write", peer.writesQueued), ("renewal", peer.renewalsQueued)] {
            text.gauge(
                "discovery_peer_queue", help: "Instances with something to tell it.",
                labels: ["peer": peer.address, "zone": peer.zone, "kind": kind], count)
        }
        text.gauge(
            "discovery_peer_divergent",
            help: "Instances that differed in the last comparison with it.", labels: labels,
            peer.statistics.divergent)
        text.gauge(
            "discovery_peer_skipped",
            help: "Instances in its last answer to fetch/all that could not be taken over.",
            labels: labels, peer.statistics.skipped)
    }

    private func writeTraffic(
        _ peer: PeerReport, _ labels: PrometheusText.Labels, _ text: inout PrometheusText
    ) {
        let statistics = peer.statistics
        for (kind, count) in [
            ("write", statistics.writesSent), ("renewal", statistics.renewalsSent),
        ] {
            text.counter(
                "discovery_peer_sent_total", help: "Writes and renewals sent to it.",
                labels: ["peer": peer.address, "zone": peer.zone, "kind": kind], UInt64(count))
        }
        for (name, help, count) in [
            ("calls", "Requests to it.", statistics.calls),
            ("calls_failed", "Requests that it did not answer in time.", statistics.callsFailed),
            ("retries", "Writes that had to be told again.", statistics.retries),
            ("refused", "Writes it did not take.", statistics.refused),
            ("repairs", "Records a comparison brought from or to it.", statistics.repairs),
            ("comparisons", "Comparisons of what both hold.", statistics.comparisons),
            ("overflows", "Times its queue was full and was given up.", peer.overflows),
        ] {
            text.counter(
                "discovery_peer_\(name)_total", help: help, labels: labels, UInt64(count))
        }
    }

    /// What other nodes brought, and what came of telling them.
    func writeExchanged(_ statistics: NodeStatistics, _ text: inout PrometheusText) {
        for (kind, count) in [
            ("write", statistics.recordsReceived), ("renewal", statistics.renewalsReceived),
        ] {
            text.counter(
                "discovery_received_total", help: "Writes and renewals that other nodes sent.",
                labels: ["kind": kind], UInt64(count))
        }
        for (name, help, count) in [
            (
                "acknowledgements_missed",
                "Writes answered before every healthy node of the zone had them.",
                statistics.acknowledgementsMissed
            ),
            (
                "conflicts", "Instances another node held newer than it was told.",
                statistics.conflicts
            ),
            (
                "versions_refused", "Versions of other nodes more than a day ahead.",
                statistics.refusedVersions
            ),
            (
                "alignments", "Timestamps of apps taken over from other nodes.",
                statistics.alignments
            ),
        ] {
            text.counter("discovery_\(name)_total", help: help, UInt64(count))
        }
    }

    func writeCalls(_ loop: LoopStatistics, index: Int, _ text: inout PrometheusText) {
        text.gauge(
            "discovery_call_connections", help: "Open connections to other nodes.",
            labels: ["loop": "\(index)"], loop.callConnections)
        for (direction, count) in [
            ("sent", loop.callBytesSent), ("received", loop.callBytesReceived),
        ] {
            text.counter(
                "discovery_call_bytes_total", help: "Bytes to and from other nodes.",
                labels: ["loop": "\(index)", "direction": direction], UInt64(count))
        }
        text.counter(
            "discovery_listeners_not_opened_total", help: "Attempts to listen that failed.",
            labels: ["loop": "\(index)"], UInt64(loop.listenersNotOpened))
    }
}

extension PeerReport.Kind {
    fileprivate var label: String {
        switch self {
        case .unknown: "unknown"
        case .own: "own"
        case .reference: "reference"
        }
    }
}
