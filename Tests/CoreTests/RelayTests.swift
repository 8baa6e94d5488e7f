import DiscoveryCore
import Testing

/// Who is told of what, by peers that write down what they are told.
struct RelayTests {
    private func hosts(_ requests: [PeerRequest]) -> [String] {
        requests.flatMap { request -> [String] in
            switch request {
            case .relay(let relay): return [host(relay.key)]
            case .set(let changes, _, _): return changes.map { host($0.key) }
            case .exchange(.changes(let changes)): return changes.records.map { host($0.key) }
            case .probe, .fetchAll, .exchange: return []
            }
        }
    }

    private func host(_ key: InstanceKey) -> String {
        String(decoding: key.packed[key.hostname.range], as: UTF8.self)
    }

    private func isSameZone(_ request: PeerRequest) -> Bool? {
        switch request {
        case .relay(let relay): relay.isSameZone
        case .set(_, _, let isSameZone): isSameZone
        case .exchange(.changes(let changes)): changes.isSameZone
        case .probe, .fetchAll, .exchange: nil
        }
    }

    /// d1 in sh001 with two recorders beside it, and two in each of two other zones.
    private func makeCluster() -> (TestCluster, TestNode, [String: TestCluster.Recorder]) {
        let cluster = TestCluster()
        var recorders: [String: TestCluster.Recorder] = [:]
        for address in ["p1", "p2", "x1", "x2", "y1", "y2"] {
            recorders[address] = cluster.record(address)
        }
        let node = cluster.start(
            "d1", seeds: ["d1", "p1", "p2"],
            zones: ["sh002": ["x1", "x2"], "sh003": ["y1", "y2"]])
        cluster.wait(Duration.second)
        for recorder in recorders.values { recorder.calls = [] }
        return (cluster, node, recorders)
    }

    @Test func `a source write reaches every peer once and one contact per other zone once`() {
        let (cluster, node, recorders) = makeCluster()
        _ = node.send { id, _ in
            .registered(
                id, Registration(key: key("h1"), content: content(), status: .up))
        }
        cluster.wait(Duration.second)
        for peer in ["p1", "p2"] {
            #expect(hosts(recorders[peer]?.writes ?? []) == ["h1"])
            #expect(recorders[peer]?.writes.allSatisfy { isSameZone($0) == true } == true)
        }
        for zone in [["x1", "x2"], ["y1", "y2"]] {
            let writes = zone.flatMap { recorders[$0]?.writes ?? [] }
            #expect(hosts(writes) == ["h1"])
            #expect(writes.allSatisfy { isSameZone($0) == false })
        }
    }

    @Test func `cancel, set and renew are relayed as they came`() throws {
        let (cluster, node, recorders) = makeCluster()
        let peer = try #require(recorders["p1"])
        _ = node.send { id, _ in
            .registered(id, Registration(key: key("h1"), content: content(), status: .up))
        }
        cluster.wait(Duration.second)
        peer.calls = []
        #expect(node.renew("h1")?.code == 0)
        cluster.wait(Duration.second)
        guard case .relay(let renewal)? = peer.writes.first, peer.writes.count == 1 else {
            Issue.record("\(peer.writes)")
            return
        }
        #expect(renewal.write == .renew)
        peer.calls = []
        let change = Setting.Change(key: key("h1"), status: .waiting)
        _ = node.send { id, _ in .set(id, Setting(changes: [change])) }
        cluster.wait(Duration.second)
        guard case .set(let changes, let version, true)? = peer.writes.first else {
            Issue.record("\(peer.writes)")
            return
        }
        #expect(changes == [change])
        #expect(version == node.fetch(statuses: 3)?.view?.instances.first?.dirty)
        peer.calls = []
        _ = node.send { id, batch in
            .cancelled(id, Cancellation(key: append(key("h1").packed, to: &batch)))
        }
        cluster.wait(Duration.second)
        guard case .relay(let cancel)? = peer.writes.first, peer.writes.count == 1 else {
            Issue.record("\(peer.writes)")
            return
        }
        #expect(cancel.write == .cancel)
        #expect(cancel.version > version)
    }

    @Test func `a write relayed inside the zone is not relayed again`() {
        let (cluster, node, recorders) = makeCluster()
        #expect(node.register("h1", origin: .peer, dirty: 5)?.code == 0)
        #expect(node.renew("h1", origin: .peer, dirty: 5)?.code == 0)
        #expect(node.set([.init(key: key("h1"), status: .waiting)], origin: .peer)?.code == 0)
        #expect(node.cancel("h1", origin: .peer)?.code == 0)
        cluster.wait(Duration.second)
        for recorder in recorders.values { #expect(recorder.writes.isEmpty) }
    }

    @Test func `a write from another zone is relayed inside this one and does not go back`() {
        let (cluster, node, recorders) = makeCluster()
        #expect(node.register("h1", zone: "sh002", origin: .zone, dirty: 5)?.code == 0)
        cluster.wait(Duration.second)
        for peer in ["p1", "p2"] { #expect(hosts(recorders[peer]?.writes ?? []) == ["h1"]) }
        for other in ["x1", "x2", "y1", "y2"] {
            #expect(recorders[other]?.writes.isEmpty == true)
        }
    }

    @Test func `the zone in the form does not decide, but that a client sent it`() {
        let (cluster, node, recorders) = makeCluster()
        _ = node.send { id, _ in
            .registered(
                id, Registration(key: key("h1", zone: "sh002"), content: content(), status: .up))
        }
        cluster.wait(Duration.second)
        #expect(node.renew("h1", zone: "sh002")?.code == 0)
        cluster.wait(Duration.second)
        let writes = ["x1", "x2"].flatMap { recorders[$0]?.writes ?? [] }
        #expect(hosts(writes) == ["h1", "h1"])
    }

    @Test func `a write waits for the healthy peers of the zone, for 100 ms at most`() {
        let (cluster, node, recorders) = makeCluster()
        var isSlow = true
        recorders["p1"]?.answer = { _ in isSlow ? nil : .answered(code: 0, nil) }
        let id = node.send { id, _ in
            .registered(id, Registration(key: key("h1"), content: content(), status: .up))
        }
        cluster.wait(99 * Duration.millisecond)
        #expect(node.take(id)?.code == nil)
        cluster.wait(1 * Duration.millisecond)
        #expect(node.take(id)?.code == 0)
        // It has not answered for two seconds: now it is lost, and nobody waits for it.
        cluster.wait(2 * Duration.second)
        let second = node.send { id, _ in
            .registered(id, Registration(key: key("h2"), content: content(), status: .up))
        }
        cluster.settle()
        #expect(node.take(second)?.code == 0)
        isSlow = false
        cluster.wait(4 * Duration.second)
        let told = hosts(recorders["p1"]?.writes ?? [])
        #expect(told.contains("h2"))
    }

    @Test func `a renewal never waits, and one instance renewed often is one renewal`() {
        let (cluster, node, recorders) = makeCluster()
        _ = node.register("h1")
        cluster.wait(Duration.second)
        recorders["p1"]?.calls = []
        recorders["p1"]?.answer = { _ in nil }
        for _ in 0..<100 { #expect(node.renew("h1")?.code == 0) }
        cluster.wait(100 * Duration.millisecond)
        #expect((recorders["p1"]?.writes.count ?? 9) <= 2)
    }

    @Test func `a peer that answers a renewal with -404 is sent the register`() throws {
        let (cluster, node, recorders) = makeCluster()
        let peer = try #require(recorders["p1"])
        _ = node.register("h1", metadata: [("a", "b")])
        cluster.wait(Duration.second)
        peer.calls = []
        peer.answer = { request in
            if case .relay(let relay) = request, relay.write == .renew {
                return .answered(code: -404, nil)
            }
            return .answered(code: 0, nil)
        }
        #expect(node.renew("h1")?.code == 0)
        cluster.wait(Duration.second)
        guard case .relay(let relay)? = peer.writes.last, case .register(let state, _) = relay.write
        else {
            Issue.record("\(peer.writes)")
            return
        }
        #expect(state.content == content(metadata: [("a", "b")]))
    }

    @Test func `what a peer answers with -409 is adopted and wakes who waits`() throws {
        let (cluster, node, recorders) = makeCluster()
        let peer = try #require(recorders["p1"])
        _ = node.register("h1")
        cluster.wait(Duration.second)
        let latest = node.fetch()?.view?.latest ?? 0
        let poll = node.poll([("a.b", latest)])
        let newer = Record(
            key: key("h1"), version: latest + 1_000,
            state: .registered(
                Record.Registered(
                    content: content(version: "2"), status: .up, registered: 1, up: 1, silence: 0)))
        peer.answer = { request in
            if case .relay(let relay) = request, relay.write == .renew {
                return .answered(code: -409, newer)
            }
            return .answered(code: 0, nil)
        }
        #expect(node.renew("h1")?.code == 0)
        cluster.wait(Duration.second)
        #expect(node.take(poll)?.view?.instances.first?.content == content(version: "2"))
    }

    @Test func `a contact that is lost is replaced, and its writes go to the next`() {
        let (cluster, node, recorders) = makeCluster()
        let first = node.targets.contains("x1") ? "x1" : "x2"
        let second = first == "x1" ? "x2" : "x1"
        recorders[first]?.answer = { _ in nil }
        _ = node.send { id, _ in
            .registered(id, Registration(key: key("h1"), content: content(), status: .up))
        }
        cluster.wait(3 * Duration.second)
        #expect(hosts(recorders[second]?.writes ?? []).first == "h1")
        #expect(node.targets.contains(second))
    }

    @Test func `a contact is kept while it is healthy, though the one before it is back`() {
        let (cluster, node, recorders) = makeCluster()
        let first = node.targets.contains("x1") ? "x1" : "x2"
        let second = first == "x1" ? "x2" : "x1"
        recorders[first]?.answer = { _ in .failed("refused") }
        _ = node.register("h1")
        cluster.wait(3 * Duration.second)
        #expect(node.targets.contains(second))
        recorders[first]?.answer = {
            $0 == .fetchAll ? .all([], skipped: 0) : .answered(code: 0, nil)
        }
        cluster.wait(4 * Duration.second)
        let report = node.node.peerReports(at: node.now).first { $0.address == first }
        #expect(report?.isHealthy == true)
        for address in [first, second] { recorders[address]?.calls = [] }
        _ = node.send { id, _ in
            .registered(id, Registration(key: key("h2"), content: content(), status: .up))
        }
        cluster.settle()
        #expect(hosts(recorders[second]?.writes ?? []) == ["h2"])
        #expect(recorders[first]?.writes.isEmpty == true)
    }

    /// Among themselves nodes of ours find every difference, and can tell what they find.
    @Test func `a contact of our own kind is the sooner one, and is told a cancel that it missed`()
    {
        let cluster = TestCluster()
        for address in ["go1", "go2", "go3", "go4"] { _ = cluster.record(address) }
        let there = ["go1", "go2", "go3", "go4", "e1"]
        let first = cluster.start("d1", seeds: ["d1"], zones: ["sh002": there])
        cluster.wait(2 * Duration.second)
        #expect(first.targets.first?.hasPrefix("go") == true)
        _ = first.register("h1")
        cluster.wait(Duration.second)
        let second = cluster.start(
            "e1", zone: "sh002", seeds: ["e1"], zones: ["sh001": ["d1"]])
        cluster.wait(10 * Duration.second)
        #expect(first.targets == ["e1"])
        #expect(second.hosts() == ["h1"])
        cluster.cut("d1", "e1")
        _ = first.cancel("h1")
        cluster.wait(30 * Duration.second)
        #expect(second.hosts() == ["h1"])
        #expect(first.targets.first?.hasPrefix("go") == true)
        cluster.cuts = []
        cluster.wait(5 * Duration.second)
        #expect(first.targets.first?.hasPrefix("go") == true, "one that comes and goes has to stay")
        cluster.wait(20 * Duration.second)
        #expect(first.targets == ["e1"])
        #expect(second.hosts() == [])
    }

    @Test func `a set of what only others hold is asked of them and answered by them`() throws {
        let (cluster, node, recorders) = makeCluster()
        let change = Setting.Change(key: key("elsewhere"), status: .waiting)
        for peer in recorders.values { peer.answer = { _ in .answered(code: -400, nil) } }
        let refused = node.send { id, _ in .set(id, Setting(changes: [change])) }
        cluster.settle()
        #expect(node.take(refused)?.code == -400)
        recorders["p2"]?.answer = { _ in .answered(code: 0, nil) }
        let done = node.send { id, _ in .set(id, Setting(changes: [change])) }
        cluster.settle()
        #expect(node.take(done)?.code == 0)
    }

    @Test func `a set is not laid over what won against it by its content`() throws {
        let (cluster, node, recorders) = makeCluster()
        _ = node.send { id, _ in
            .registered(
                id, Registration(key: key("h1"), content: content(version: "1"), status: .up))
        }
        cluster.wait(Duration.second)
        recorders["p1"]?.answer = { _ in .failed("reset") }
        let change = Setting.Change(key: key("h1"), status: .waiting)
        _ = node.send { id, _ in .set(id, Setting(changes: [change])) }
        cluster.settle()
        // Another node has written the same version, and its content wins.
        let version = try #require(node.fetch(statuses: 3)?.view?.instances.first?.dirty)
        let other = (1...9).map { content(version: "\($0)") }
        var changes = Changes(isSameZone: true)
        changes.records = other.map {
            Record(
                key: key("h1"), version: version,
                state: .registered(
                    Record.Registered(
                        content: $0, status: .up, registered: 1, up: 1, silence: 0)))
        }
        _ = node.send { id, _ in .exchanged(id, .changes(changes)) }
        let winner = try #require(node.fetch(statuses: 3)?.view?.instances.first)
        #expect(winner.status == .up, "the test needs another winner")
        recorders["p1"]?.calls = []
        recorders["p1"]?.answer = { _ in .answered(code: 0, nil) }
        cluster.wait(5 * Duration.second)
        let writes = recorders["p1"]?.writes ?? []
        #expect(hosts(writes) == ["h1"])
        guard case .relay(let relay)? = writes.first, case .register(let state, _) = relay.write
        else {
            Issue.record("sent as \(writes)")
            return
        }
        #expect(state.content == winner.content)
    }

    @Test func `a set that a node cannot apply is acknowledged once the register has arrived`() {
        let (cluster, node, recorders) = makeCluster()
        _ = node.send { id, _ in
            .registered(id, Registration(key: key("h1"), content: content(), status: .up))
        }
        cluster.wait(Duration.second)
        recorders["p1"]?.answer = { request in
            switch request {
            case .set: .answered(code: -400, nil)
            case .relay: nil
            default: .answered(code: 0, nil)
            }
        }
        let change = Setting.Change(key: key("h1"), status: .waiting)
        let set = node.send { id, _ in .set(id, Setting(changes: [change])) }
        cluster.settle()
        #expect(node.take(set)?.code == nil, "p1 has it neither way yet")
        cluster.wait(100 * Duration.millisecond)
        #expect(node.take(set)?.code == 0)
    }

    @Test func `a set that was asked of a node that left is answered all the same`() {
        let cluster = TestCluster()
        let node = cluster.start("d1")
        let peer = cluster.record("p1:7171")
        let infra = key("p1", app: "infra.discovery")
        _ = node.register("p1", app: "infra.discovery", addrs: ["http://p1:7171"])
        cluster.wait(Duration.second)
        #expect(node.targets == ["p1:7171"])
        peer.answer = { request in
            if case .set = request { nil } else { .answered(code: 0, nil) }
        }
        let change = Setting.Change(key: key("elsewhere"), status: .waiting)
        let set = node.send { id, _ in .set(id, Setting(changes: [change])) }
        cluster.settle()
        _ = node.send { id, batch in
            .cancelled(id, Cancellation(key: append(infra.packed, to: &batch)))
        }
        cluster.wait(3 * Duration.second)
        #expect(node.targets == [])
        #expect(node.take(set)?.code == -400)
    }
}
