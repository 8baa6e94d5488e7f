import Glibc

/// Scenarios in which one request is sent over and over: renew, fetch, fetchs, polls with news.
extension Bench {
    private static let perApp = 20

    /// Renewals of all instances in scattered order, as the Go SDK sends them.
    func renew() throws -> [Row] {
        let fleet = Fleet(app: "renew", host: "host", perApp: Self.perApp)
        let node = try launcher.node()
        try fill(node, fleet, count: options.instances)
        let comparison = try compare(
            node, fleet.renew, Numbers(count: options.instances, stride: Numbers.scattered))
        try node.stop()
        let good = comparison.ratio >= 0.9 && comparison.tailRatio <= 1.5
        return [
            Row(
                what: "renew, 1 loop, \(options.connections) connections",
                reach: ">= 0.90 of the baseline's rate; p99 <= 1.5x",
                measured: comparison.measured(),
                ratio: "\(comparison.ratioText); p99 \(spread(comparison.tailRatios))",
                latency: comparison.latency(), verdict: good ? .reached : .missed)
        ]
    }

    /// Reads of one app of 20 instances.
    func fetch() throws -> [Row] {
        let fleet = Fleet(app: "fetch", host: "host")
        let node = try launcher.node()
        try fill(node, fleet, count: Self.perApp)
        let requests = [
            ("fetch", fleet.fetch), ("fetchs", fleet.fetchs),
            ("polls with news", fleet.polls(since: 0)),
        ]
        let rows = try requests.map { name, request in
            let comparison = try compare(node, request, Numbers(count: 1)) {
                try keep(node, fleet, count: Self.perApp)
            }
            return Row(
                what: "\(name), \(Self.perApp) instances",
                reach: ">= 0.90 of the baseline's rate", measured: comparison.measured(),
                ratio: comparison.ratioText, latency: comparison.latency(),
                verdict: comparison.ratio >= 0.9 ? .reached : .missed)
        }
        try node.stop()
        return rows
    }

    /// The node against a yardstick that answers the bytes the node just answered.
    func compare(
        _ node: Server, _ request: RequestTemplate, _ numbers: Numbers,
        refresh: () throws -> Void = {}
    ) throws -> Comparison {
        let body = try Control(port: node.port).succeed(request, numbers.first).body
        let baseline = try launcher.baseline(body: body)
        let comparison = try compare(
            node, against: baseline, request, numbers, refresh: refresh)
        try baseline.stop()
        return comparison
    }

    func compare(
        _ node: Server, against other: Server, _ request: RequestTemplate, _ numbers: Numbers,
        refresh: () throws -> Void = {}
    ) throws -> Comparison {
        let count = options.connections
        return try Comparison.run(
            options,
            node: try Generator(node, connections: count, numbers),
            baseline: try Generator(other, connections: count, numbers),
            request, refresh: refresh)
    }
}
