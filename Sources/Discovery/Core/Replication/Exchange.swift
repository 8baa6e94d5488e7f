/// What a node asks of another one of its own kind: an addition to the reference's protocol that
/// nodes of the reference do not know. Its bytes are in `DiscoveryWire`.
package enum Exchange: Equatable, Sendable {
    case changes(Changes)
    /// Everything, a page at a time: the leaves of the digest from this one on. A node that starts
    /// asks for it.
    case pull(leaf: UInt32)
    /// Whether both hold the same; if not, the answer has the rows.
    case compare(Fingerprint)
    /// The leaves of these rows; rows of instances, then rows of applications.
    case leaves(instances: [UInt16], apps: [UInt16])
    /// What the asker holds in these leaves. It is answered with what it lacks, and with what is
    /// wanted from it.
    case entries(Entries)
}

/// The answer to an `Exchange`, case by case.
package enum ExchangeReply: Equatable, Sendable {
    /// `wanted`: indices of the renewals whose instance the answering node does not hold in that
    /// version. `newer`: what it holds of instances whose record, or renewal, came with an older
    /// version.
    case changes(wanted: [UInt32], newer: [Record])
    case page(Page)
    /// Both hold the same. `isProtected`: the answering node refuses reads, because it does not
    /// know all instances yet itself.
    case same(isProtected: Bool)
    /// The rows of both digests.
    case rows(instances: [UInt64], apps: [UInt64], isProtected: Bool)
    /// In the order asked for, all leaves of one row after the other.
    case leaves(instances: [UInt64], apps: [UInt64])
    case entries(Differences)
}

/// Writes and renewals on their way to one node.
package struct Changes: Equatable, Sendable {
    package struct Renewed: Equatable, Sendable {
        /// A packed instance key in `Changes.bytes`.
        package var key: ByteRange
        package var version: Int64
        /// How long ago the client renewed, nanoseconds; on the wire whole milliseconds.
        package var silence: Int64

        package init(key: ByteRange, version: Int64, silence: Int64) {
            self.key = key
            self.version = version
            self.silence = silence
        }
    }

    /// Between nodes of one zone: the receiver passes nothing on. From another zone the receiver
    /// passes it on to its own.
    package var isSameZone: Bool
    /// The keys of the renewals: one array instead of an allocation each.
    package var bytes: [UInt8] = []
    package var renewals: [Renewed] = []
    package var records: [Record] = []

    package init(isSameZone: Bool) { self.isSameZone = isSameZone }

    package func key(of renewal: Renewed) -> InstanceKey {
        InstanceKey(packed: Array(bytes[renewal.key.range]))
    }
}

/// The sum of what a node holds: equal for equal registries, whatever the way they came about.
package struct Fingerprint: Equatable, Sendable {
    /// Digest of the instances: keys, versions, contents, statuses.
    package var instances: UInt64
    /// Digest of the applications' `latest_timestamp`.
    package var apps: UInt64
    /// The shape of the digest trees. Nodes of other shapes cannot compare.
    package var rows: UInt16
    package var leavesPerRow: UInt16

    package init(instances: UInt64, apps: UInt64, rows: UInt16, leavesPerRow: UInt16) {
        self.instances = instances
        self.apps = apps
        self.rows = rows
        self.leavesPerRow = leavesPerRow
    }
}

/// One page of `Exchange.pull`.
package struct Page: Equatable, Sendable {
    package var records: [Record]
    package var stamps: [AppStamp]
    /// The first leaf of the next page; nil at the end.
    package var next: UInt32?
    /// The node refuses reads because it does not know all instances yet itself.
    package var isProtected: Bool
    /// Of the asker: records left out because they break its rules. Not on the wire.
    package var skipped = 0

    package init(records: [Record], stamps: [AppStamp], next: UInt32?, isProtected: Bool) {
        self.records = records
        self.stamps = stamps
        self.next = next
        self.isProtected = isProtected
    }
}

/// What a node holds in some leaves of the digest, without contents.
package struct Entries: Equatable, Sendable {
    package struct Entry: Equatable, Sendable {
        package var key: InstanceKey
        package var version: Int64
        /// Tells contents of the same version apart.
        package var digest: UInt64

        package init(key: InstanceKey, version: Int64, digest: UInt64) {
            self.key = key
            self.version = version
            self.digest = digest
        }
    }

    package var instanceLeaves: [UInt32]
    package var appLeaves: [UInt32]
    /// All instances in `instanceLeaves`.
    package var instances: [Entry]
    /// All applications in `appLeaves`.
    package var apps: [AppStamp]

    package init(
        instanceLeaves: [UInt32], appLeaves: [UInt32], instances: [Entry], apps: [AppStamp]
    ) {
        self.instanceLeaves = instanceLeaves
        self.appLeaves = appLeaves
        self.instances = instances
        self.apps = apps
    }
}

/// How what the asked node holds differs from the `Entries` it was asked with.
package struct Differences: Equatable, Sendable {
    /// What the asker holds newer: it is to send these.
    package var wanted: [InstanceKey]
    /// What the asker lacks, or holds older.
    package var records: [Record]
    /// Timestamps of applications that are higher here.
    package var stamps: [AppStamp]
    /// Not all of it did fit: the asker takes this in and asks for the same leaves again.
    package var isPartial: Bool
    /// Of the asker: records left out because they break its rules. Not on the wire.
    package var skipped = 0

    package init(
        wanted: [InstanceKey], records: [Record], stamps: [AppStamp], isPartial: Bool
    ) {
        self.wanted = wanted
        self.records = records
        self.stamps = stamps
        self.isPartial = isPartial
    }
}
