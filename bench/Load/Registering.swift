import Glibc
import Histogram

/// New instances in small apps and in a large one; and very many of them.
extension Bench {
    private static let smallApp = 10
    /// So many rounds take far less than a lease of 90 s.
    private static let roundsPerLease = 8

    /// Registers of hostnames never seen before. Each round adds the same number of instances, to
    /// apps that hold 10 and to one that holds 10,000, and cancels them again, untimed.
    func register() throws -> [Row] {
        let node = try launcher.node()
        let smallCount = options.registers
        let filler = Fleet(app: "small", host: "first", perApp: Self.smallApp)
        try fill(node, filler, count: smallCount)
        let large = Fleet(app: "large", host: "first")
        try fill(node, large, count: options.largeApp)

        let body = try Control(port: node.port).succeed(large.register(), 0).body
        let baseline = try launcher.baseline(body: body)
        var small = Comparison()
        var big = Comparison()
        var smallLatency = Outcome().latency
        var bigLatency = Outcome().latency
        for round in 0...options.rounds {
            if round % Self.roundsPerLease == 0 {
                try keep(node, filler, count: smallCount)
                try keep(node, large, count: options.largeApp)
            }
            let first = try registerRound(
                round, app: "small", perApp: Self.smallApp, node, baseline)
            let second = try registerRound(round, app: "large", perApp: .max, node, baseline)
            // Round 0 warms up.
            guard round > 0 else { continue }
            try small.add(node: first.node, baseline: first.baseline)
            try big.add(node: second.node, baseline: second.baseline)
            smallLatency.add(first.node.latency)
            bigLatency.add(second.node.latency)
        }
        try verify(filler, holds: Self.smallApp, in: node)
        try verify(large, holds: options.largeApp, in: node)
        try Server.stop([baseline, node])
        return registerRows(small, smallLatency, big, bigLatency)
    }

    private func registerRound(
        _ round: Int, app: String, perApp: Int, _ node: Server, _ baseline: Server
    ) throws -> (node: Outcome, baseline: Outcome) {
        let fleet = Fleet(app: app, host: "round\(round)", perApp: perApp)
        let numbers = Numbers(count: options.registers)
        let request = fleet.register()
        let measured = try sendAll(request, numbers, to: node)
        let yardstick = try sendAll(request, numbers, to: baseline)
        let held = perApp == .max ? options.largeApp + options.registers : 2 * perApp
        try Comparison.checkSameBytes(measured, yardstick)
        try verify(fleet, holds: held, in: node)
        try sendAll(fleet.cancel, numbers, to: node)
        return (measured, yardstick)
    }

    private func registerRows(
        _ small: Comparison, _ smallLatency: Histogram<UInt64>, _ big: Comparison,
        _ bigLatency: Histogram<UInt64>
    ) -> [Row] {
        let costs = zip(big.nodeCosts, small.nodeCosts).map { $0 / max(1, $1) }
        let reach = ">= 0.60 of the baseline's rate"
        // "The same": within what rounds differ by on a quiet machine.
        let same = median(costs) <= 1.15
        return [
            Row(
                what: "register, new, apps of \(Self.smallApp)", reach: reach,
                measured: small.measured(), ratio: small.ratioText,
                latency: percentiles(smallLatency) + " closed loop",
                verdict: small.ratio >= 0.6 ? .reached : .missed),
            Row(
                what: "register, new, app of \(options.largeApp)", reach: reach,
                measured: big.measured(), ratio: big.ratioText,
                latency: percentiles(bigLatency) + " closed loop",
                verdict: big.ratio >= 0.6 ? .reached : .missed),
            Row(
                what: "CPU of a register, large app by small", reach: "the same (<= 1.15)",
                measured: "\(duration(median(big.nodeCosts))),"
                    + " \(duration(median(small.nodeCosts))) CPU",
                ratio: spread(costs), verdict: same ? .reached : .missed),
        ]
    }

    /// Memory per instance, and whether a node with many renews as fast as one with few.
    func scale() throws -> [Row] {
        let few = min(1_000, options.scale / 2)
        let fleet = Fleet(app: "scale", host: "host", perApp: 20)
        let empty = try launcher.node()
        try fill(empty, fleet, count: few)
        let node = try launcher.node()
        // What the process itself needs is not charged to the instances.
        _ = try Control(port: node.port).exchange(fleet.fetch)
        let before = try node.residentBytes()
        let start = now()
        try fill(node, fleet, count: options.scale)
        let filledIn = Double(now() - start) / nanosecondsPerSecond
        let resident = try node.residentBytes()

        let count = options.connections
        let many = try Generator(
            node, connections: count, Numbers(count: options.scale, stride: Numbers.scattered))
        let small = try Generator(
            empty, connections: count, Numbers(count: few, stride: Numbers.scattered))
        let comparison = try Comparison.run(options, node: many, baseline: small, fleet.renew)
        try Server.stop([node, empty])
        let each = Double(resident - before) / Double(options.scale)
        return [
            Row(
                what: "memory, \(options.scale) instances",
                reach: "<= 1.2 GB of RSS for a million (1,200 bytes each)",
                measured: "\(decimal(Double(resident) / 1e6, places: 0)) MB,"
                    + " \(decimal(each, places: 0)) bytes each, registered in"
                    + " \(decimal(filledIn, places: 1)) s",
                ratio: decimal(each / 1_200), verdict: each <= 1_200 ? .reached : .missed),
            Row(
                what: "renew, \(options.scale) instances against \(few)",
                reach: "unchanged (>= 0.90)",
                measured: comparison.measured("many", "few"),
                ratio: comparison.ratioText, latency: comparison.latency("few"),
                verdict: comparison.ratio >= 0.9 ? .reached : .missed),
        ]
    }
}
