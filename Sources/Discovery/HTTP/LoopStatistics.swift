/// What one loop has done since it started, and how it stands. A plain copy: reading it is free.
package struct LoopStatistics: Sendable, Equatable {
    package var connectionsOpen = 0
    package var connectionsAccepted = 0
    package var connectionsClosed = 0
    /// Accepting paused because `connectionsMax` was reached.
    package var pausesAtConnectionsMax = 0
    /// Accepting paused because the process or the system ran out of file descriptors or memory.
    package var pausesWithoutDescriptors = 0
    /// Attempts to open a listener that failed; see `LoopHandle.openListeners`.
    package var listenersNotOpened = 0

    package var requestsReceived = 0
    /// Replies by hundreds of the status: index 2 counts 200...299. Indexes 0 and 1 stay 0.
    package var repliesByClass: InlineCounts<6> = InlineCounts()
    /// Refused messages by `Violation.rawValue`.
    package var rejections: InlineCounts<32> = InlineCounts()
    /// Replies to tickets that were answered before or whose client had gone.
    package var staleReplies = 0
    /// Replies the socket did not take at once; libevent writes the rest.
    package var slowReplies = 0

    /// Requests held beyond their turn, now.
    package var parked = 0
    package var parkedTotal = 0
    /// Requests answered 503 because `parkedMax` was reached.
    package var parkedOverMax = 0
    /// Unanswered requests whose client hung up.
    package var hangUps = 0
    /// Requests that were still unanswered at `stop` and got 503.
    package var unansweredAtStop = 0

    /// Made with `EventLoop.call`.
    package var calls = 0
    package var callsFailed = 0
    /// Calls sent a second time, because their connection had been closed.
    package var callRetries = 0
    /// Connections to other hosts, those still being opened included, now.
    package var callConnections = 0
    /// Requests and replies without what libevent still holds.
    package var callBytesSent = 0
    package var callBytesReceived = 0

    package var turns = 0
    /// The longest turn, from its first callback to its end.
    package var turnNanosecondsMax: UInt64 = 0

    package init() {}

    package func rejections(_ violation: Violation) -> Int {
        rejections[Int(violation.rawValue)]
    }
}

/// A fixed row of counters inside its owner: copying allocates nothing. What is out of range is not
/// counted.
package struct InlineCounts<let count: Int>: Sendable, Equatable {
    private var counts: InlineArray<count, Int> = InlineArray(repeating: 0)

    package init() {}

    package subscript(_ index: Int) -> Int {
        index >= 0 && index < count ? counts[index] : 0
    }

    package mutating func increment(_ index: Int) {
        if index >= 0, index < count { counts[index] &+= 1 }
    }

    package static func == (left: Self, right: Self) -> Bool {
        for index in 0..<count where left.counts[index] != right.counts[index] { return false }
        return true
    }
}
