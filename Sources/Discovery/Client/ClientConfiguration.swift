internal import DiscoveryWire

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

    /// Between two renewals. The registry's lease is 90 s unless its operator has changed it.
    public var renewInterval = Duration.seconds(30)
    /// How long a poll may take; the registry is told to hold it for a little less, and holds it
    /// for 30 s at most unless its operator has changed that.
    public var pollTimeout = Duration.seconds(40)
    /// How long everything else may take at one node before the next one is asked.
    public var requestTimeout = Duration.seconds(3)
    /// After about this long another node of the own zone is polled, if there is one, so that one
    /// that was restarted gets its part of the clients again.
    public var switchInterval = Duration.seconds(30 * 60)
    /// How long the service goes on after it has cancelled what was registered: consumers hear of
    /// it before this program stops to serve them.
    public var drainTime = Duration.seconds(1)
    /// How long the cancels at the end may take together. An app that something is being written of
    /// at that moment is cancelled when that has ended, which takes `requestTimeout` at most.
    public var leaveTimeout = Duration.seconds(5)
    /// How long an app is followed that nobody holds on to: no sequence, no picker, no question.
    public var forgetAfter = Duration.seconds(600)
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
        let nodes = try required("DISCOVERY_NODES").split(separator: ",").map {
            String($0.filter { !$0.isWhitespace })
        }
        self.init(
            nodes: nodes, env: try required("DEPLOY_ENV"), zone: try required("ZONE"),
            hostname: try required("HOSTNAME"))
        region = environment["REGION"] ?? ""
    }

    /// A name or an address of IPv4 and a port, or an address of IPv6 in brackets and a port.
    private static func isAddress(_ node: String) -> Bool {
        guard let colon = node.lastIndex(of: ":"),
            let port = UInt16(node[node.index(after: colon)...]), port > 0,
            node[node.index(after: colon)...].utf8.allSatisfy({ (0x30...0x39).contains($0) })
        else { return false }
        let host = node[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            return host.count > 4
                && host.dropFirst().dropLast().allSatisfy { $0.isHexDigit || ":.".contains($0) }
        }
        return !host.isEmpty && host.utf8.allSatisfy(HostName.isNameByte)
    }

    /// Throws `DiscoveryError.misconfigured` with what is wrong.
    func check() throws {
        guard !nodes.isEmpty else {
            throw DiscoveryError.misconfigured("no node of the registry is configured")
        }
        for node in nodes {
            guard ClientConfiguration.isAddress(node) else {
                throw DiscoveryError.misconfigured(
                    "a node is an address like 10.0.0.1:7171, not \"\(node)\"")
            }
        }
        let longest = Duration.seconds(86_400)
        for (name, time, least) in [
            ("renewInterval", renewInterval, Duration.milliseconds(1)),
            ("pollTimeout", pollTimeout, .milliseconds(1)),
            ("requestTimeout", requestTimeout, .milliseconds(1)),
            ("switchInterval", switchInterval, .milliseconds(1)),
            ("drainTime", drainTime, .zero), ("leaveTimeout", leaveTimeout, .zero),
            ("forgetAfter", forgetAfter, .zero),
        ] where time < least || time > longest {
            throw DiscoveryError.misconfigured(
                "\(name) is \(time), from \(least) to \(longest) is allowed")
        }
        for (name, text) in [("env", env), ("zone", zone), ("hostname", hostname)]
        where text.isEmpty {
            throw DiscoveryError.misconfigured("\(name) is empty")
        }
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
    /// The client has ended, or is about to.
    case ended
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
        case .ended: return "the client has ended"
        case .notRegistered(let appID): return "\(appID) is not registered by this program"
        }
    }
}
