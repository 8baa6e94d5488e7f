/// What a node is told about the other nodes at its start. Durations are nanoseconds.
package struct ClusterSettings: Sendable {
    /// A node as written down in the configuration: never forgotten, whatever happens.
    package struct Seed: Equatable, Sendable {
        /// host:port.
        package var address: String
        package var zone: String

        package init(address: String, zone: String) {
            self.address = address
            self.zone = zone
        }
    }

    /// Nodes of this zone and of others; this node itself may be among them.
    package var seeds: [Seed] = []
    /// Nodes a cluster may have, seeds and announced ones together.
    package var nodesMax = 256

    /// How long a register, cancel or set waits for the zone's healthy nodes to acknowledge.
    package var acknowledgementWait = 100 * Duration.millisecond
    /// How long renewals are gathered before they are passed on: each batch has a price, and a
    /// lease is 450 times as long.
    package var renewalDelay = 200 * Duration.millisecond
    /// Instances one outbox may hold; beyond it forgets, and the digest finds what differs.
    package var outboxMax = 100_000
    /// Writes and renewals in one batch.
    package var batchCountMax = 1_024
    /// A batch with so many bytes takes no further record: it has at most one more.
    package var batchBytesMax = 64 * 1024
    /// Requests under way to one node of the reference's kind, which takes one write in each: 800
    /// a second to a zone that is 40 ms away.
    package var relaysMax = 32

    /// How long a node may take to answer a batch, a relayed write or a probe.
    package var callTimeout = 2 * Duration.second
    /// How long it may take for one page.
    package var pullTimeout = 10 * Duration.second
    /// How long a node of the reference's kind may take to tell everything in one answer.
    package var fetchAllTimeout = 40 * Duration.second
    /// How long a start may wait for the other nodes in all.
    package var joinTimeout = 15 * Duration.second
    /// A node that did not answer is asked again after this long, then twice as long, up to the
    /// maximum: short enough that a partition heals within twenty seconds.
    package var probeDelay = 250 * Duration.millisecond
    package var probeDelayMax = 3 * Duration.second
    /// How often digests are compared.
    package var digestInterval = 10 * Duration.second
    /// How often everything is compared with a node that knows no digest; it costs as much as the
    /// registry is large.
    package var comparisonInterval = 5 * Duration.minute
    /// A page or answer with so many bytes takes no further leaf, or record.
    package var pageBytesMax = 512 * 1024
    /// Bytes in one `Exchange.entries`, unless its first leaf alone is larger; the rest follows in
    /// the next.
    package var entriesBytesMax = 64 * 1024
    /// The shape of the digest. All nodes of a cluster need the same.
    package var digestRows = 256
    package var digestLeavesPerRow = 256

    package init() {}
}
