import DiscoveryCore
import Testing

/// Who the other nodes are and what becomes of each.
struct MembershipTests {
    private static let seeds = ["d1", "d2"]

    private func register(_ node: TestNode, _ host: String) -> RequestID {
        node.send { id, _ in
            .registered(id, Registration(key: key(host), content: content(), status: .up))
        }
    }

    private func shutOuts(_ node: TestNode) -> Int {
        node.notes.count { if case .shutOut = $0 { true } else { false } }
    }

    private func changes(_ node: TestNode) -> Int {
        node.notes.count {
            switch $0 {
            case .peerLost, .peerFound, .peerRecovered, .shutOut, .relayRefused: true
            default: false
            }
        }
    }

    @Test(arguments: [false, true])
    func `a node that is shut out says so once, waits for nobody and is let in at last`(
        _ fromTheStart: Bool
    ) {
        let cluster = TestCluster()
        if fromTheStart { cluster.shutOut = ["d1>d2"] }
        let first = cluster.start("d1", seeds: Self.seeds)
        let second = cluster.start("d2", seeds: Self.seeds)
        cluster.wait(5 * Duration.second)
        cluster.shutOut = ["d1>d2"]
        cluster.wait(15 * Duration.second)
        let before = changes(first)
        let request = register(first, "h1")
        cluster.settle()
        #expect(first.take(request)?.code == 0, "at once")
        cluster.wait(Duration.minute)
        #expect(shutOuts(first) == 1)
        #expect(changes(first) == before, "no coming and going")
        #expect(first.node.nodes.first { $0.address == "d2" }?.status == 1)
        #expect(first.node.peerReports(at: first.now).first?.isHealthy == false)

        cluster.shutOut = []
        cluster.wait(5 * Duration.second)
        #expect(first.node.nodes.first { $0.address == "d2" }?.status == 0)
        #expect(second.hosts() == ["h1"])
        cluster.shutOut = ["d1>d2"]
        cluster.wait(15 * Duration.second)
        #expect(shutOuts(first) == 2)
    }

    /// Something in between may refuse in its place, and a plain `set` is laid over whatever there
    /// is.
    @Test func `a node of ours is not taken for the other kind because a probe is refused`() {
        let cluster = TestCluster()
        let other = cluster.recordOwn("d2")
        let node = cluster.start("d1", seeds: ["d2"])
        cluster.wait(5 * Duration.second)
        #expect(register(node, "h1") != register(node, "h2"))
        cluster.settle()
        other.id = nil
        let ours = other.answer
        other.answer = { request in
            if case .exchange(.changes) = request { return ours(request) }
            return request == .probe ? .answered(code: -500, nil) : .unable("HTTP 503")
        }
        other.calls = []
        cluster.wait(15 * Duration.second)
        #expect(other.calls.contains(.probe))
        _ = node.send { id, _ in
            .set(id, Setting(changes: [Setting.Change(key: key("h1"), status: .waiting)]))
        }
        cluster.wait(Duration.second)
        let plain = other.calls.filter {
            switch $0 {
            case .relay, .set, .fetchAll: true
            case .probe, .exchange: false
            }
        }
        #expect(plain == [])
        #expect(!other.writes.isEmpty)
    }

    @Test func `an answer to something else does not tell the kind while a probe is under way`() {
        let cluster = TestCluster()
        let other = cluster.recordOwn("d2")
        let node = cluster.start("d1", seeds: ["d2"])
        cluster.wait(15 * Duration.second)
        let ours = other.answer
        other.answer = { request in
            if case .set = request { other.id = nil }
            return request == .probe ? nil : ours(request)
        }
        var batch = Batch()
        batch.inputs.append(.peerHungUp("d2"))
        node.step(batch)
        other.calls = []
        cluster.wait(200 * Duration.millisecond)
        #expect(other.calls.contains(.probe))
        _ = node.set([Setting.Change(key: key("nobody"), status: .waiting)])
        cluster.settle()
        #expect(other.id == nil)
        #expect(node.node.peerReports(at: node.now).first?.kind == .own)
    }

    @Test func `an address where a node found itself may lead to another one later`() {
        let cluster = TestCluster()
        cluster.aliases = ["balancer": "d1"]
        let first = cluster.start("d1", seeds: ["balancer"])
        cluster.wait(Duration.minute)
        #expect(first.targets == [])
        cluster.start("d2")
        cluster.aliases = ["balancer": "d2"]
        cluster.wait(20 * Duration.second)
        #expect(first.targets == ["d2"], "where it says that it is, once it has")
    }

    @Test func `a node that was shut out and is replaced by one of the reference is found`() {
        let cluster = TestCluster()
        let first = cluster.start("d1", seeds: Self.seeds)
        cluster.start("d2", seeds: Self.seeds)
        cluster.shutOut = ["d1>d2"]
        cluster.wait(15 * Duration.second)
        #expect(shutOuts(first) == 1)
        cluster.kill("d2")
        let reference = cluster.record("d2")
        reference.answer = { request in
            switch request {
            case .exchange: .failed("HTTP status 404")
            case .fetchAll: .all([], skipped: 0)
            case .probe, .relay, .set: .answered(code: 0, nil)
            }
        }
        cluster.wait(10 * Duration.second)
        #expect(first.node.nodes.first { $0.address == "d2" }?.status == 0)
        _ = register(first, "h1")
        cluster.settle()
        #expect(!reference.writes.isEmpty)
    }

    @Test(arguments: [false, true])
    func `connections that end again and again do not put a comparison off`(isReference: Bool) {
        let cluster = TestCluster()
        let first = cluster.start("d1", seeds: ["d2"])
        if isReference { _ = cluster.record("d2") } else { cluster.start("d2", seeds: ["d1"]) }
        cluster.wait(5 * Duration.second)
        let before = cluster.traffic.count
        for _ in 0..<400 {
            first.hangUp(peer: "d2")
            cluster.wait(Duration.second)
        }
        let compared = cluster.traffic[before...].count {
            switch $0.request {
            case .exchange(.compare): $0.from == "d1"
            case .fetchAll: true
            default: false
            }
        }
        #expect(compared >= (isReference ? 1 : 35))
    }

    @Test func `a node that starts again is found as soon as it says so`() {
        let cluster = TestCluster()
        let seeds = ["d1", "d2", "d3"]
        let first = cluster.start("d1", seeds: seeds)
        cluster.start("d2", seeds: seeds)
        cluster.start("d3", seeds: seeds)
        cluster.wait(5 * Duration.second)
        cluster.kill("d3")
        // Long enough for the pauses between probes to be at their longest.
        cluster.wait(30 * Duration.second)
        #expect(first.node.nodes.first { $0.address == "d3" }?.status == 1)
        cluster.start("d3", seeds: seeds)
        cluster.wait(150 * Duration.millisecond)
        #expect(first.node.nodes.first { $0.address == "d3" }?.status == 0)
    }

    @Test func `a seed that is dead is asked less and less often, but for ever`() {
        let cluster = TestCluster()
        cluster.start("d1", seeds: ["d2"])
        func probes(since start: Int64) -> [Int64] {
            cluster.traffic.filter { $0.request == .probe && $0.at >= start }.map(\.at)
        }
        let start = cluster.now.monotonic
        cluster.wait(Duration.minute)
        // Before d1 was announced d2 might have been itself: it was asked twice at the start.
        let asked = Array(probes(since: start).dropFirst())
        #expect((22...42).contains(asked.count), "asked \(asked.count) times in a minute")
        let pauses = zip(asked, asked.dropFirst()).map { $1 - $0 }
        let first = [Duration.second / 2, Duration.second, 2 * Duration.second]
        for (index, pause) in pauses.enumerated() {
            let longest = index < first.count ? first[index] : 3 * Duration.second
            #expect((longest / 2...longest).contains(pause), "pause \(index)")
        }
        cluster.wait(Duration.hour)
        let late = probes(since: cluster.now.monotonic - Duration.minute)
        #expect((20...41).contains(late.count), "asked \(late.count) times in the last minute")
    }

    @Test func `leases shorter than thirty seconds do not end the nodes' own`() {
        let cluster = TestCluster()
        let short: (inout NodeSettings) -> Void = {
            $0.lease = 3 * Duration.second
            $0.overduePercentMax = 100
            $0.evictionPercentMax = 100
        }
        let first = cluster.start("d1", seeds: Self.seeds, short)
        cluster.start("d2", seeds: Self.seeds, short)
        for _ in 0..<60 {
            cluster.wait(Duration.second)
            #expect(first.hosts(app: "infra.discovery") == ["d1", "d2"])
        }
    }

    @Test func `a node of the reference that cannot tell yet what it holds is asked again soon`() {
        let cluster = TestCluster()
        let reference = cluster.record("go")
        let record = Record(
            key: key("theirs"), version: TestNode.start.wall,
            state: .registered(
                Record.Registered(
                    content: content(), status: .up, registered: 1, up: 1, silence: 0)))
        reference.answer = { request in
            request == .fetchAll ? .answered(code: -500, nil) : .answered(code: 0, nil)
        }
        let node = cluster.start("d1", seeds: ["d1", "go"])
        cluster.wait(20 * Duration.second)
        #expect(node.node.nodes.first { $0.address == "go" }?.status == 0, "it answers")
        #expect(reference.calls.count { $0 == .fetchAll } == 1)
        reference.answer = {
            $0 == .fetchAll ? .all([record], skipped: 0) : .answered(code: 0, nil)
        }
        cluster.wait(40 * Duration.second)
        #expect(node.hosts() == ["theirs"])
    }

    @Test func `a node that starts again takes what is left of it for no other node`() {
        let cluster = TestCluster()
        cluster.start("d1", seeds: ["d2"])
        cluster.start("d2", seeds: ["d1"])
        cluster.wait(5 * Duration.second)
        cluster.kill("d1")
        cluster.wait(5 * Duration.second)
        let again = cluster.start("d1", seeds: ["d2"])
        cluster.wait(5 * Duration.second)
        #expect(again.node.nodes.map(\.address) == ["d1", "d2"])
        let lost = again.notes.count { if case .peerLost = $0 { true } else { false } }
        #expect(lost == 0)
        #expect(again.hosts(app: "infra.discovery") == ["d1", "d2"])
    }

    @Test func `what a node missed is told at whichever of its addresses answers`() {
        let cluster = TestCluster()
        cluster.aliases = ["seed2": "d2"]
        let first = cluster.start("d1", seeds: ["d1", "seed2"])
        let second = cluster.start("d2", seeds: ["d1"])
        for host in 0..<20 { _ = register(first, "h\(host)") }
        cluster.wait(5 * Duration.second)
        #expect(first.targets == ["d2"], "as it has announced itself")
        cluster.cuts = ["d1>seed2", "d1>d2"]
        for _ in 0..<3 {
            for host in 0..<20 { _ = first.renew("h\(host)") }
            cluster.wait(25 * Duration.second)
        }
        cluster.cuts = ["d1>d2"]
        cluster.wait(20 * Duration.second)
        #expect(first.targets == ["seed2"])
        #expect(second.hosts().count == 20)
        #expect(second.node.statistics.evictions == 0)
    }

    @Test func `who has left makes room for who comes`() {
        let node = TestNode { $0.cluster.nodesMax = 1 }
        var batch = Batch()
        batch.inputs.append(.started)
        node.step(batch)
        func join(_ host: String) -> Registration {
            Registration(
                key: key(host, app: "infra.discovery"),
                content: content(addrs: ["http://\(host):7171"]), status: .up)
        }
        _ = node.send { id, _ in .registered(id, join("p1")) }
        #expect(node.targets == ["p1:7171"])
        let gone = key("p1", app: "infra.discovery").packed
        _ = node.send { id, batch in
            batch.inputs.append(
                .cancelled(RequestID(900), Cancellation(key: append(gone, to: &batch))))
            return .registered(id, join("p2"))
        }
        #expect(node.targets == ["p2:7171"])
        #expect(node.node.peersRefused == 0)
    }

    @Test func `of too many announced nodes some are taken in, and the others counted`() {
        let node = TestNode { $0.cluster.nodesMax = 100 }
        for host in 0..<1_100 {
            _ = node.register("p\(host)", app: "infra.discovery", addrs: ["http://p\(host):1"])
        }
        #expect(node.node.peersRefused == 1_000)
        #expect(node.targets.count == 100)
    }

    @Test func `where one node of another zone fails to tell what it holds, the next is asked`() {
        let cluster = TestCluster()
        let record = Record(
            key: key("theirs", zone: "sh002"), version: TestNode.start.wall,
            state: .registered(
                Record.Registered(
                    content: content(), status: .up, registered: 1, up: 1, silence: 0)))
        for address in ["x1", "x2", "x3"] {
            cluster.record(address).answer = { request in
                if request != .fetchAll { return .answered(code: 0, nil) }
                return address == "x1" ? .failed("reset") : .all([record], skipped: 0)
            }
        }
        let node = cluster.start("d1", seeds: ["d1"], zones: ["sh002": ["x1", "x2", "x3"]])
        #expect(node.hosts() == ["theirs"])
        let asked = ["x1", "x2", "x3"].map { address in
            cluster.recorders[address]?.calls.count { $0 == .fetchAll }
        }
        #expect(asked == [1, 1, 0])
        let told = node.notes.compactMap {
            if case .joined(let nodes, let of, let instances) = $0 {
                [nodes, of, instances]
            } else {
                nil
            }
        }
        #expect(told == [[3, 4, 1]])
    }
}
