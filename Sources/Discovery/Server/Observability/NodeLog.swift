internal import DiscoveryCore
internal import Logging

/// Puts what a node notes into log lines. What clients do is told at debug level, what an operator
/// has to know at the levels above.
struct NodeLog: Sendable {
    let logger: Logger

    func tell(_ note: Note) {
        switch note {
        case .added(let instance): debug("instance registered", instance.key)
        case .replaced(let instance): debug("instance changed", instance.key)
        case .removed(let key): debug("instance cancelled", key)
        case .evicted(let key, let silence):
            var fields = fields(of: key)
            fields["silent_seconds"] = "\(silence / Duration.second)"
            logger.info("instance evicted: its lease ran out", metadata: fields)
        case .protectionEntered(let scope, let overdue, let expected, let allowed):
            logger.warning(
                "evictions are held back: too many instances are silent at once",
                metadata: fields(scope, overdue, expected, allowed))
        case .protectionLeft(let scope, let overdue, let expected, let allowed):
            logger.notice(
                "evictions go on: few instances are silent",
                metadata: fields(scope, overdue, expected, allowed))
        case .startupProtectionEnded:
            logger.notice("reads are answered from now on: the protection at start is over")
        case .limitReached(let sentence):
            logger.warning("requests are refused: \(sentence)")
        case .joined, .peerFound, .peerLost, .peerRecovered, .shutOut, .peerForgotten,
            .relayRefused, .outboxOverflowed, .leafTooLarge, .recordsSkipped, .versionRefused,
            .nameContested:
            tellOfCluster(note)
        }
    }

    private func tellOfCluster(_ note: Note) {
        switch note {
        case .joined(let nodes, let of, let instances):
            logger.notice(
                "joined the cluster",
                metadata: [
                    "nodes_heard": "\(nodes)", "nodes_known": "\(of)",
                    "instances_told": "\(instances)",
                ])
        case .peerFound(let address, let zone):
            logger.notice("another node answers", metadata: fields(address, zone))
        case .peerLost(let address, let zone, let reason):
            var fields = fields(address, zone)
            fields["reason"] = "\(reason)"
            logger.warning("another node is lost; it is probed until it answers", metadata: fields)
        case .peerRecovered(let address, let zone):
            logger.notice(
                "another node answers again; what it missed is told",
                metadata: fields(address, zone))
        case .shutOut(let address, let zone, let reason):
            var fields = fields(address, zone)
            fields["reason"] = "\(reason)"
            logger.error(
                """
                another node takes this one for none of its cluster: give both the same \
                cluster.token, or list the address of this one in cluster.allow of the other
                """, metadata: fields)
        case .peerForgotten(let address, let zone):
            logger.notice("another node has left", metadata: fields(address, zone))
        case .relayRefused(let key, let address, let reason):
            var fields = fields(of: key)
            fields["node"] = "\(address)"
            fields["reason"] = "\(reason)"
            logger.warning("another node does not take a write", metadata: fields)
        case .outboxOverflowed(let address, let countMax):
            logger.warning(
                "too many writes wait for another node: a comparison will bring them",
                metadata: ["node": "\(address)", "outbox_max": "\(countMax)"])
        case .leafTooLarge(let bytes, let bytesMax):
            logger.warning(
                """
                names of instances were chosen so that they fall together: what other nodes \
                hold of these is not compared
                """, metadata: ["bytes": "\(bytes)", "bytes_max": "\(bytesMax)"])
        case .recordsSkipped(let address, let count):
            logger.warning(
                "another node tells of instances that cannot be taken over",
                metadata: ["node": "\(address)", "instances": "\(count)"])
        case .versionRefused(let key, let version):
            var fields = fields(of: key)
            fields["dirty_timestamp"] = "\(version)"
            logger.warning(
                "another node's clock is more than a day ahead of this one's: its write is refused",
                metadata: fields)
        case .nameContested(let key):
            logger.warning(
                "another node has, or had, this one's hostname; each node needs its own",
                metadata: fields(of: key))
        case .added, .replaced, .removed, .evicted, .protectionEntered, .protectionLeft,
            .startupProtectionEnded, .limitReached:
            tell(note)
        }
    }

    private func fields(_ address: String, _ zone: String) -> Logger.Metadata {
        ["node": "\(address)", "zone": "\(zone)"]
    }

    private func debug(_ message: Logger.Message, _ key: InstanceKey) {
        // Asked first: the fields cost more than everything else about a write.
        guard logger.logLevel <= .debug else { return }
        logger.debug(message, metadata: fields(of: key))
    }

    private func fields(of key: InstanceKey) -> Logger.Metadata {
        func text(_ range: ByteRange) -> Logger.MetadataValue {
            .string(String(decoding: key.packed[range.range], as: UTF8.self))
        }
        return [
            "env": text(key.env), "appid": text(key.appid), "zone": text(key.zone),
            "hostname": text(key.hostname),
        ]
    }

    private func fields(
        _ scope: ProtectionScope, _ overdue: Int, _ expected: Int, _ allowed: Int
    ) -> Logger.Metadata {
        let name =
            switch scope {
            case .overall: "all"
            case .zone(let zone): "zone \(zone)"
            }
        return [
            "scope": "\(name)", "silent": "\(overdue)", "expected": "\(expected)",
            "allowed": "\(allowed)",
        ]
    }
}
