/// Which of two shapes an answer has where clients disagree.
struct CompatibilitySettings: Sendable, Equatable {
    /// The shape of `instances` in `fetchs`. A map of zones is the reference's; stock brpc reads
    /// only an array, and a client of the one kind breaks on the other.
    var instancesShape = InstancesShape.map

    enum InstancesShape: String, Sendable, CaseIterable {
        case map, array
    }

    init() {}

    init(reading reader: inout SettingReader) {
        instancesShape = reader.choice("compat.instances_shape", default: instancesShape)
    }
}

/// How this node calls others. The reference's `[httpClient]` table.
struct PeerClientSettings: Sendable, Equatable {
    /// Milliseconds to connect: nodes are close, a slow one is a dead one.
    var dialMilliseconds = 1000
    /// Milliseconds an unused connection is kept: several renewals.
    var keepAliveMilliseconds = 120_000
    /// Milliseconds to wait for an answer; a first pull of everything takes seconds.
    var requestMilliseconds = 40_000

    static let dialMillisecondsRange = 10...60_000
    static let keepAliveMillisecondsRange = 0...3_600_000
    static let requestMillisecondsRange = 10...3_600_000

    init() {}

    init(reading reader: inout SettingReader) {
        dialMilliseconds = reader.milliseconds(
            "httpClient.dial", default: dialMilliseconds, in: Self.dialMillisecondsRange)
        keepAliveMilliseconds = reader.milliseconds(
            "httpClient.keepAlive", default: keepAliveMilliseconds,
            in: Self.keepAliveMillisecondsRange)
        requestMilliseconds = reader.milliseconds(
            "httpClient.timeout", default: requestMilliseconds, in: Self.requestMillisecondsRange)
        for key in ["breaker", "host", "url", "app", "key", "secret"] {
            reader.ignore("httpClient.\(key)")
        }
    }
}

/// What is logged, and how it looks.
struct LogSettings: Sendable, Equatable {
    /// The least severe level that is written.
    var level = Level.info
    /// Text for people, JSON for collectors.
    var format = Format.text

    enum Level: String, Sendable, CaseIterable {
        case trace, debug, info, notice, warning, error, critical
    }

    enum Format: String, Sendable, CaseIterable {
        case text, json
    }

    init() {}

    init(reading reader: inout SettingReader) {
        level = reader.choice("log.level", default: level)
        format = reader.choice("log.format", default: format)
        // The reference's logger: where its files go. Ours writes to stderr and nowhere else.
        let theirs = [
            "family", "host", "stdout", "dir", "fileBufferSize", "maxLogFile", "rotateSize", "v",
            "module", "filter", "agent", "noagent",
        ]
        for key in theirs { reader.ignore("log.\(key)") }
    }
}
