/// What a node is told at its start. Durations are nanoseconds.
package struct NodeSettings: Sendable {
    package var region = "sh"
    package var zone = "sh001"
    package var env = "dev"
    package var hostname = "localhost"

    /// A lease without renewals. Three renewals of the clients in the field, which come every 30 s.
    package var lease = 90 * Duration.second
    /// An instance silent for this long is overdue: two renewals were missed, so it is no jitter.
    package var overdueAfter = 60 * Duration.second
    /// Even under protection nothing stays longer than this without a renewal.
    package var protectionCeiling = Duration.hour
    /// Share of the instances that may be overdue before evictions stop, percent.
    package var overduePercentMax = 15
    /// Share of the instances that may be evicted within a minute, percent. One always may.
    package var evictionPercentMax = 15
    /// Instances that may be evicted in one step; the rest follow in the next one, so that renewals
    /// get in between.
    package var evictionsPerStepMax = 512
    /// How long reads are refused after a start; 0: not at all.
    package var startupProtection: Int64 = 0

    package var tombstoneAge = 2 * Duration.hour
    package var tombstonesMax = 100_000
    package var instancesMax = 4_000_000
    /// Applications with instances; and as many without, which polls wait for.
    package var appsMax = 1_000_000
    /// Bytes of the keys and values that `set` may gather in the metadata of one instance. What
    /// register brings is limited where it is read.
    package var metadataBytesMax = 60_000
    /// Entries of one instance's metadata. A `set` takes apart and sorts those of up to a thousand
    /// instances.
    package static let metadataEntriesMax = 512

    package var pollHold = 30 * Duration.second
    /// After a wake-up of an application the next one waits this long, so that bursts become one.
    package var wakeInterval = 5 * Duration.millisecond
    package var waitersMax = 200_000
    /// Applications that all waiting polls together may wait for: 56 bytes each.
    package var subscriptionsMax = 4_000_000
    /// Polls that may be answered in one step because of changes, and as many because their time
    /// has come; the rest follow in the next one, so that renewals get in between.
    package var wakesPerStepMax = 512
    /// Instances that one answer about several applications may hold, some 40 MB: it is put
    /// together on the node's queue. One application alone may be larger, and so is `fetch/all`.
    package var answerInstancesMax = 100_000
    /// How old the renewal times in a fetch may be.
    package var fetchAge = Duration.second
    /// Versions of other nodes further ahead than this are refused: they would win for ever.
    package var skewMax = Duration.day

    package var cluster = ClusterSettings()

    package init() {}
}
