import Testing

@testable import DiscoveryCore
@testable import DiscoveryWire

/// What this node sends to others: the bytes that nodes of the reference were recorded to send each
/// other, and for each kind that our own reader takes it for what it was.
@Suite struct PeerRequestTests {
    private static let stamp: Int64 = 1_700_000_000_123_456_789

    private func relay(_ write: Relay.Write, isSameZone: Bool = true) throws -> Relay {
        let key = try #require(
            InstanceKey(
                env: bytes("dev"), appid: bytes("cap.a"), zone: bytes("sh001"),
                hostname: bytes("h1")))
        return Relay(
            key: key, region: bytes("sh"), version: Self.stamp, write: write,
            isSameZone: isSameZone)
    }

    private func registered(
        addrs: [String] = ["http://a:1", "grpc://b:2"],
        metadata: [(String, String)] = [("a", "b c"), ("w", "<10>")]
    ) throws -> Record.Registered {
        let content = try #require(
            InstanceContent(
                region: bytes("sh"), version: bytes("v1"), addrs: addrs.map { bytes($0) },
                metadata: metadata.map { entry($0.0, $0.1) }))
        return Record.Registered(
            content: content, status: .up, registered: 1, up: 2, silence: 3)
    }

    private func form(_ request: PeerRequest) -> String {
        let message = PeerRequestWriter.write(request)
        #expect(message.isPost && message.contentType == "application/x-www-form-urlencoded")
        return text(message.body)
    }

    // MARK: Golden bytes

    @Test func `probe and fetch all are GETs without a query`() {
        let probe = PeerRequestWriter.write(.probe)
        #expect(
            probe
                == PeerMessage(
                    isPost: false, target: "/discovery/nodes", contentType: nil, body: []))
        let all = PeerRequestWriter.write(.fetchAll)
        #expect(
            all
                == PeerMessage(
                    isPost: false, target: "/discovery/fetch/all", contentType: nil, body: []))
    }

    @Test func `an exchange is a POST of its bytes`() {
        let message = PeerRequestWriter.write(.exchange(.pull(leaf: 1)))
        #expect(
            message
                == PeerMessage(
                    isPost: true, target: "/discovery/exchange",
                    contentType: "application/octet-stream", body: [1, 2, 0, 0, 0, 1]))
    }

    /// As recorded but for the addresses, which the reference joins by a comma and then takes for
    /// one.
    @Test func `a register is sent as the reference sends it, with its addresses apart`() throws {
        let relay = try relay(.register(registered(), latest: 5))
        #expect(PeerRequestWriter.write(.relay(relay)).target == "/discovery/register")
        #expect(
            form(.relay(relay))
                == "addrs=http%3A%2F%2Fa%3A1&addrs=grpc%3A%2F%2Fb%3A2&appid=cap.a"
                + "&dirty_timestamp=1700000000123456789&env=dev&from_zone=true&hostname=h1"
                + "&latest_timestamp=5&metadata=%7B%22a%22%3A%22b+c%22%2C%22w%22%3A%22"
                + "%5Cu003c10%5Cu003e%22%7D&reg_timestamp=1&region=sh&replication=true&status=1"
                + "&version=v1&zone=sh001")
    }

    @Test func `metadata is an object even if there is none`() throws {
        let relay = try relay(.register(registered(metadata: []), latest: 5))
        #expect(form(.relay(relay)).contains("&metadata=%7B%7D&"))
    }

    @Test func `a renew is sent as the reference sends it`() throws {
        let relay = try relay(.renew)
        #expect(PeerRequestWriter.write(.relay(relay)).target == "/discovery/renew")
        #expect(
            form(.relay(relay))
                == "appid=cap.a&dirty_timestamp=1700000000123456789&env=dev&from_zone=true"
                + "&hostname=h1&region=sh&replication=true&zone=sh001")
    }

    /// `dirty_timestamp` is the addition.
    @Test func `a cancel is sent as the reference sends it, with its version`() throws {
        let relay = try relay(.cancel, isSameZone: false)
        #expect(PeerRequestWriter.write(.relay(relay)).target == "/discovery/cancel")
        #expect(
            form(.relay(relay))
                == "appid=cap.a&dirty_timestamp=1700000000123456789&env=dev&from_zone=true"
                + "&hostname=h1&latest_timestamp=1700000000123456789&region=sh"
                + "&replication=false&zone=sh001")
    }

    private func change(
        _ host: String, _ status: InstanceStatus?, _ metadata: Setting.Metadata = .unchanged
    ) throws -> Setting.Change {
        let key = InstanceKey(
            env: bytes("dev"), appid: bytes("cap.a"), zone: bytes("sh001"), hostname: bytes(host))
        return Setting.Change(key: try #require(key), status: status, metadata: metadata)
    }

    @Test func `a set repeats its lists`() throws {
        let changes = try [change("h1", .up), change("h2", .waiting)]
        let request = PeerRequest.set(changes, version: 7, isSameZone: true)
        #expect(PeerRequestWriter.write(request).target == "/discovery/set")
        #expect(
            form(request)
                == "appid=cap.a&env=dev&from_zone=true&hostname=h1&hostname=h2&replication=true"
                + "&set_timestamp=7&status=1&status=2&zone=sh001")
    }

    @Test func `a set has no statuses unless each host has one`() throws {
        let changes = try [change("h1", .up), change("h2", nil)]
        let sent = form(.set(changes, version: 7, isSameZone: false))
        #expect(!sent.contains("status") && sent.contains("replication=false"))
    }

    /// An empty value would be dropped by the reference, and its list then be too short.
    @Test func `metadata that stays holds its place as a merge of nothing`() throws {
        let changes = try [
            change("h1", nil, .merged([entry("a", "b")])), change("h2", nil),
            change("h3", nil, .cleared),
        ]
        #expect(
            form(.set(changes, version: 7, isSameZone: true)).contains(
                "&metadata=%7B%22a%22%3A%22b%22%7D&metadata=%7B%7D&metadata=null&"))
    }

    // MARK: Round trips

    private func reread(_ request: PeerRequest) throws -> Reading {
        let message = PeerRequestWriter.write(request)
        let found = Route.find(path: bytes(message.target).span)
        let route = try #require(found)
        #expect(route.isPost == message.isPost)
        var sent = Request(route)
        sent.body = message.body
        sent.type = message.contentType
        return try read(sent)
    }

    @Test func `random relays are read back as they were`() throws {
        FuzzTests.tellSeed()
        var values = RandomValues(seed: FuzzTests.seed)
        for _ in 0..<1_000 {
            let relay = values.relay()
            let origin: Origin = relay.isSameZone ? .peer : .zone
            let reading = try reread(.relay(relay))
            switch relay.write {
            case .register(let registered, _):
                let registration = try #require(reading.registration)
                #expect(registration.key == relay.key && registration.dirty == relay.version)
                #expect(registration.content == registered.content)
                #expect(registration.status == registered.status && registration.origin == origin)
            case .renew:
                let renewal = try #require(reading.renewal)
                #expect(Array(reading.batch.bytes[renewal.key.range]) == relay.key.packed)
                #expect(renewal.dirty == relay.version && renewal.origin == origin)
            case .cancel:
                let cancellation = try #require(reading.cancellation)
                #expect(Array(reading.batch.bytes[cancellation.key.range]) == relay.key.packed)
                #expect(cancellation.dirty == relay.version && cancellation.origin == origin)
            }
        }
    }

    @Test func `random sets are read back as they were`() throws {
        FuzzTests.tellSeed()
        var values = RandomValues(seed: FuzzTests.seed)
        for _ in 0..<1_000 {
            var changes = values.settings()
            let isSameZone = values.chance(50)
            let version = values.duration()
            let request = PeerRequest.set(changes, version: version, isSameZone: isSameZone)
            let setting = try #require(try reread(request).setting)
            if changes.contains(where: { $0.metadata != .unchanged }) {
                for index in changes.indices where changes[index].metadata == .unchanged {
                    changes[index].metadata = .merged([])
                }
            }
            #expect(setting.changes == changes && setting.dirty == version)
            #expect(setting.origin == (isSameZone ? .peer : .zone))
        }
    }

    @Test func `reads and random exchanges are read back as they were`() throws {
        FuzzTests.tellSeed()
        guard case .askedForNodes = try reread(.probe).input,
            case .fetchedAll = try reread(.fetchAll).input
        else {
            Issue.record("not read back")
            return
        }
        var values = RandomValues(seed: FuzzTests.seed)
        for _ in 0..<100 {
            let exchange = values.exchange()
            guard case .exchanged(_, exchange) = try reread(.exchange(exchange)).input else {
                Issue.record("not read back: \(exchange)")
                continue
            }
        }
    }
}
