import Glibc

/// Allocations per request, counted by a library preloaded into the servers.
extension Bench {
    private static let appSize = 20

    func mallocs() throws -> [Row] {
        guard unsafe access(options.mallocCount, R_OK) == 0 else {
            throw BenchError("\(options.mallocCount) is missing: build the whole package")
        }
        let fleet = Fleet(app: "mallocs", host: "host")
        let counter = try TemporaryFile()
        let node = try launcher.node(counter: counter)
        try fill(node, fleet, count: Self.appSize)
        let requests = [
            ("renew", fleet.renew), ("polls with news", fleet.polls(since: 0)),
            ("fetch", fleet.fetch),
        ]
        let rows = try requests.map { name, request in
            let body = try Control(port: node.port).succeed(request).body
            let other = try TemporaryFile()
            let baseline = try launcher.baseline(body: body, counter: other)
            let ours = try allocations(per: request, at: node, counter)
            let least = try allocations(per: request, at: baseline, other)
            try baseline.stop()
            return Row(
                what: "allocations per \(name)", reach: "stated",
                measured: "node \(decimal(ours)), baseline \(decimal(least))",
                ratio: decimal(ours / max(0.01, least)), verdict: .shown)
        }
        try node.stop()
        return rows + (try mallocsPassedOn())
    }

    /// What a write costs at the node that takes it, and at one that is told of it.
    private func mallocsPassedOn() throws -> [Row] {
        let count = options.smoke ? 200 : 20_000
        let counters = [try TemporaryFile(), try TemporaryFile()]
        let cluster = try Cluster(launcher, counters: counters)
        let fleet = Fleet(app: "mallocs", host: "host", perApp: Self.appSize)
        let requests = [("register", fleet.register()), ("renew", fleet.renew)]
        let rows = try requests.map { name, request in
            try sendAll(request, Numbers(count: count), to: cluster.nodes[0])
            try cluster.settle()
            let before = try counters.map(Self.count)
            try sendAll(request, Numbers(first: count, count: count), to: cluster.nodes[0])
            try cluster.settle()
            let after = try counters.map(Self.count)
            let each = zip(before, after).map { decimal(Double($1 - $0) / Double(count)) }
            return Row(
                what: "allocations per \(name), passed on to \(Cluster.nodeCount - 1) nodes",
                reach: "stated", measured: "node \(each[0]), each other \(each[1])",
                verdict: .shown)
        }
        for node in cluster.nodes { try verify(fleet, holds: Self.appSize, in: node) }
        try cluster.stop()
        return rows
    }

    /// The difference of two counts, after enough requests for every cache to be warm.
    private func allocations(
        per request: RequestTemplate, at server: Server, _ counter: TemporaryFile
    ) throws -> Double {
        let count = options.smoke ? 200 : 20_000
        let generator = try Generator(server, connections: 4, Numbers(count: Self.appSize))
        _ = try generator.closedLoop(request, until: .requests(count))
        let before = try Self.count(counter)
        _ = try generator.closedLoop(request, until: .requests(count))
        let after = try Self.count(counter)
        return Double(after - before) / Double(count)
    }

    private static func count(_ counter: TemporaryFile) throws -> Int {
        let bytes = contents(of: counter.path)
        guard bytes.count == 8 else {
            throw BenchError("the server does not count: is it linked statically?")
        }
        return bytes.reversed().reduce(0) { $0 << 8 | Int($1) }
    }
}
