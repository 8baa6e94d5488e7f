/// Whether an instance takes traffic.
public enum InstanceStatus: Int, Sendable, Codable {
    /// Consumers see it.
    case up = 1
    /// Registered, but not shown to consumers: warming up, or drained.
    case waiting = 2
}

/// One registered instance of an app.
public struct Instance: Sendable, Hashable {
    public let appID: String
    public let env: String
    public let zone: String
    public let hostname: String
    public let region: String
    public let version: String
    /// With their scheme: `http://10.0.0.1:8080`.
    public let addresses: [String]
    public let metadata: [String: String]
    public let status: InstanceStatus
    /// The registry's `latest_timestamp` of the instance: wall nanoseconds of its last change.
    public let latestTimestamp: Int64
}

/// What this program registers: an app, with the addresses it is reached at.
public struct Registration: Sendable {
    public var appID: String
    /// With their scheme: `http://10.0.0.1:8080`. At least one.
    public var addresses: [String]
    public var version = ""
    /// `weight`, `cluster` and `color` mean something to those who pick; see `Picker`.
    public var metadata: [String: String] = [:]
    public var status = InstanceStatus.up

    public init(
        appID: String, addresses: [String], version: String = "",
        metadata: [String: String] = [:], status: InstanceStatus = .up
    ) {
        self.appID = appID
        self.addresses = addresses
        self.version = version
        self.metadata = metadata
        self.status = status
    }
}
