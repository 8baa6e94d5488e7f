import DiscoveryCore
import Testing

/// Instances that a node has not heard of for long, and what it may say and believe of them.
struct LateInstanceTests {
    private func record(_ host: String, version: Int64, silence: Int64 = 0) -> Record {
        Record(
            key: key(host), version: version,
            state: .registered(
                Record.Registered(
                    content: content(addrs: ["http://9.9.9.9:9"]), status: .up, registered: 1,
                    up: 1, silence: silence)))
    }

    private func tell(_ node: TestNode, _ record: Record) -> [Record] {
        var changes = Changes(isSameZone: true)
        changes.records = [record]
        let request = node.send { id, _ in .exchanged(id, .changes(changes)) }
        guard case .exchanged(.changes(_, let newer))? = node.take(request) else { return [] }
        return newer
    }

    @Test func `a register is newer than what was evicted here, by whatever clock`() {
        let node = TestNode()
        let ahead = node.now.wall + 300 * Duration.second
        #expect(tell(node, record("h1", version: ahead)).isEmpty)
        node.wait(100 * Duration.second)
        #expect(node.hosts() == [])
        #expect(node.register("h1")?.code == 0)
        // Another node, which was cut off, holds it still.
        let answer = tell(node, record("h1", version: ahead, silence: 60 * Duration.second))
        #expect(answer.map(\.key) == [key("h1")], "what is here is newer")
        #expect(answer.allSatisfy { $0.version > ahead })
    }

    @Test func `an older version does not come back where a newer one ran out`() {
        let node = TestNode()
        let version = node.now.wall
        _ = tell(node, record("h1", version: version + 1))
        node.wait(100 * Duration.second)
        #expect(node.hosts() == [])
        _ = tell(node, record("h1", version: version, silence: 20 * Duration.minute))
        #expect(node.hosts() == [])
        _ = tell(node, record("h1", version: version, silence: Duration.second))
        #expect(node.hosts() == ["h1"], "it has renewed there")
    }

    /// A renewal says no age there: it would begin a new lease.
    @Test func `a node of the reference is not told to renew what is late here`() {
        let cluster = TestCluster()
        let peer = cluster.record("go")
        let node = cluster.start("d1", seeds: ["go"])
        cluster.wait(Duration.second)
        for host in 0..<4 { _ = node.register("h\(host)") }
        cluster.wait(Duration.second)
        peer.answer = { _ in nil }
        #expect(node.renew("h1")?.code == 0)
        cluster.wait(70 * Duration.second)
        #expect(node.renew("h2")?.code == 0)
        peer.answer = { $0 == .fetchAll ? .all([], skipped: 0) : .answered(code: 0, nil) }
        peer.calls = []
        cluster.wait(5 * Duration.second)
        let renewed = peer.calls.compactMap { call -> InstanceKey? in
            guard case .relay(let relay) = call, relay.write == .renew else { return nil }
            return relay.key == key("d1", app: "infra.discovery") ? nil : relay.key
        }
        #expect(renewed == [key("h2")])
    }

    /// Which does not touch the lease there.
    @Test func `a node of the reference is told a set, however long its instance was silent`() {
        let cluster = TestCluster()
        let peer = cluster.record("go")
        let node = cluster.start("d1", seeds: ["go"])
        for host in ["h1", "h2"] { _ = node.register(host) }
        cluster.wait(50 * Duration.second)
        peer.calls = []
        _ = node.set([Setting.Change(key: key("h1"), status: .waiting)])
        cluster.wait(Duration.second)
        let sets = peer.calls.count { if case .set = $0 { true } else { false } }
        #expect(sets == 1)
    }

    /// Two such nodes would keep it alive by way of this one.
    @Test func `a node of the reference is not told of a dead instance as of something new`() {
        let cluster = TestCluster()
        let peer = cluster.record("go")
        var there: Int64?
        peer.answer = { request in
            if request != .fetchAll { return .answered(code: 0, nil) }
            return .all(there.map { [record("h1", version: 7, silence: $0)] } ?? [], skipped: 0)
        }
        let node = cluster.start("d1", seeds: ["go"]) {
            $0.cluster.comparisonInterval = 20 * Duration.second
        }
        func told(_ host: String) -> Int {
            peer.writes.count {
                if case .relay(let relay) = $0 { relay.key == key(host) } else { false }
            }
        }
        let living = (0..<20).map { "live\($0)" }
        for host in living { _ = node.register(host) }
        func live(_ duration: Int64) {
            for _ in 0..<max(1, duration / (20 * Duration.second)) {
                cluster.wait(20 * Duration.second)
                for host in living { _ = node.renew(host) }
            }
        }
        func additions() -> Int {
            node.notes.count {
                if case .added(let instance) = $0 { instance.key == key("h1") } else { false }
            }
        }
        func dead() -> [String] { node.hosts().filter { !$0.hasPrefix("live") } }
        var changes = Changes(isSameZone: false)
        changes.records = [
            record("h1", version: 7, silence: 40 * Duration.second),
            record("h2", version: 7, silence: 20 * Duration.second),
        ]
        _ = node.send { id, _ in .exchanged(id, .changes(changes)) }
        cluster.wait(Duration.second)
        #expect(told("h1") == 0)
        #expect(told("h2") == 1)

        live(120 * Duration.second)
        #expect(dead() == [])
        there = 70 * Duration.second
        live(40 * Duration.second)
        #expect(additions() == 1, "it was told there late")
        there = 20 * Duration.second
        live(40 * Duration.second)
        #expect(dead() == ["h1"], "it renews there")
        #expect(additions() == 2)
    }

    /// What d1's clients renew reaches d3, and d3 tells nobody what a node of its zone has told.
    @Test func `what lives beyond a broken way is asked for before it runs out`() {
        let cluster = TestCluster()
        let seeds = ["d1", "d2", "d3"]
        let nodes = seeds.map { cluster.start($0, seeds: seeds) }
        cluster.wait(Duration.second)
        for host in 0..<20 { _ = nodes[2].register("other\(host)") }
        _ = nodes[0].register("h1")
        cluster.wait(Duration.second)
        cluster.cut("d1", "d2")
        for _ in 0..<20 {
            cluster.wait(30 * Duration.second)
            #expect(nodes[0].renew("h1")?.code == 0)
            for host in 0..<20 { #expect(nodes[2].renew("other\(host)")?.code == 0) }
            #expect(nodes[1].hosts().contains("h1"))
        }
        let evictions = nodes[1].notes.count {
            if case .evicted(key("h1"), _) = $0 { true } else { false }
        }
        #expect(evictions == 0)
        // Asking brings nothing back that is dead.
        for _ in 0..<4 {
            cluster.wait(25 * Duration.second)
            for host in 0..<20 { #expect(nodes[2].renew("other\(host)")?.code == 0) }
        }
        for node in nodes { #expect(!node.hosts().contains("h1")) }
    }
}
