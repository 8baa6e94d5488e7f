import DiscoveryCore
import Testing

/// What was missed is made up for, whoever missed it.
struct RepairTests {
    /// d1 and d2 in sh001, e1 and e2 in sh002, all seeds of all.
    private func makeCluster() -> (TestCluster, [TestNode]) {
        let cluster = TestCluster()
        let (zone1, zone2) = (["d1", "d2"], ["e1", "e2"])
        var nodes: [TestNode] = []
        for address in zone1 {
            nodes.append(cluster.start(address, seeds: zone1, zones: ["sh002": zone2]))
        }
        for address in zone2 {
            nodes.append(
                cluster.start(address, zone: "sh002", seeds: zone2, zones: ["sh001": zone1]))
        }
        cluster.wait(5 * Duration.second)
        return (cluster, nodes)
    }

    private func register(_ node: TestNode, _ host: String, version: String = "1") {
        _ = node.send { id, _ in
            .registered(
                id, Registration(key: key(host), content: content(version: version), status: .up))
        }
    }

    private func cancel(_ node: TestNode, _ host: String) {
        _ = node.send { id, batch in
            .cancelled(id, Cancellation(key: append(key(host).packed, to: &batch)))
        }
    }

    private func latest(_ node: TestNode) -> Int64 { node.fetch(statuses: 3)?.view?.latest ?? 0 }

    @Test func `a write is on every node of every zone at once`() {
        let (cluster, nodes) = makeCluster()
        register(nodes[0], "h1")
        cluster.settle()
        for node in nodes { #expect(node.hosts() == ["h1"]) }
        cancel(nodes[3], "h1")
        cluster.settle()
        for node in nodes { #expect(node.hosts() == []) }
    }

    @Test func `a partition between zones heals within twenty seconds, both ways`() {
        let (cluster, nodes) = makeCluster()
        register(nodes[0], "old")
        cluster.settle()
        for left in ["d1", "d2"] { for right in ["e1", "e2"] { cluster.cut(left, right) } }
        cluster.wait(30 * Duration.second)
        register(nodes[0], "left")
        register(nodes[2], "right")
        cancel(nodes[1], "old")
        cluster.wait(10 * Duration.second)
        #expect(nodes[2].hosts() == ["old", "right"])
        #expect(nodes[0].hosts() == ["left"])
        cluster.cuts = []
        cluster.wait(20 * Duration.second)
        for node in nodes { #expect(node.hosts() == ["left", "right"]) }
        #expect(Set(nodes.map { latest($0) }).count == 1, "equal applications, equal timestamps")
    }

    @Test func `both sides of a one-way partition end up with everything`() {
        let (cluster, nodes) = makeCluster()
        cluster.cuts = ["d1>d2"]
        cluster.wait(5 * Duration.second)
        register(nodes[0], "first")
        register(nodes[1], "second")
        cluster.wait(20 * Duration.second)
        #expect(nodes[0].hosts() == ["first", "second"])
        cluster.cuts = []
        cluster.wait(20 * Duration.second)
        for node in nodes { #expect(node.hosts() == ["first", "second"]) }
    }

    @Test func `a node that lost its memory is filled, and does not empty the others`() {
        let (cluster, nodes) = makeCluster()
        for host in 0..<50 { register(nodes[0], "h\(host)") }
        cluster.wait(Duration.second)
        cluster.kill("d2")
        cluster.wait(5 * Duration.second)
        let again = cluster.start(
            "d2", seeds: ["d1", "d2"], zones: ["sh002": ["e1", "e2"]])
        #expect(again.hosts().count == 50)
        cluster.wait(20 * Duration.second)
        #expect(nodes[0].hosts().count == 50)
        #expect(nodes[3].hosts().count == 50)
        #expect(latest(again) == latest(nodes[0]))
    }

    @Test func `a change that came while a node was away wakes its pollers when it is back`() {
        let (cluster, nodes) = makeCluster()
        register(nodes[0], "h1")
        cluster.wait(Duration.second)
        cluster.cut("d1", "d2")
        cluster.cut("d2", "e1")
        cluster.cut("d2", "e2")
        cluster.wait(5 * Duration.second)
        let poll = nodes[1].poll([("a.b", latest(nodes[1]))])
        register(nodes[0], "h2")
        cluster.wait(3 * Duration.second)
        #expect(nodes[1].take(poll)?.code == nil)
        cluster.cuts = []
        cluster.wait(10 * Duration.second)
        #expect(nodes[1].take(poll)?.view?.hosts == ["h1", "h2"])
    }

    @Test func `who has seen a change that was lost is told of the next one`() {
        let cluster = TestCluster()
        let seeds = ["d1", "d2"]
        let first = cluster.start("d1", seeds: seeds)
        let second = cluster.start("d2", seeds: seeds)
        cluster.wait(5 * Duration.second)
        first.now.wall += Duration.hour
        register(first, "h1")
        cluster.wait(15 * Duration.second)
        cluster.cut("d1", "d2")
        register(second, "lost")
        let told = latest(second)
        #expect(told > latest(first))
        cluster.kill("d2")
        cluster.cuts = []
        cluster.wait(Duration.second)
        let again = cluster.start("d2", seeds: seeds)
        #expect(again.hosts() == ["h1"])
        // Its clock is behind too: both changes move the same timestamp on.
        register(again, "h2")
        let poll = again.poll([("a.b", told)])
        cluster.wait(31 * Duration.second)
        #expect(again.take(poll)?.view?.hosts == ["h1", "h2"])
    }

    /// The clock that the node starts again with.
    @Test(arguments: [0, -Duration.hour])
    func `a restart beside a node of the reference does not take timestamps back`(skew: Int64) {
        let cluster = TestCluster()
        let other = cluster.record("go")
        cluster.start("d1", seeds: ["go"])
        guard let node = cluster.nodes["d1"] else { return }
        register(node, "h1")
        register(node, "h2")
        guard let stored = node.fetch(statuses: 3)?.view?.instances.first else { return }
        cluster.wait(5 * Duration.second)
        cancel(node, "h2")
        let told = latest(node)
        cluster.kill("d1")
        cluster.wait(Duration.second)
        // Something else than what the node has told last.
        let state = Record.Registered(
            content: content(version: "9"), status: stored.status, registered: stored.registered,
            up: stored.up, silence: 0)
        other.answer = { request in
            guard case .fetchAll = request else { return .answered(code: 0, nil) }
            return .all(
                [Record(key: stored.key, version: stored.dirty, state: .registered(state))],
                skipped: 0)
        }
        let again = cluster.start("d1", seeds: ["go"], skew: skew)
        #expect(again.hosts() == ["h1"])
        // With its clock behind it cannot know what it has told, but tells something else.
        #expect(skew < 0 ? latest(again) != told : latest(again) > told)
        #expect(latest(again) > stored.latest)
    }

    @Test func `a restart does not move the timestamp of what was only registered again`() {
        let (cluster, nodes) = makeCluster()
        register(nodes[0], "h1")
        cluster.wait(Duration.second)
        let told = latest(nodes[0])
        register(nodes[0], "h1")
        cluster.wait(Duration.second)
        #expect(latest(nodes[0]) == told)
        cluster.kill("d2")
        cluster.wait(Duration.second)
        let again = cluster.start("d2", seeds: ["d1", "d2"], zones: ["sh002": ["e1", "e2"]])
        cluster.wait(30 * Duration.second)
        #expect(latest(again) == told)
        #expect(latest(nodes[0]) == told)
    }

    @Test func `renewals missed while a node was lost do not end leases there`() {
        let (cluster, nodes) = makeCluster()
        for host in 0..<20 { register(nodes[0], "h\(host)") }
        for host in 20..<40 { register(nodes[1], "h\(host)") }
        cluster.wait(Duration.second)
        cluster.cut("d1", "d2")
        for _ in 0..<3 {
            for host in 0..<20 { #expect(nodes[0].renew("h\(host)")?.code == 0) }
            for host in 20..<40 { #expect(nodes[1].renew("h\(host)")?.code == 0) }
            cluster.wait(25 * Duration.second)
        }
        cluster.cuts = []
        cluster.wait(20 * Duration.second)
        #expect(nodes[0].hosts().count == 40)
        #expect(nodes[1].hosts().count == 40)
        #expect(nodes[1].node.statistics.evictions == 0)
    }

    @Test func `a version that wins by its clock is not evicted while the client renews elsewhere`()
    {
        let (cluster, nodes) = makeCluster()
        nodes[1].now.wall += Duration.hour
        cluster.cut("d1", "d2")
        register(nodes[1], "h1")
        cluster.wait(60 * Duration.second)
        register(nodes[0], "h1", version: "2")
        cluster.wait(20 * Duration.second)
        cluster.cuts = []
        cluster.wait(20 * Duration.second)
        for node in nodes[...1] {
            #expect(node.hosts() == ["h1"])
            #expect(!node.notes.contains { if case .evicted = $0 { true } else { false } })
        }
    }

    @Test func `renewals missed by a node that was never reached before do not end leases there`() {
        let (cluster, nodes) = makeCluster()
        register(nodes[0], "h1")
        cluster.wait(20 * Duration.second)
        cluster.kill("d1")
        cluster.cut("d1", "d2")
        let (zone1, zone2) = (["d1", "d2"], ["e1", "e2"])
        let again = cluster.start("d1", seeds: zone1, zones: ["sh002": zone2])
        cluster.wait(60 * Duration.second)
        _ = again.renew("h1")
        cluster.cuts = []
        cluster.wait(20 * Duration.second)
        #expect(!nodes[1].notes.contains { if case .evicted = $0 { true } else { false } })
    }

    @Test func `a lease taken over ends when it ends where it came from`() {
        let cluster = TestCluster()
        let first = cluster.start("d1", seeds: ["d1"])
        register(first, "h1")
        cluster.wait(80 * Duration.second)
        let second = cluster.start("d2", seeds: ["d1"])
        #expect(second.hosts() == ["h1"])
        cluster.wait(11 * Duration.second)
        #expect(first.hosts() == [])
        #expect(second.hosts() == [])
    }

    @Test func `more writes than an outbox holds are left to the digest, and arrive`() {
        let cluster = TestCluster()
        let small: (inout NodeSettings) -> Void = { $0.cluster.outboxMax = 10 }
        let first = cluster.start("d1", seeds: ["d1", "d2"], small)
        let second = cluster.start("d2", seeds: ["d1", "d2"], small)
        cluster.wait(5 * Duration.second)
        cluster.cut("d1", "d2")
        cluster.wait(3 * Duration.second)
        for host in 0..<100 { register(first, "h\(host)") }
        #expect(first.node.peerReports(at: first.now)[0].overflows > 0)
        cluster.cuts = []
        cluster.wait(40 * Duration.second)
        #expect(second.hosts().count == 100)
    }

    @Test func `a node of the reference is compared with by fetch all, rarely`() throws {
        let cluster = TestCluster()
        let reference = cluster.record("go")
        let record = Record(
            key: key("theirs"), version: TestNode.start.wall,
            state: .registered(
                Record.Registered(
                    content: content(), status: .up, registered: 1, up: 1, silence: 0)))
        reference.answer = { request in
            request == .fetchAll ? .all([record], skipped: 0) : .answered(code: 0, nil)
        }
        let node = cluster.start("d1", seeds: ["d1", "go"])
        #expect(node.hosts() == ["theirs"])
        register(node, "ours")
        cluster.wait(10 * Duration.second)
        reference.calls = []
        for _ in 0..<12 {
            cluster.wait(25 * Duration.second)
            #expect(node.renew("ours")?.code == 0)
            _ = node.renew("theirs")
        }
        let comparisons = reference.calls.count { $0 == .fetchAll }
        #expect((1...2).contains(comparisons))
        // It has lost what it was told: the comparison tells it again.
        let registers = reference.writes.filter {
            if case .relay(let relay) = $0, case .register = relay.write { return true }
            return false
        }
        #expect(!registers.isEmpty)
    }

    @Test func `clocks minutes apart do not undo a later write`() {
        let cluster = TestCluster()
        let first = cluster.start("d1", seeds: ["d1", "d2"])
        let second = cluster.start("d2", seeds: ["d1", "d2"])
        cluster.wait(5 * Duration.second)
        first.now.wall += 7 * Duration.minute
        register(first, "h1", version: "1")
        cluster.settle()
        register(second, "h1", version: "2")
        cluster.settle()
        for node in [first, second] {
            #expect(node.fetch()?.view?.instances.first?.content == content(version: "2"))
        }
        cancel(second, "h1")
        cluster.settle()
        register(second, "h1", version: "3")
        cluster.wait(20 * Duration.second)
        for node in [first, second] { #expect(node.hosts() == ["h1"]) }
        #expect(latest(first) == latest(second))
    }

    @Test func `one node under two addresses is told once, and itself never`() {
        let cluster = TestCluster()
        let first = cluster.start("d1", seeds: ["d1", "alias1", "d2", "alias2"])
        cluster.aliases = ["alias1": "d1", "alias2": "d2"]
        cluster.start("d2", seeds: ["d1"])
        cluster.wait(10 * Duration.second)
        #expect(first.targets == ["d2"])
        #expect(first.node.nodes.map(\.address) == ["d1", "d2"])
    }

    @Test func `what is listed of a large difference fits into messages of bounded size`() {
        let cluster = TestCluster()
        let sizeMax = 400
        func change(_ settings: inout NodeSettings) {
            settings.cluster.digestLeavesPerRow = 64
            settings.cluster.entriesBytesMax = sizeMax
            // So that the digest has to find what its queue gave up.
            settings.cluster.outboxMax = 40
        }
        let left = cluster.start("d1", seeds: ["d2"], change)
        let right = cluster.start("d2", seeds: ["d1"], change)
        cluster.wait(Duration.second)
        cluster.cut("d1", "d2")
        cluster.wait(12 * Duration.second)
        for host in 0..<120 { register(host % 2 == 0 ? left : right, "h\(host)") }
        cluster.cuts = []
        cluster.wait(20 * Duration.second)
        #expect(left.hosts().count == 120)
        #expect(right.hosts().count == 120)
        var listed = 0
        for call in cluster.traffic {
            guard case .exchange(.entries(let entries)) = call.request else { continue }
            listed += 1
            let size = entries.instances.reduce(0) { $0 + $1.key.packed.count + 16 }
            // The last leaf may go beyond it: a few keys of some twenty bytes.
            #expect(size < sizeMax + 500)
        }
        #expect(listed > 3)
    }

    @Test func `nodes that all start together tell each other nothing that ends a protection`() {
        let cluster = TestCluster()
        let seeds = ["d1", "d2"]
        func protect(_ settings: inout NodeSettings) {
            settings.startupProtection = 60 * Duration.second
        }
        let nodes = seeds.map { cluster.start($0, seeds: seeds, protect) }
        cluster.wait(50 * Duration.second)
        for node in nodes {
            let isProtected = node.node.isProtectedAtStart
            #expect(isProtected)
        }
        register(nodes[0], "h1")
        cluster.wait(15 * Duration.second)
        let third = cluster.start("d3", seeds: seeds, protect)
        cluster.wait(Duration.second)
        let isProtected = third.node.isProtectedAtStart
        #expect(!isProtected)
        #expect(third.hosts() == ["h1"])
    }

    @Test func `a node whose connection ends is looked after at once`() {
        let (cluster, nodes) = makeCluster()
        cluster.wait(20 * Duration.second)
        cluster.kill("d2")
        #expect(nodes[0].node.nodes.map(\.status) == [0, 0])
        nodes[0].hangUp(peer: "d2")
        cluster.settle()
        #expect(nodes[0].node.nodes.map(\.status) == [0, 1])
    }
}
