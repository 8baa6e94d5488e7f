/// Who this program is, and where the registry is.
public struct ClientConfiguration: Sendable {
    /// Addresses of nodes of the registry, `host:port`. One that lives is enough: the others are
    /// learned from it.
    public var nodes: [String]
    /// The deployment environment: `dev`, `uat`, `prod`. Programs of different ones never meet.
    public var env: String
    /// The machine room this program is in: instances of the same one are used first.
    public var zone: String
    /// Carried along; may be empty.
    public var region = ""
    /// What this program's instances are called; unique among the instances of an app in a zone.
    public var hostname: String

    /// Between two renewals. The registry's lease is three times as long.
    public var renewInterval = Duration.seconds(30)
    /// How long a poll may take; the registry holds it for a little less. At most 40 s.
    public var pollTimeout = Duration.seconds(40)
    /// How long everything else may take at one node before the next one is asked.
    public var requestTimeout = Duration.seconds(3)
    /// After about this long another node is polled, so that one that was restarted gets its part
    /// of the clients again.
    public var switchInterval = Duration.seconds(30 * 60)
    /// Bytes that an answer of the registry may have.
    public var answerBytesMax = 256 << 20

    public init(nodes: [String], env: String, zone: String, hostname: String) {
        self.nodes = nodes
        self.env = env
        self.zone = zone
        self.hostname = hostname
    }

    /// From the variables that the clients of the reference read: `DISCOVERY_NODES` (comma-joined),
    /// `DEPLOY_ENV`, `ZONE`, `REGION` and `HOSTNAME`. Throws `DiscoveryError.misconfigured` if one
    /// is missing; `REGION` may be.
    public init(environment: [String: String]) throws {
        func required(_ name: String) throws -> String {
            guard let value = environment[name], !value.isEmpty else {
                throw DiscoveryError.misconfigured("\(name) is not set")
            }
            return value
        }
        let nodes = try required("DISCOVERY_NODES").split(separator: ",").map(String.init)
        self.init(
            nodes: nodes, env: try required("DEPLOY_ENV"), zone: try required("ZONE"),
            hostname: try required("HOSTNAME"))
        region = environment["REGION"] ?? ""
    }
}

/// What the registry, or the way to it, did not do.
public enum DiscoveryError: Error, Equatable, CustomStringConvertible {
    /// The program gave something that cannot be right.
    case misconfigured(String)
    /// The registry said no: its code, and what it said about it.
    case refused(code: Int, message: String)
    /// No node answered; by address what happened there.
    case unreachable([String: String])
    /// This program has no such registration.
    case notRegistered(appID: String)

    public var description: String {
        switch self {
        case .misconfigured(let what): return what
        case .refused(let code, let message):
            return "the registry answered \(code)\(message.isEmpty ? "" : ": \(message)")"
        case .unreachable(let reasons):
            let nodes = reasons.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }
            return "no node of the registry answered (\(nodes.joined(separator: "; ")))"
        case .notRegistered(let appID): return "\(appID) is not registered by this program"
        }
    }
}
