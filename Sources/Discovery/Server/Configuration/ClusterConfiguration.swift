/// How this node and the others keep the same registry, and who may be one of them. The `[cluster]`
/// table but for `advertise`, which a node on its own needs too.
struct ClusterConfiguration: Sendable, Equatable {
    /// What nodes send each other to be let in; empty: none. A secret, never shown or logged.
    var token = ""
    /// Where nodes that cannot send a token come from: those of the reference.
    var allow: [AddressRange] = []
    /// Seconds between two comparisons of digests with each other node.
    var digestSeconds = 10
    /// Seconds between two comparisons of everything with a node that knows no digest.
    var comparisonSeconds = 300
    /// Milliseconds that a write waits for the nodes of this zone.
    var acknowledgementMilliseconds = 100
    /// Milliseconds for which renewals are gathered before they are passed on.
    var renewalDelayMilliseconds = 200
    /// Instances that may wait for one node.
    var outboxMax = 100_000
    /// Seconds a start waits for the other nodes.
    var joinSeconds = 15

    static let tokenBytesMax = 255
    /// A shorter token can be guessed by whoever may try without end.
    static let tokenBytesAdvised = 16
    /// What a token is printed as.
    static let tokenShown = "(set)"
    /// Each request of another node is held against all of them.
    static let allowMax = 256
    /// Addresses in `nodes` and `zones` together: each of them is asked for ever.
    static let seedsMax = 256
    static let digestSecondsRange = 1...3600
    static let comparisonSecondsRange = 10...86_400
    static let acknowledgementMillisecondsRange = 0...5000
    static let renewalDelayMillisecondsRange = 0...5000
    static let outboxMaxRange = 1000...10_000_000
    static let joinSecondsRange = 1...600

    /// Whether anyone may act as a node.
    var isOpen: Bool { token.isEmpty && allow.isEmpty }

    init() {}

    init(reading reader: inout SettingReader) {
        token = reader.secret(
            "cluster.token", bytesMax: Self.tokenBytesMax, shown: Self.tokenShown)
        allow = reader.addressRanges("cluster.allow", countMax: Self.allowMax)
        digestSeconds = reader.integer(
            "cluster.digest_seconds", default: digestSeconds, in: Self.digestSecondsRange)
        comparisonSeconds = reader.integer(
            "cluster.comparison_seconds", default: comparisonSeconds,
            in: Self.comparisonSecondsRange)
        acknowledgementMilliseconds = reader.integer(
            "cluster.acknowledgement_milliseconds", default: acknowledgementMilliseconds,
            in: Self.acknowledgementMillisecondsRange)
        renewalDelayMilliseconds = reader.integer(
            "cluster.renewal_delay_milliseconds", default: renewalDelayMilliseconds,
            in: Self.renewalDelayMillisecondsRange)
        outboxMax = reader.integer(
            "cluster.outbox_max", default: outboxMax, in: Self.outboxMaxRange)
        joinSeconds = reader.integer(
            "cluster.join_seconds", default: joinSeconds, in: Self.joinSecondsRange)
    }

    /// What is allowed but unwise, one sentence each. `hasOthers`: other nodes are configured.
    func advice(hasOthers: Bool) -> [String] {
        if isOpen, hasOthers {
            return [
                "anyone who reaches this port can join the cluster and write to all of it: set "
                    + "the same cluster.token on every node, or list the nodes' addresses in "
                    + "cluster.allow"
            ]
        }
        let count = token.utf8.count
        guard count > 0, count < Self.tokenBytesAdvised else { return [] }
        return [
            "cluster.token has \(count) characters and can be guessed; use "
                + "\(Self.tokenBytesAdvised) or more"
        ]
    }
}
