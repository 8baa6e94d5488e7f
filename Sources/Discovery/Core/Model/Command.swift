/// Names one request that waits for its answer. Core never looks inside.
package struct RequestID: Hashable, Sendable {
    package let rawValue: UInt64

    package init(_ rawValue: UInt64) { self.rawValue = rawValue }
}

/// Where a write comes from, which decides whether it is a source write and who hears of it.
package enum Origin: Sendable {
    /// A client: takes effect in any case.
    case client
    /// A node of this zone (`replication=true`).
    case peer
    /// A node of another zone (`from_zone=true`, `replication=false`).
    case zone

    package var isClient: Bool { self == .client }
}

/// What enters a node, in order, with the bytes it refers to.
///
/// The keys of renewals, fetches and polls lie in one shared array instead of an allocation each.
/// The batch is filled during a loop turn and used again in the next.
package struct Batch: Sendable {
    /// Packed keys and zone names, addressed by the `ByteRange`s of the inputs.
    package var bytes: [UInt8] = []
    /// What polls wait for, addressed by `Poll.first` and `Poll.count`.
    package var pollTargets: [PollTarget] = []
    package var inputs: [Input] = []

    package init() {}

    package mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        pollTargets.removeAll(keepingCapacity: true)
        inputs.removeAll(keepingCapacity: true)
    }
}

package enum Input: Sendable {
    case registered(RequestID, Registration)
    case renewed(RequestID, Renewal)
    case cancelled(RequestID, Cancellation)
    case set(RequestID, Setting)
    case fetched(RequestID, Fetch)
    case fetchedMany(RequestID, FetchMany)
    case fetchedAll(RequestID)
    case polled(RequestID, Poll)
    case balanced(RequestID, Balance)
    case askedForNodes(RequestID)
    /// The client of a waiting poll hung up: its answer is not wanted any more.
    case clientLeft(RequestID)
    /// `nextDeadline` has come.
    case ticked
    /// A node of our own kind asks for, or brings, something.
    case exchanged(RequestID, Exchange)
    /// What came of an `Effect.call`.
    case peerReplied(UInt64, PeerReply)
    /// The node at this host:port has closed a connection to it; it may be gone.
    case peerHungUp(String)
    /// The operator's schedules have changed. Before `started`: those the node starts with.
    case scheduled([Scheduled])
    /// The node begins: it fetches from the others what they hold; `Effect.joined` is its end.
    case started
    /// The node listens, and is reached at this host:port: it announces itself to the others.
    case announced(address: String)
    /// The node is about to stop: it leaves the cluster, and polls are answered instead of held.
    case drained
}

package struct Registration: Sendable {
    package var key: InstanceKey
    package var content: InstanceContent
    package var status: InstanceStatus
    package var origin: Origin
    /// The version a relaying node gives it; 0 if it gives none. Not looked at from clients.
    package var dirty: Int64

    package init(
        key: InstanceKey, content: InstanceContent, status: InstanceStatus,
        origin: Origin = .client,
        dirty: Int64 = 0
    ) {
        self.key = key
        self.content = content
        self.status = status
        self.origin = origin
        self.dirty = dirty
    }
}

package struct Renewal: Sendable {
    /// A packed instance key in `Batch.bytes`.
    package var key: ByteRange
    package var origin: Origin
    /// The version the relaying node holds. Not looked at from clients.
    package var dirty: Int64

    package init(key: ByteRange, origin: Origin = .client, dirty: Int64 = 0) {
        self.key = key
        self.origin = origin
        self.dirty = dirty
    }
}

package struct Cancellation: Sendable {
    /// A packed instance key in `Batch.bytes`.
    package var key: ByteRange
    package var origin: Origin
    /// The version of the cancel, 0 if the relaying node gives none: then it applies at once.
    package var dirty: Int64

    package init(key: ByteRange, origin: Origin = .client, dirty: Int64 = 0) {
        self.key = key
        self.origin = origin
        self.dirty = dirty
    }
}

/// A `set`: new status, new metadata, or both, for hosts of one application in one zone.
package struct Setting: Sendable {
    package enum Metadata: Equatable, Sendable {
        case unchanged
        /// Laid over what is there.
        case merged([InstanceContent.Entry])
        /// `null`: all of it goes.
        case cleared
    }

    package struct Change: Equatable, Sendable {
        package var key: InstanceKey
        package var status: InstanceStatus?
        package var metadata: Metadata

        package init(
            key: InstanceKey, status: InstanceStatus? = nil, metadata: Metadata = .unchanged
        ) {
            self.key = key
            self.status = status
            self.metadata = metadata
        }
    }

    package var changes: [Change]
    package var origin: Origin
    /// The version a relaying node gives the change (`set_timestamp`); 0 if none.
    package var dirty: Int64

    package init(changes: [Change], origin: Origin = .client, dirty: Int64 = 0) {
        self.changes = changes
        self.origin = origin
        self.dirty = dirty
    }
}

/// Which part of an application is asked for. `zone` empty: all of them.
package struct Fetch: Sendable {
    /// A packed application key in `Batch.bytes`.
    package var app: ByteRange
    /// A zone name in `Batch.bytes`.
    package var zone: ByteRange
    /// Bits of `InstanceStatus.mask`; at least one.
    package var statuses: UInt8

    package init(app: ByteRange, zone: ByteRange, statuses: UInt8) {
        self.app = app
        self.zone = zone
        self.statuses = statuses
    }
}

/// Which instances of an application a caller in a zone is to use.
package struct Balance: Sendable {
    /// A packed application key in `Batch.bytes`.
    package var app: ByteRange
    /// A zone name in `Batch.bytes`.
    package var zone: ByteRange

    package init(app: ByteRange, zone: ByteRange) {
        self.app = app
        self.zone = zone
    }
}

/// A new schedule of one application; nil: none any more.
package struct Scheduled: Sendable {
    package var app: AppKey
    package var schedule: ZoneSchedule?

    package init(app: AppKey, schedule: ZoneSchedule?) {
        self.app = app
        self.schedule = schedule
    }
}

package struct FetchMany: Sendable {
    /// The applications in `Batch.pollTargets`, whose `latest` is not looked at.
    package var first: Int
    package var count: Int
    package var zone: ByteRange
    package var statuses: UInt8

    package init(first: Int, count: Int, zone: ByteRange, statuses: UInt8) {
        self.first = first
        self.count = count
        self.zone = zone
        self.statuses = statuses
    }
}

package struct PollTarget: Sendable {
    /// A packed application key in `Batch.bytes`.
    package var app: ByteRange
    /// The `latest_timestamp` the client has, 0 if it has nothing.
    package var latest: Int64

    package init(app: ByteRange, latest: Int64) {
        self.app = app
        self.latest = latest
    }
}

package struct Poll: Sendable {
    /// The applications in `Batch.pollTargets`.
    package var first: Int
    package var count: Int
    package var zone: ByteRange
    /// How long it may be held, nanoseconds.
    package var hold: Int64
    /// `poll` instead of `polls`: one application, in the answer's own shape.
    package var isSingle: Bool
    /// The client replaces all it knows by what it gets (lists sent as one comma-joined value), so
    /// an answer has to hold every application that there is, changed or not.
    package var wantsAll: Bool

    package init(
        first: Int, count: Int, zone: ByteRange, hold: Int64, isSingle: Bool = false,
        wantsAll: Bool = false
    ) {
        self.first = first
        self.count = count
        self.zone = zone
        self.hold = hold
        self.isSingle = isSingle
        self.wantsAll = wantsAll
    }
}
