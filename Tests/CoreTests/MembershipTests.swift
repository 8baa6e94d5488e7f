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
            case .fetchAll: .all([])
            case .probe, .relay, .set: .answered(code: 0, nil)
            }
        }
        cluster.wait(10 * Duration.second)
        #expect(first.node.nodes.first { $0.address == "d2" }?.status == 0)
        _ = register(first, "h1")
        cluster.settle()
        #expect(!reference.writes.isEmpty)
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
        cluster.wait(10 * Duration.millisecond)
        #expect(first.node.nodes.first { $0.address == "d3" }?.status == 0)
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
        reference.answer = { $0 == .fetchAll ? .all([record]) : .answered(code: 0, nil) }
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
}
