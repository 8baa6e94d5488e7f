/// What a node counts about itself. Only ever grows.
package struct NodeStatistics: Equatable, Sendable {
    package var registrations = 0
    package var renewals = 0
    package var cancels = 0
    package var sets = 0
    package var evictions = 0
    /// Polls answered because something changed, after having waited.
    package var wokenByChange = 0
    /// Polls answered at their deadline.
    package var wokenByTimeout = 0
    /// Polls whose client hung up.
    package var wokenByHangUp = 0
    /// Polls answered because the node is about to stop.
    package var wokenByDrain = 0
    /// Polls answered at once.
    package var answeredAtOnce = 0
    package var refusedByLimit = 0
    /// Versions of other nodes too far ahead of this node's clock.
    package var refusedVersions = 0
    /// Writes answered before every healthy node of the zone had acknowledged them.
    package var acknowledgementsMissed = 0
    /// Instances of which another node held a newer version than what it was told.
    package var conflicts = 0
    /// Writes and renewals that nodes of our own kind brought.
    package var recordsReceived = 0
    package var renewalsReceived = 0
    /// Timestamps of applications taken over from other nodes.
    package var alignments = 0
}

/// Tells of a reached limit at most once a minute each, so that a flood of requests is no flood of
/// log lines.
struct LimitNotes {
    private var told: [String: Int64] = [:]

    mutating func isNews(_ limit: String, at now: Int64) -> Bool {
        if let last = told[limit], now - last < Duration.minute { return false }
        told[limit] = now
        return true
    }
}
