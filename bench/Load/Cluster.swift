import Glibc
import Histogram

/// Nodes of one zone that know each other.
struct Cluster {
    static let nodeCount = 3
    /// Renewals are gathered for 200 ms; so much later the last of them has been passed on.
    static let settleMicroseconds: UInt32 = 300_000

    let nodes: [Server]
    private let admins: [Control]

    /// Each node is told of those before it and hears of the others from them, so no port has to be
    /// known before its node listens. `counters`: of allocations, for the first nodes.
    init(_ launcher: Launcher, counters: [TemporaryFile] = []) throws {
        var nodes: [Server] = []
        for index in 0..<Self.nodeCount {
            nodes.append(
                try launcher.node(
                    counter: index < counters.count ? counters[index] : nil,
                    host: "bench-\(index + 1)", seeds: nodes.map(\.port), shared: true))
        }
        self.nodes = nodes
        admins = try nodes.map { try $0.admin }
        for admin in admins {
            for gauge in ["discovery_peer_up", "discovery_peer_target"] {
                try Waiters.wait("the nodes to meet") {
                    try Gauge.sum(of: gauge, admin) == Self.nodeCount - 1
                }
            }
        }
    }

    /// Waits until everybody has been told everything.
    func settle() throws {
        // First, because renewals under way are in no queue; and each look costs a node something.
        usleep(Self.settleMicroseconds)
        for admin in admins {
            try Waiters.wait("nothing to be told") {
                try Gauge.sum(of: "discovery_peer_queue", admin) == 0
            }
        }
    }

    /// Renewals that nodes have told each other.
    func renewalsSent() throws -> Int {
        try admins.reduce(0) {
            try $0 + Gauge.sum(of: "discovery_peer_sent_total", with: "kind=\"renewal\"", $1)
        }
    }

    func stop() throws { try Server.stop(nodes) }
}

/// Scenarios of several nodes of one zone.
extension Bench {
    private static let perApp = 20
    private static let writesPerSecond = 1_000.0
    private static let visibleNanosecondsMax = 20e6
    private static let replicationRatioMax = 1.5
    private static let startSecondsMax = 3.0
    /// Instances by those of `renew`: so many that none renews twice within one batch, which would
    /// be passed on once.
    private static let costInstancesFactor = 20

    func cluster() throws -> [Row] {
        [try visibility(), try replication(), try startFromPeer()]
    }

    /// How long until a new app shows at all nodes, while new instances are written to all in turn.
    private func visibility() throws -> Row {
        let cluster = try Cluster(launcher)
        let seconds = options.smoke ? 0.5 : 10
        var probes = try Probes(cluster.nodes)
        let histogram = try probes.run(seconds: seconds, writesPerSecond: Self.writesPerSecond)
        try cluster.settle()
        for node in cluster.nodes { try verify(Probes.churn, holds: Self.perApp, in: node) }
        try cluster.stop()
        guard histogram.totalCount > 0 else { throw BenchError("no change showed in time") }
        let tail = Double(histogram.valueAtPercentile(99))
        return Row(
            what: "change visible on all \(Cluster.nodeCount) nodes of a zone",
            reach: "p99 <= 20 ms under 1,000 writes/s",
            measured: "p99 \(duration(tail)) of \(histogram.totalCount) changes, under"
                + " \(Int(Double(probes.writes) / seconds)) writes/s"
                + (launcher.cores.fit(servers: Cluster.nodeCount) ? "" : "; nodes on one core"),
            latency: percentiles(histogram),
            verdict: tail <= Self.visibleNanosecondsMax ? .reached : .missed)
    }

    /// CPU of all nodes per renewal against that of a node alone. Three nodes that do not know each
    /// other tell which part of it is no replication: more processes serve fewer requests per turn.
    private func replication() throws -> Row {
        let fleet = Fleet(app: "cost", host: "host", perApp: Self.perApp)
        let count = options.instances * Self.costInstancesFactor
        let alone = try launcher.node(shared: true)
        let apart = try (0..<Cluster.nodeCount).map { _ in try launcher.node(shared: true) }
        for node in [alone] + apart { try fill(node, fleet, count: count) }
        let cluster = try Cluster(launcher)
        try fill(cluster.nodes[0], fleet, count: count)
        try cluster.settle()
        for node in cluster.nodes { try verify(fleet, holds: Self.perApp, in: node) }
        let sent = try cluster.renewalsSent()
        var (answers, costs) = (0, [(one: Double, apart: Double, joined: Double)]())
        for _ in 0..<options.rounds {
            let one = try renew(fleet, count, at: [alone])
            let three = try renew(fleet, count, at: apart)
            let joined = try renew(fleet, count, at: cluster.nodes)
            answers += joined.answers
            costs.append((max(1, one.cost), max(1, three.cost), joined.cost))
        }
        let passed = Double(try cluster.renewalsSent() - sent) / Double(answers)
        try Server.stop([alone] + apart + cluster.nodes)
        let ratios = costs.map { $0.joined / $0.one }
        return Row(
            what: "replication, \(Cluster.nodeCount) nodes together against one alone",
            reach: "<= 1.5x the CPU per client renew",
            measured: "\(duration(median(costs.map(\.joined)))) together,"
                + " \(duration(median(costs.map(\.one)))) alone,"
                + " \(duration(median(costs.map(\.apart)))) as \(Cluster.nodeCount) strangers;"
                + " \(decimal(passed)) passed on for each",
            ratio: "\(spread(ratios)); by strangers \(spread(costs.map { $0.joined / $0.apart }))",
            verdict: median(ratios) <= Self.replicationRatioMax ? .reached : .missed)
    }

    /// Their CPU includes what follows the last answer.
    private func renew(_ fleet: Fleet, _ count: Int, at nodes: [Server]) throws -> Outcome {
        let generator = try Generator(
            nodes, connections: options.connections,
            Numbers(count: count, stride: Numbers.scattered))
        let before = nodes.reduce(0) { $0 + $1.cpuNanoseconds() }
        var outcome = try generator.closedLoop(fleet.renew, until: .seconds(options.seconds))
        usleep(Cluster.settleMicroseconds)
        outcome.serverNanoseconds = nodes.reduce(0) { $0 + $1.cpuNanoseconds() } - before
        return outcome
    }

    /// From the start of a process until it answers for the first and the last app of its peer.
    private func startFromPeer() throws -> Row {
        let fleet = Fleet(app: "start", host: "host", perApp: Self.perApp)
        let count = min(options.scale, 100_000)
        let peer = try launcher.node(host: "bench-1", shared: true)
        try fill(peer, fleet, count: count)
        let start = now()
        let node = try launcher.node(host: "bench-2", seeds: [peer.port], shared: true)
        for app in [0, count / Self.perApp - 1] {
            try verify(fleet, number: app, holds: Self.perApp, in: node)
        }
        let seconds = Double(now() - start) / nanosecondsPerSecond
        let cpu = Double(node.cpuNanoseconds()) / nanosecondsPerSecond
        try Server.stop([node, peer])
        return Row(
            what: "start with \(count) instances on a peer", reach: "serving within 3 s",
            measured: "\(decimal(seconds)) s (\(decimal(cpu)) s CPU)",
            verdict: seconds <= Self.startSecondsMax ? .reached : .missed)
    }
}
