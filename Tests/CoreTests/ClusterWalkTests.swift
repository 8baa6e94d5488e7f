import DiscoveryCore
import Testing

/// The start of a cluster, step by step, as the design of the reference describes it.
struct ClusterWalkTests {
    private func members(_ node: TestNode?) -> [String] {
        node?.hosts(app: "infra.discovery") ?? []
    }

    /// Whom `/nodes` calls reachable: the node itself among them, though it is no relay target.
    private func reachable(_ node: TestNode?) -> [String] {
        (node?.node.nodes ?? []).filter { $0.status == 0 }.map(\.address).sorted()
    }

    @Test func `three nodes started one after another all hold all three`() {
        let cluster = TestCluster()
        let seeds = ["d1", "d2", "d3"]
        cluster.start("d1", seeds: seeds)
        cluster.wait(Duration.second)
        #expect(members(cluster.nodes["d1"]) == ["d1"])
        #expect(cluster.nodes["d1"]?.node.targets == [])
        #expect(reachable(cluster.nodes["d1"]) == ["d1"])

        cluster.start("d2", seeds: seeds)
        cluster.wait(4 * Duration.second)
        for (address, other) in [("d1", "d2"), ("d2", "d1")] {
            #expect(members(cluster.nodes[address]) == ["d1", "d2"])
            #expect(cluster.nodes[address]?.node.targets == [other])
            #expect(reachable(cluster.nodes[address]) == ["d1", "d2"])
        }

        cluster.start("d3", seeds: seeds)
        cluster.wait(4 * Duration.second)
        for address in seeds {
            #expect(members(cluster.nodes[address]) == seeds)
            let others = seeds.filter { $0 != address }
            #expect(cluster.nodes[address]?.node.targets.sorted() == others)
            #expect(reachable(cluster.nodes[address]) == seeds)
            #expect(cluster.nodes[address]?.node.nodes.count == seeds.count)
        }
    }

    @Test func `before it has been heard a seed is a target, afterwards only if it lives`() {
        let cluster = TestCluster()
        let silent = cluster.record("d2")
        silent.answer = { _ in nil }
        let node = cluster.start("d1", seeds: ["d2", "d3"])
        #expect(node.node.targets == ["d2"], "d3 has refused at once")
        cluster.wait(3 * Duration.second)
        #expect(node.node.targets == [])
        silent.answer = { $0 == .probe ? .answered(code: 0, nil) : nil }
        cluster.wait(4 * Duration.second)
        #expect(node.node.targets == ["d2"])
    }

    @Test func `a node that starts takes over what the others hold`() {
        let cluster = TestCluster()
        let first = cluster.start("d1", seeds: ["d1", "d2"])
        #expect(first.register("h1")?.code == 0)
        #expect(first.register("h2", status: .waiting)?.code == 0)
        #expect(first.cancel("h2")?.code == 0)
        cluster.wait(10 * Duration.second)
        let second = cluster.start("d2", seeds: ["d1", "d2"])
        #expect(second.hosts() == ["h1"])
        #expect(second.fetch()?.view?.latest == first.fetch()?.view?.latest)
    }

    @Test func `a member that stops is forgotten, a seed that stops never`() {
        let cluster = TestCluster()
        cluster.start("d1", seeds: ["d1"])
        let second = cluster.start("d2", seeds: ["d1"])
        cluster.wait(Duration.second)
        #expect(cluster.nodes["d1"]?.node.targets == ["d2"])
        var batch = Batch()
        batch.inputs.append(.drained)
        second.step(batch)
        cluster.wait(Duration.second)
        let isFlushed = second.node.isFlushed
        #expect(isFlushed)
        cluster.kill("d2")
        #expect(members(cluster.nodes["d1"]) == ["d1"])
        #expect(cluster.nodes["d1"]?.node.nodes.map(\.address) == ["d1"])

        cluster.start("d2", seeds: ["d1"])
        cluster.wait(Duration.second)
        cluster.kill("d1")
        cluster.wait(200 * Duration.second)
        #expect(members(cluster.nodes["d2"]) == ["d2"])
        #expect(cluster.nodes["d2"]?.node.nodes.map(\.status) == [0, 1])
        cluster.start("d1")
        cluster.wait(5 * Duration.second)
        #expect(cluster.nodes["d2"]?.node.targets == ["d1"])
        #expect(members(cluster.nodes["d1"]) == ["d1", "d2"])
    }
}
