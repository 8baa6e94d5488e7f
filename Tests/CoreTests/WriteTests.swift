import DiscoveryCore
import Testing

@Suite struct WriteTests {
    @Test func `a registered instance is there, in the order of host names and zones`() throws {
        let test = TestNode()
        for (host, zone) in [("h3", "sh002"), ("h2", "sh001"), ("h10", "sh001"), ("h1", "sh001")] {
            #expect(test.register(host, zone: zone)?.code == 0)
        }
        let view = try #require(test.fetch()?.view)
        #expect(view.zoneNames == ["sh001", "sh002"])
        #expect(view.hosts == ["h1", "h10", "h2", "h3"])
        #expect(test.hosts(zone: "sh002") == ["h3"])
    }

    @Test func `keys are tuples: env a, appid b-c is not env a-b, appid c`() {
        let test = TestNode()
        _ = test.register("h1", app: "b-c", env: "a")
        #expect(test.fetch(app: "c", env: "a-b")?.code == -404)
        #expect(test.hosts(app: "b-c", env: "a") == ["h1"])
    }

    @Test func `registering again keeps up_timestamp and renews everything else`() throws {
        let test = TestNode()
        _ = test.register("h1")
        let first = try #require(test.fetch()?.view?.instances.first)
        test.wait(Duration.second)
        _ = test.register("h1", addrs: ["http://2.2.2.2:80"])
        let second = try #require(test.fetch()?.view?.instances.first)
        #expect(second.up == first.up)
        #expect(second.registered == first.registered + Duration.second)
        #expect(second.dirty > first.dirty && second.latest > first.latest)
        #expect(second.content.unpacked.addrs == [Array("http://2.2.2.2:80".utf8)])
    }

    @Test func `a source write takes effect although the stored version is in the future`() throws {
        let test = TestNode()
        let future = test.now.wall + Duration.hour
        _ = test.register("h1", version: "old", origin: .peer, dirty: future)
        #expect(test.register("h1", version: "new")?.code == 0)
        let instance = try #require(test.fetch()?.view?.instances.first)
        #expect(instance.content.unpacked.version == Array("new".utf8))
        #expect(instance.dirty == future + 1)
    }

    @Test func `a version more than a day ahead is refused: it would win for ever`() {
        let test = TestNode()
        for dirty in [Int64.max, test.now.wall + 25 * Duration.hour] {
            #expect(test.register("h1", origin: .peer, dirty: dirty)?.code == -400)
            #expect(test.cancel("h1", origin: .peer, dirty: dirty)?.code == -400)
            #expect(test.set([.init(key: key("h1"))], origin: .peer, dirty: dirty)?.code == -400)
        }
        #expect(test.hosts() == [])
    }

    @Test func `an identical register moves no timestamp of the application`() throws {
        let test = TestNode()
        _ = test.register("h1")
        let before = try #require(test.fetch()?.view)
        test.wait(Duration.second)
        _ = test.register("h1")
        let after = try #require(test.fetch()?.view)
        #expect(after.latest == before.latest)
        #expect(after.instances[0].dirty > before.instances[0].dirty)
    }

    static let visibleChanges: [(String, @Sendable (TestNode) -> Void)] = [
        ("addrs", { _ = $0.register("h1", addrs: ["grpc://2.2.2.2:1"]) }),
        ("version", { _ = $0.register("h1", version: "2") }),
        ("metadata", { _ = $0.register("h1", metadata: [("weight", "10")]) }),
        ("status", { _ = $0.register("h1", status: .waiting) }),
        ("another host", { _ = $0.register("h2") }),
        ("set", { _ = $0.set([.init(key: key("h1"), status: .waiting)]) }),
        ("cancel", { _ = $0.cancel("h1") }),
    ]

    @Test(arguments: visibleChanges)
    func `what consumers see moves the timestamp`(
        name: String, change: @Sendable (TestNode) -> Void
    ) throws {
        let test = TestNode()
        _ = test.register("h1")
        _ = test.register("other")
        let before = try #require(test.fetch(statuses: 3)?.view)
        change(test)
        let after = try #require(test.fetch(statuses: 3)?.view)
        #expect(after.latest > before.latest, "\(name)")
    }

    @Test func `latest_timestamp grows over deletion and re-creation, with the clock set back`()
        throws
    {
        let test = TestNode()
        var last: Int64 = 0
        for _ in 0..<5 {
            _ = test.register("h1")
            let latest = try #require(test.fetch()?.view?.latest)
            #expect(latest > last)
            last = latest
            _ = test.cancel("h1")
            #expect(test.fetch()?.code == -404)
            test.now.wall -= Duration.hour
        }
    }

    @Test func `a cancelled instance stays gone for older writes and renewals`() throws {
        let test = TestNode()
        _ = test.register("h1", origin: .peer, dirty: test.now.wall)
        let version = test.now.wall
        #expect(test.cancel("h1")?.code == 0)
        #expect(test.cancel("h1")?.code == -404)
        #expect(test.register("h1", origin: .peer, dirty: version)?.code == 0)
        #expect(test.hosts() == [])
        #expect(test.renew("h1")?.code == -404)
        test.wait(Duration.second)
        #expect(test.register("h1")?.code == 0)
        #expect(test.hosts() == ["h1"])
    }

    @Test func `a tombstone lasts two hours`() {
        let test = TestNode()
        _ = test.register("h1")
        let version = test.now.wall
        _ = test.cancel("h1")
        test.wait(2 * Duration.hour - Duration.second)
        #expect(test.node.tombstoneCount == 1)
        _ = test.register("h1", origin: .peer, dirty: version)
        #expect(test.hosts() == [])
        test.wait(2 * Duration.second)
        #expect(test.node.tombstoneCount == 0)
    }

    @Test func `tombstones are bounded, the oldest goes first`() {
        let test = TestNode { $0.tombstonesMax = 10 }
        for host in 0..<15 {
            _ = test.register("h\(host)")
            _ = test.cancel("h\(host)")
        }
        #expect(test.node.tombstoneCount == 10)
        #expect(test.node.tombstonesDropped == 5)
        _ = test.register("h4", origin: .peer, dirty: test.now.wall - Duration.second)
        _ = test.register("h5", origin: .peer, dirty: test.now.wall - Duration.second)
        #expect(test.hosts() == ["h4"])
    }

    @Test func `a cancel older than the registration does not remove it`() {
        let test = TestNode()
        _ = test.register("h1")
        #expect(
            test.cancel("h1", origin: .peer, dirty: test.now.wall - Duration.second)?.code == 0)
        #expect(test.hosts() == ["h1"])
    }

    @Test func `a cancel without a version, as the reference sends it, applies at once`() {
        let test = TestNode()
        _ = test.register("h1")
        #expect(test.cancel("h1", origin: .peer)?.code == 0)
        #expect(test.hosts() == [])
    }

    @Test func `a cancel that overtakes its registration wins`() {
        let test = TestNode()
        #expect(test.cancel("h1", origin: .peer, dirty: test.now.wall)?.code == -404)
        _ = test.register("h1", origin: .peer, dirty: test.now.wall - 1)
        #expect(test.hosts() == [])
    }

    @Test func `a node's renewal is compared before the lease is touched`() throws {
        let test = TestNode()
        _ = test.register("h1", origin: .peer, dirty: test.now.wall)
        let dirty = test.now.wall
        test.wait(Duration.second)
        let older = try #require(test.renew("h1", origin: .peer, dirty: dirty - 1))
        #expect(older.code == -409 && older.instance?.dirty == dirty)
        let newer = try #require(test.renew("h1", origin: .peer, dirty: dirty + 1))
        #expect(newer.code == -404 && newer.instance?.dirty == dirty)
        guard case .outdated(_, let renewed) = newer else { return }
        #expect(renewed == dirty, "a stale renewal moved renew_timestamp")
        #expect(test.renew("h1", origin: .peer, dirty: dirty)?.code == 0)
        #expect(test.renew("h1", origin: .peer, dirty: 0)?.code == -409)
        #expect(test.renew("h1", origin: .zone, dirty: 0)?.code == 0)
        #expect(test.renew("h1", origin: .zone, dirty: dirty - 1)?.code == -409)
        #expect(test.renew("h1", dirty: 7)?.code == 0, "a client's version is not looked at")
    }

    @Test func `a renewal of an unknown host tells whether its zone is known`() {
        let test = TestNode()
        _ = test.register("h1")
        if case .unknownHost? = test.renew("h2") {} else { Issue.record("known zone") }
        if case .unknownWithData? = test.renew("h1", zone: "x") {} else { Issue.record("zone") }
        if case .unknownWithData? = test.renew("h1", app: "x") {} else { Issue.record("app") }
        if case .unknownWithData? = test.renew("h1", env: "x") {} else { Issue.record("env") }
    }

    @Test func `set changes all hosts or none`() throws {
        let test = TestNode()
        _ = test.register("h1", metadata: [("a", "1"), ("b", "2")])
        _ = test.register("h2")
        let before = try #require(test.fetch(statuses: 3)?.view)
        let refused = test.set([
            .init(key: key("h1"), status: .waiting), .init(key: key("nope"), status: .waiting),
        ])
        guard case .refused(.invalid, let message)? = refused else {
            Issue.record("not refused")
            return
        }
        #expect(message.contains("nope"))
        #expect(test.fetch(statuses: 3)?.view?.latest == before.latest)
        #expect(test.fetch()?.view?.hosts == ["h1", "h2"])

        let entry = InstanceContent.Entry(key: Array("b".utf8), value: Array("3".utf8))
        #expect(
            test.set([
                .init(key: key("h1"), status: .waiting, metadata: .merged([entry])),
                .init(key: key("h2"), metadata: .cleared),
            ])?.code == 0)
        let after = try #require(test.fetch(statuses: 3)?.view)
        #expect(after.instances[0].metadata == ["a": "1", "b": "3"])
        #expect(after.instances[0].status == .waiting && after.instances[1].status == .up)
        #expect(after.instances[0].dirty > before.instances[0].dirty)
        #expect(after.latest > before.latest)
        #expect(test.fetch()?.view?.hosts == ["h2"])
    }

    @Test func `metadata cannot grow without bound by one set after the other`() {
        let test = TestNode { $0.metadataBytesMax = 2_000 }
        _ = test.register("h1")
        var refused = 0
        for number in 0..<100 {
            let entry = InstanceContent.Entry(
                key: Array("key\(number)".utf8), value: Array(repeating: 0x78, count: 90))
            let change = Setting.Change(key: key("h1"), metadata: .merged([entry]))
            if test.set([change])?.code == -400 { refused += 1 }
        }
        #expect(refused > 70 && refused < 90)
    }

    @Test func `set is no sign of life: it moves neither the lease nor renew_timestamp`() throws {
        let test = TestNode()
        for host in 0..<20 { _ = test.register("h\(host)") }
        let registered = test.now.wall
        for _ in 0..<2 {
            test.wait(44 * Duration.second)
            for host in 1..<20 { _ = test.renew("h\(host)") }
            _ = test.set([.init(key: key("h0"), status: .up)])
        }
        let row = try #require(test.fetch()?.view?.zones.first?.rows.first)
        #expect(row.instance.host == "h0" && row.renewed == registered)
        test.wait(3 * Duration.second)
        #expect(!test.hosts().contains("h0"))
    }

    @Test func `a relayed set that arrives twice changes nothing the second time`() throws {
        let test = TestNode()
        _ = test.register("h1", origin: .peer, dirty: test.now.wall)
        test.wait(Duration.second)
        let change = Setting.Change(key: key("h1"), status: .waiting)
        let dirty = test.now.wall
        #expect(test.set([change], origin: .peer, dirty: dirty)?.code == 0)
        let first = try #require(test.fetch(statuses: 3)?.view)
        test.wait(Duration.second)
        #expect(test.set([change], origin: .peer, dirty: dirty)?.code == 0)
        let second = try #require(test.fetch(statuses: 3)?.view)
        #expect(second === first || second.latest == first.latest)
        #expect(second.instances[0].dirty == dirty && second.instances[0].status == .waiting)
    }

    @Test func `a set older than the instance changes nothing`() throws {
        let test = TestNode()
        _ = test.register("h1")
        let stale = test.now.wall - Duration.second
        #expect(
            test.set([.init(key: key("h1"), status: .waiting)], origin: .peer, dirty: stale)?.code
                == 0)
        #expect(test.fetch()?.view?.hosts == ["h1"])
    }

    @Test func `instances and applications are bounded, with an answer and one note`() {
        let test = TestNode {
            $0.instancesMax = 2
            $0.appsMax = 5
        }
        #expect(test.register("h1")?.code == 0)
        #expect(test.register("h2")?.code == 0)
        #expect(test.register("h3")?.code == -503)
        #expect(test.register("h4")?.code == -503)
        #expect(test.register("h2", version: "2")?.code == 0, "what is there may change")
        let told = test.notes.filter { if case .limitReached = $0 { true } else { false } }
        #expect(told.count == 1)
        #expect(test.node.statistics.refusedByLimit == 2)
    }

    @Test func `infra.discovery is answered in every env, and nobody removes the node from it`()
        throws
    {
        let test = TestNode { $0.env = "prod" }
        test.announce("127.0.0.1:7171")
        for env in ["prod", "dev", "uat"] {
            let view = try #require(test.fetch(app: "infra.discovery", env: env, zone: "x")?.view)
            #expect(view.hosts == ["localhost"])
            #expect(
                view.env.map { String(decoding: $0, as: UTF8.self) } == (env == "prod" ? nil : env))
        }
        let app = "infra.discovery"
        #expect(test.cancel("localhost", app: app, env: "prod")?.code == -400)
        #expect(test.register("localhost", app: app, env: "prod")?.code == -400)
        let change = Setting.Change(
            key: key("localhost", app: app, env: "prod"), status: .waiting)
        #expect(test.set([change])?.code == -400)
        test.wait(2 * Duration.hour)
        #expect(test.hosts(app: app) == ["localhost"], "its lease is the node's life")
    }

    @Test func `fetch of a zone the application is not in tells its timestamp`() {
        let test = TestNode()
        _ = test.register("h1")
        guard case .zoneUnknown(let latest)? = test.fetch(zone: "sh009") else {
            Issue.record("not zoneUnknown")
            return
        }
        #expect(latest > 0)
    }

    @Test func `a fetch is fresh within a second and shared until then`() throws {
        let test = TestNode()
        _ = test.register("h1")
        let first = try #require(test.fetch()?.view)
        test.wait(500 * Duration.millisecond)
        _ = test.renew("h1")
        #expect(test.fetch()?.view === first)
        test.wait(600 * Duration.millisecond)
        let second = try #require(test.fetch()?.view)
        #expect(second.zones[0].rows[0].renewed > first.zones[0].rows[0].renewed)
    }

    @Test func `a node that is announced takes its own place from whoever took it before`() {
        let test = TestNode()
        _ = test.register("localhost", app: "infra.discovery", addrs: ["http://6.6.6.6:80"])
        test.announce("10.0.0.1:7171")
        test.tick()
        #expect(test.hosts(app: "infra.discovery") == ["localhost"])
        #expect(test.node.instanceCount == 1)
        test.wait(Duration.hour)
        #expect(test.hosts(app: "infra.discovery") == ["localhost"])
    }

    @Test func `a tombstone that was renewed counts once when it is dropped`() {
        let test = TestNode { $0.tombstonesMax = 10 }
        for _ in 0..<5 {
            _ = test.register("h0")
            _ = test.cancel("h0")
            test.wait(Duration.second)
        }
        for host in 1...10 {
            _ = test.register("h\(host)")
            _ = test.cancel("h\(host)")
        }
        #expect(test.node.tombstoneCount == 10)
        #expect(test.node.tombstonesDropped == 1)
    }

    @Test func `a set that names a host twice makes both changes`() throws {
        let test = TestNode()
        _ = test.register("h1", metadata: [("a", "1")])
        let changes = ["b", "c"].map { name in
            let entry = InstanceContent.Entry(key: Array(name.utf8), value: Array("2".utf8))
            return Setting.Change(key: key("h1"), metadata: .merged([entry]))
        }
        #expect(test.set(changes)?.code == 0)
        let after = try #require(test.fetch()?.view)
        #expect(after.instances[0].metadata == ["a": "1", "b": "2", "c": "2"])
    }

    @Test func `metadata cannot get more entries by set than by register`() {
        let test = TestNode()
        _ = test.register("h1")
        func set(_ names: Range<Int>) -> Int? {
            let entries = names.map { number in
                InstanceContent.Entry(key: Array("\(number)".utf8), value: [])
            }
            return test.set([.init(key: key("h1"), metadata: .merged(entries))])?.code
        }
        #expect(set(0..<512) == 0)
        #expect(set(0..<512) == 0)
        #expect(set(512..<513) == -400)
    }
}
