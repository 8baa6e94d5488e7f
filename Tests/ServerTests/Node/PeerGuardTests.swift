import DiscoveryCore
import Testing

@testable import Discovery

@Suite struct `Guarding what only nodes may send` {
    private func guarding(token: String = "", allow: [String] = []) throws -> PeerGuard {
        PeerGuard(token: token, allow: try allow.map { try #require(AddressRange($0)) })
    }

    private func admits(_ peers: PeerGuard, _ remote: String, _ token: String? = nil) -> Bool {
        guard let token else { return peers.admits(remote: remote, token: nil) }
        return peers.admits(remote: remote, token: token.utf8.span)
    }

    @Test func `without token and addresses everybody is admitted`() throws {
        let peers = try guarding()
        #expect(peers.isOpen)
        #expect(admits(peers, "192.0.2.1"))
        #expect(admits(peers, "", "anything"))
    }

    @Test func `the right token admits from everywhere, a wrong one from nowhere`() throws {
        let peers = try guarding(token: "0123456789abcdef")
        #expect(!peers.isOpen)
        #expect(admits(peers, "192.0.2.1", "0123456789abcdef"))
        #expect(admits(peers, "", "0123456789abcdef"))
        for wrong in [
            nil, "", "0", "0123456789abcde", "0123456789abcdeF", "1123456789abcdef",
            "0123456789abcdef0", " 0123456789abcdef",
        ] {
            #expect(!admits(peers, "127.0.0.1", wrong))
        }
    }

    @Test(arguments: [
        ("10.0.0.1", true), ("10.0.0.2", false), ("::ffff:10.0.0.1", true),
        ("10.1.0.0", true), ("10.1.255.255", true), ("10.2.0.0", false), ("10.0.255.255", false),
        ("::ffff:10.1.2.3", true), ("::ffff:10.2.2.3", false), ("::10.1.2.3", false),
        ("2001:db8::", true), ("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", true),
        ("2001:db9::", false), ("fe80::1%eth0", true), ("fe80::2%eth0", false),
        ("", false), ("localhost", false), ("10.0.0.1:80", false),
    ])
    func `an address in the list is admitted`(_ row: (remote: String, isAdmitted: Bool)) throws {
        let allow = ["10.0.0.1", "10.1.0.0/16", "2001:db8::/32", "fe80::1"]
        let closed = try guarding(allow: allow)
        #expect(!closed.isOpen)
        #expect(admits(closed, row.remote) == row.isAdmitted)
        #expect(admits(closed, row.remote, "") == row.isAdmitted)
        let both = try guarding(token: "secret", allow: allow)
        #expect(admits(both, row.remote, "wrong!") == row.isAdmitted)
        #expect(admits(both, row.remote, "secret"))
    }

    // MARK: What it concerns

    private static let nodes = "infra.discovery"

    private func key(_ appid: String, env: String = "dev") throws -> InstanceKey {
        try #require(
            InstanceKey(
                env: Array(env.utf8), appid: Array(appid.utf8), zone: Array("sh001".utf8),
                hostname: Array("node1".utf8)))
    }

    private func register(_ appid: String, _ origin: Origin) throws -> Input {
        let content = try #require(
            InstanceContent(region: [], version: [], addrs: [], metadata: []))
        return .registered(
            RequestID(1),
            Registration(key: try key(appid), content: content, status: .up, origin: origin))
    }

    /// All that a request about one instance can become, after another request's bytes.
    private func inputs(
        _ appid: String, _ origin: Origin, env: String = "dev"
    ) throws -> (batch: Batch, register: Input, renew: Input, cancel: Input, set: Input) {
        var batch = Batch()
        batch.bytes = try key(Self.nodes).packed
        let key = try key(appid, env: env)
        let range = ByteRange(start: batch.bytes.count, count: key.packed.count)
        batch.bytes += key.packed
        let other = Setting.Change(key: try self.key("demo.app"), status: .up)
        return (
            batch, try register(appid, origin),
            .renewed(RequestID(1), Renewal(key: range, origin: origin)),
            .cancelled(RequestID(1), Cancellation(key: range, origin: origin)),
            .set(
                RequestID(1),
                Setting(changes: [other, Setting.Change(key: key, status: .up)], origin: origin))
        )
    }

    @Test(arguments: ["demo.app", "infra.discover", "infra.discovery2", "Infra.discovery", ""])
    func `a client's own instances are nobody else's concern`(_ appid: String) throws {
        let own = try inputs(appid, .client)
        for input in [own.register, own.renew, own.cancel, own.set] {
            #expect(!PeerGuard.concerns(input, in: own.batch))
        }
    }

    @Test(arguments: [Origin.peer, .zone])
    func `what comes as from a node concerns it`(_ origin: Origin) throws {
        let relayed = try inputs("demo.app", origin)
        for input in [relayed.register, relayed.renew, relayed.cancel, relayed.set] {
            #expect(PeerGuard.concerns(input, in: relayed.batch))
        }
    }

    @Test(arguments: ["dev", "prod", ""])
    func `who is a node concerns it in every env, but for renewals`(_ env: String) throws {
        let node = try inputs(Self.nodes, .client, env: env)
        for input in [node.register, node.cancel, node.set] {
            #expect(PeerGuard.concerns(input, in: node.batch))
        }
        #expect(!PeerGuard.concerns(node.renew, in: node.batch))
    }

    @Test func `exchanges concern it, reads do not`() {
        let batch = Batch()
        #expect(PeerGuard.concerns(.exchanged(RequestID(1), .pull(leaf: 0)), in: batch))
        for input: Input in [
            .fetched(RequestID(1), Fetch(app: .empty, zone: .empty, statuses: 1)),
            .fetchedMany(RequestID(1), FetchMany(first: 0, count: 0, zone: .empty, statuses: 1)),
            .fetchedAll(RequestID(1)), .scheduled([]), .askedForNodes(RequestID(1)),
            .clientLeft(RequestID(1)),
            .polled(RequestID(1), Poll(first: 0, count: 0, zone: .empty, hold: 0)), .ticked,
        ] {
            #expect(!PeerGuard.concerns(input, in: batch))
        }
    }
}
