import BenchSupport
import Glibc
import Histogram

/// Scenarios of several nodes of one zone.
extension Bench {
    private static let nodeCount = 3
    private static let perApp = 20
    private static let writesPerSecond = 1_000.0
    private static let visibleNanosecondsMax = 20e6
    private static let replicationRatioMax = 1.5
    private static let startSecondsMax = 3.0
    /// Renewals per second of the cost comparison: far from saturation on either side.
    private static let renewsPerSecond = 5_000.0
    /// Relays that are still under way when the last client has its answer.
    private static let settleMicroseconds: UInt32 = 300_000

    func cluster() throws -> [Row] {
        [try visibility(), try replication(), try startFromPeer()]
    }

    /// Three nodes that know each other, up and listening.
    private func startCluster() throws -> [Server] {
        let ports = try (0..<Self.nodeCount).map { _ in
            let port = bench_free_port()
            guard let port = UInt16(exactly: port), port > 0 else {
                throw BenchError("no free port: errno \(-port)")
            }
            return port
        }
        return try ports.enumerated().map { index, port in
            try launcher.node(host: "bench-\(index + 1)", port: port, seeds: ports, shared: true)
        }
    }

    /// Waits until what is registered at the first node is seen by all, so that they have met.
    private func waitUntilMet(_ nodes: [Server]) throws {
        let fleet = Fleet(app: "met", host: "host", perApp: 1)
        for (index, node) in nodes.enumerated() {
            let control = Control(port: node.port)
            _ = try control.succeed(fleet.register(), index)
            for other in nodes {
                let reader = Control(port: other.port)
                try Waiters.wait("an instance of one node at another") {
                    try reader.exchange(fleet.fetch, index).body.occurrences(of: "\"code\":0,") == 1
                }
            }
        }
    }

    /// How long until a new app shows at all three nodes, while new instances are written at 1,000
    /// per second to all three in turn.
    private func visibility() throws -> Row {
        let nodes = try startCluster()
        try waitUntilMet(nodes)
        let seconds = options.smoke ? 0.5 : 10
        var probes = try Probes(nodes)
        let histogram = try probes.run(seconds: seconds, writesPerSecond: Self.writesPerSecond)
        try Server.stop(nodes)
        let tail = Double(histogram.valueAtPercentile(99))
        return Row(
            what: "change visible on all \(Self.nodeCount) nodes of a zone",
            reach: "p99 <= 20 ms under 1,000 writes/s",
            measured: "p99 \(duration(tail)) of \(histogram.totalCount) changes, under"
                + " \(Int(Double(probes.writes) / seconds)) writes/s"
                + (launcher.cores.fit(servers: Self.nodeCount) ? "" : "; all nodes on one core"),
            latency: percentiles(histogram),
            verdict: tail <= Self.visibleNanosecondsMax ? .reached : .missed)
    }

    /// CPU of all three nodes per renewal against that of a node alone, at the same rate.
    private func replication() throws -> Row {
        let fleet = Fleet(app: "cost", host: "host", perApp: Self.perApp)
        let alone = try launcher.node()
        try fill(alone, fleet, count: options.instances)
        let nodes = try startCluster()
        try waitUntilMet(nodes)
        for node in nodes { try fill(node, fleet, count: options.instances) }
        usleep(Self.settleMicroseconds)
        var ratios: [Double] = []
        var costs: [(one: Double, three: Double)] = []
        for _ in 0..<options.rounds {
            let one = try renewCost([alone], fleet)
            let three = try renewCost(nodes, fleet)
            costs.append((one, three))
            ratios.append(three / max(1, one))
        }
        try Server.stop(nodes + [alone])
        return Row(
            what: "replication, \(Self.nodeCount) nodes against one alone",
            reach: "<= 1.5x the CPU per client renew",
            measured: "\(duration(median(costs.map(\.three)))) together,"
                + " \(duration(median(costs.map(\.one)))) alone, at"
                + " \(Int(Self.renewsPerSecond)) renews/s",
            ratio: spread(ratios),
            verdict: median(ratios) <= Self.replicationRatioMax ? .reached : .missed)
    }

    /// CPU nanoseconds per renewal, what follows the answer included.
    private func renewCost(_ nodes: [Server], _ fleet: Fleet) throws -> Double {
        let generator = try Generator(
            nodes, connections: options.connections,
            Numbers(count: options.instances, stride: Numbers.scattered))
        let before = nodes.reduce(0) { $0 + $1.cpuNanoseconds() }
        let outcome = try generator.openLoop(
            fleet.renew, rate: Self.renewsPerSecond, seconds: options.seconds)
        usleep(Self.settleMicroseconds)
        let used = nodes.reduce(0) { $0 + $1.cpuNanoseconds() } - before
        return Double(used) / Double(outcome.answers)
    }

    /// From the start of a process until it answers for the first and the last app of its peer.
    private func startFromPeer() throws -> Row {
        let fleet = Fleet(app: "start", host: "host", perApp: Self.perApp)
        let count = options.scale < 100_000 ? options.scale : 100_000
        let peer = try launcher.node(host: "bench-1", shared: true)
        try fill(peer, fleet, count: count)
        let start = now()
        let node = try launcher.node(host: "bench-2", seeds: [peer.port], shared: true)
        let control = Control(port: node.port)
        try Waiters.wait("a new node that serves what its peer has") {
            try [0, count - 1].allSatisfy {
                try control.exchange(fleet.fetch, $0).body.occurrences(of: "\"hostname\":")
                    == Self.perApp
            }
        }
        let seconds = Double(now() - start) / nanosecondsPerSecond
        try Server.stop([node, peer])
        return Row(
            what: "start with \(count) instances on a peer", reach: "serving within 3 s",
            measured: "\(decimal(seconds)) s",
            verdict: seconds <= Self.startSecondsMax ? .reached : .missed)
    }
}
