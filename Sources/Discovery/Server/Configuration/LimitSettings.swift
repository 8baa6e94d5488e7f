import DiscoveryCore

/// What one connection, and all of them together, may take.
struct LimitSettings: Sendable, Equatable {
    /// Connections open at once. The default is what the process may have open, less a reserve;
    /// beyond it accepting pauses.
    var connectionsMax = 0
    /// Bytes of a request line with its headers: polls of 200 apps fit.
    var headBytesMax = 16_384
    /// Bytes of a request body: a register with the largest metadata fits, percent-encoded.
    var bodyBytesMax = 262_144
    /// Seconds from the first byte of a request to its last header: slow senders are cut off.
    var headSeconds = 10
    /// Seconds a connection may be silent between requests. Clients keep theirs open for 30 s
    /// renewals, so two renewals and some.
    var idleSeconds = 75
    /// Milliseconds a request may take, a held poll included. The reference's `[httpServer]
    /// timeout`; its clients give up after 40 s.
    var requestMilliseconds = 40_000

    static let headBytesMaxRange = 1024...1_048_576
    static let bodyBytesMaxRange = 1024...16_777_216
    /// The largest instance behind a batch that is almost full.
    static let clusterBodyBytesMin = 262_144
    static let headSecondsRange = 1...600
    static let idleSecondsRange = 1...3600
    static let requestMillisecondsRange = 1000...3_600_000
    /// Files kept for listeners, timers and the log.
    static let filesReserved = 64
    /// Files kept for each configured node: without them a node full of clients could reach nobody
    /// and would take all others for lost. Its connections: besides the writes to a node of the
    /// reference a probe, and a set of what it may hold.
    static let filesReservedPerNode = ClusterSettings().relaysMax + 2
    /// A process that may open hardly any files still starts.
    static let connectionsMin = 16

    init() {}

    init(reading reader: inout SettingReader, machine: Machine, nodes: Int) {
        requestMilliseconds = reader.milliseconds(
            "httpServer.timeout", default: requestMilliseconds, in: Self.requestMillisecondsRange)
        for key in ["network", "readTimeout", "writeTimeout"] {
            reader.ignore("httpServer.\(key)")
        }
        let reserved = Self.filesReserved + nodes * Self.filesReservedPerNode
        let fitting = max(machine.filesMax - reserved, Self.connectionsMin)
        connectionsMax = reader.integer(
            "limits.connections_max", default: fitting, in: 1...fitting,
            because: "the process may open \(machine.filesMax) files, ulimit -n, of which "
                + "\(reserved) are kept for other things")
        headBytesMax = reader.integer(
            "limits.head_bytes_max", default: headBytesMax, in: Self.headBytesMaxRange)
        bodyBytesMax = reader.integer(
            "limits.body_bytes_max", default: bodyBytesMax, in: Self.bodyBytesMaxRange)
        headSeconds = reader.integer(
            "limits.head_seconds", default: headSeconds, in: Self.headSecondsRange)
        idleSeconds = reader.integer(
            "limits.idle_seconds", default: idleSeconds, in: Self.idleSecondsRange)
    }
}

/// How polls wait.
struct PollSettings: Sendable, Equatable {
    /// Seconds a poll is held when nothing changes. Clients give up after 40 s and start anew
    /// after 30 s; never longer than `LimitSettings.requestMilliseconds`.
    var holdSeconds = 30
    /// Milliseconds for which changes of one app are gathered before its waiters are told again.
    /// The first change of a quiet app is told at once.
    var coalesceMilliseconds = 5
    /// Polls held at once: about 3.5 KB each. Each is a connection, so never more than
    /// `LimitSettings.connectionsMax`.
    var waitersMax = 200_000
    /// Apps in one poll: a request head of 16 KiB holds about as many.
    var appsPerPollMax = 200

    /// The reference's Go client gives up after 40 s: 38 s leaves room for the network.
    static let holdSecondsRange = 1...38
    static let coalesceMillisecondsRange = 0...1000
    static let waitersMaxRange = 1...10_000_000
    static let appsPerPollMaxRange = 1...1000

    init() {}

    init(reading reader: inout SettingReader, limits: LimitSettings) {
        holdSeconds = reader.integer(
            "polls.hold_seconds", default: holdSeconds, in: Self.holdSecondsRange)
        holdSeconds = min(holdSeconds, limits.requestMilliseconds / 1000)
        reader.note("polls.hold_seconds", "\(holdSeconds)")
        coalesceMilliseconds = reader.integer(
            "polls.coalesce_milliseconds", default: coalesceMilliseconds,
            in: Self.coalesceMillisecondsRange)
        waitersMax = reader.integer(
            "polls.waiters_max", default: waitersMax, in: Self.waitersMaxRange)
        waitersMax = min(waitersMax, limits.connectionsMax)
        reader.note("polls.waiters_max", "\(waitersMax)")
        appsPerPollMax = reader.integer(
            "polls.apps_per_poll_max", default: appsPerPollMax, in: Self.appsPerPollMaxRange)
    }
}
