import Glibc
import Histogram

/// What all scenarios share: starting servers, filling a node, comparing it with the yardstick.
struct Bench {
    let options: Options
    let launcher: Launcher

    init(_ options: Options) {
        self.options = options
        launcher = Launcher(options: options)
    }

    /// One request as often as there are numbers, over fresh connections; all must succeed.
    @discardableResult
    func sendAll(
        _ request: RequestTemplate, _ numbers: Numbers, to server: Server
    ) throws -> Outcome {
        let generator = try Generator(server, connections: options.connections, numbers)
        let outcome = try generator.closedLoop(request, until: .requests(numbers.count))
        guard outcome.answers == numbers.count else {
            throw BenchError("\(outcome.answers) answers to \(numbers.count) requests")
        }
        return outcome
    }

    /// Throws unless the node lists exactly so many instances of app `number` of the fleet.
    func verify(_ fleet: Fleet, number: Int = 0, holds count: Int, in node: Server) throws {
        let control = Control(port: node.port)
        // The template divides: this index lies in that app.
        let reply = try control.succeed(fleet.fetch, number * fleet.perApp)
        let found = reply.body.occurrences(of: "\"hostname\":")
        guard found == count else {
            throw BenchError("\(fleet.appName(number)) holds \(found) instances, not \(count)")
        }
    }

    /// Renews leases that a scenario would outlive.
    func keep(_ node: Server, _ fleet: Fleet, count: Int) throws {
        try sendAll(fleet.renew, Numbers(count: count), to: node)
    }

    /// Registers the first `count` instances of the fleet and checks that its first app has them.
    func fill(_ node: Server, _ fleet: Fleet, count: Int) throws {
        try sendAll(fleet.register(), Numbers(count: count), to: node)
        try verify(fleet, holds: min(count, fleet.perApp), in: node)
    }
}

/// Node and yardstick, measured alternately with the same requests.
struct Comparison {
    private(set) var nodeRates: [Double] = []
    private(set) var baselineRates: [Double] = []
    /// Node by baseline, round by round: the noise of the machine mostly cancels.
    private(set) var ratios: [Double] = []
    private(set) var tailRatios: [Double] = []
    /// CPU nanoseconds per request, and their ratios.
    private(set) var nodeCosts: [Double] = []
    private(set) var baselineCosts: [Double] = []
    private(set) var costRatios: [Double] = []
    private(set) var nodeLatency = Outcome().latency
    private(set) var baselineLatency = Outcome().latency
    /// The rate at which latency was taken, of both.
    private(set) var openRate = 0.0
    private var generatorShareMax = 0.0

    /// The open loop runs at this share of what the slower side can do: busy, but not saturated, so
    /// that latency is the server's and not that of a queue without end.
    private static let openShare = 0.5
    /// Above this share of its core the generator may be what limits the rate.
    private static let generatorShareLimit = 0.95

    mutating func add(node: Outcome, baseline: Outcome) throws {
        guard node.rate > 0, baseline.rate > 0 else { throw BenchError("a round without answers") }
        nodeRates.append(node.rate)
        baselineRates.append(baseline.rate)
        ratios.append(node.rate / baseline.rate)
        nodeCosts.append(node.cost)
        baselineCosts.append(baseline.cost)
        costRatios.append(node.cost / max(1, baseline.cost))
        generatorShareMax = max(generatorShareMax, node.generatorShare, baseline.generatorShare)
    }

    mutating func addLatency(node: Outcome, baseline: Outcome) {
        nodeLatency.add(node.latency)
        baselineLatency.add(baseline.latency)
        let tail = Double(baseline.latency.valueAtPercentile(99))
        tailRatios.append(Double(node.latency.valueAtPercentile(99)) / max(1, tail))
    }

    var ratio: Double { median(ratios) }
    var tailRatio: Double { median(tailRatios) }

    /// Rates and CPU per request of both, and a warning when the generator was the limit.
    func measured(_ node: String = "node", _ baseline: String = "baseline") -> String {
        let costs = (duration(median(nodeCosts)), duration(median(baselineCosts)))
        let rates =
            "\(node) \(Int(median(nodeRates)))/s (\(costs.0) CPU each),"
            + " \(baseline) \(Int(median(baselineRates)))/s (\(costs.1))"
        guard generatorShareMax > Self.generatorShareLimit else { return rates }
        return rates + " (generator at \(Int(generatorShareMax * 100)) % of its core)"
    }

    /// Of the rates, and in brackets of the CPU per request.
    var ratioText: String { "\(spread(ratios)); CPU \(spread(costRatios))" }

    /// Of the node, and of the other in brackets, both at `openRate`.
    func latency(_ other: String = "baseline") -> String {
        guard nodeLatency.totalCount > 0 else { return "-" }
        return "\(percentiles(nodeLatency)) (\(other) \(percentiles(baselineLatency)))"
            + " at \(Int(openRate))/s"
    }

    /// Rounds of closed loop for the rate, then rounds of open loop for the latency.
    /// `refresh` runs before each, untimed: whatever the node would otherwise lose with time.
    static func run(
        _ options: Options, node: Generator, baseline: Generator, _ request: RequestTemplate,
        refresh: () throws -> Void = {}
    ) throws -> Comparison {
        var comparison = Comparison()
        let limit = Limit.seconds(options.seconds)
        _ = try node.closedLoop(request, until: .seconds(options.seconds / 4))
        _ = try baseline.closedLoop(request, until: .seconds(options.seconds / 4))
        for _ in 0..<options.rounds {
            try refresh()
            let first = try node.closedLoop(request, until: limit)
            let second = try baseline.closedLoop(request, until: limit)
            try Self.checkSameBytes(first, second)
            try comparison.add(node: first, baseline: second)
        }
        let slower = min(median(comparison.nodeRates), median(comparison.baselineRates))
        comparison.openRate = max(1, slower * Self.openShare)
        for _ in 0..<options.rounds {
            try refresh()
            comparison.addLatency(
                node: try node.openLoop(
                    request, rate: comparison.openRate, seconds: options.seconds),
                baseline: try baseline.openLoop(
                    request, rate: comparison.openRate, seconds: options.seconds))
        }
        let share = decimal(comparison.generatorShareMax * 100, places: 0)
        Console.progress("  closed loop: the generator used at most \(share) % of its core")
        return comparison
    }

    /// The yardstick answers one captured body; the node's must all be as long.
    static func checkSameBytes(_ node: Outcome, _ baseline: Outcome) throws {
        guard node.bodyBytes == baseline.bodyBytes else {
            throw BenchError(
                "node bodies of \(node.bodyBytes) bytes, baseline of \(baseline.bodyBytes)")
        }
    }
}
