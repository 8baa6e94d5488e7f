import Glibc
import Histogram

/// Scenarios of long polls: parked ones, and all of them woken at once.
extension Bench {
    private static let appSize = 20
    /// What a node may use while nothing happens: its own timers, not its pollers.
    private static let idleShareMax = 0.005
    private static let parkedBytesMax = 3.5 * 1024
    private static let forgetNanosecondsMax = 100e6

    /// The timestamp with which a poll of the fleet's first app hangs.
    private func current(_ fleet: Fleet, _ control: Control) throws -> Int {
        let body = try control.succeed(fleet.fetch).body
        let marker = "\"latest_timestamp\":"
        // The last one is the app's; the others belong to instances.
        guard let place = body.lastPosition(of: marker),
            let timestamp = body.number(at: place + marker.utf8.count)
        else { throw BenchError("fetch answered no latest_timestamp") }
        return timestamp
    }

    func park() throws -> [Row] {
        let fleet = Fleet(app: "park", host: "host")
        let node = try launcher.node()
        let admin = try node.admin
        try fill(node, fleet, count: Self.appSize)
        let since = try current(fleet, Control(port: node.port))
        // Allocators and caches first grow to their working size.
        try sendAll(fleet.polls(since: 0), Numbers(count: 1_000), to: node)
        guard try Gauge.pollers(admin) == 0 else { throw BenchError("pollers before any poll") }
        let before = try node.residentBytes()
        let waiters = try Waiters(node, count: options.waiters, fleet.polls(since: since)) {
            try Gauge.pollers(admin)
        }
        let parked = try node.residentBytes()
        let cpu = Double(try waiters.idle(node, seconds: options.idleSeconds))

        let hangingUp = now()
        waiters.connections.hangUp()
        let hungUp = now()
        try Waiters.wait("no pollers") { try Gauge.pollers(admin) == 0 }
        let forgotten = now()
        let after = try node.residentBytes()
        try verify(fleet, holds: Self.appSize, in: node)
        try node.stop()
        let yardstick = try parkAtBaseline()
        return parkRows(
            each: Double(parked - before) / Double(options.waiters), yardstick: yardstick,
            idleShare: cpu / (options.idleSeconds * nanosecondsPerSecond),
            closing: Double(hungUp - hangingUp), forgetting: Double(forgotten - hungUp),
            kept: after - before)
    }

    /// Bytes per request held by the yardstick, for comparison.
    private func parkAtBaseline() throws -> Double {
        let baseline = try launcher.baseline(body: Array("{\"code\":0,}".utf8), hold: true)
        let control = Control(port: baseline.port)
        try sendAll(SDK.get("/"), Numbers(count: 1_000), to: baseline)
        let before = try baseline.residentBytes()
        let waiters = try Waiters(baseline, count: options.waiters, SDK.get("/hold")) {
            try Gauge.held(control)
        }
        let parked = try baseline.residentBytes()
        waiters.connections.reset()
        try baseline.stop()
        return Double(parked - before) / Double(options.waiters)
    }

    private func parkRows(
        each: Double, yardstick: Double, idleShare: Double, closing: Double, forgetting: Double,
        kept: Int
    ) -> [Row] {
        [
            Row(
                what: "parked polls, \(options.waiters)", reach: "<= 3.5 KB of RSS each",
                measured: "\(kilobytes(each)) (baseline \(kilobytes(yardstick)))",
                ratio: decimal(each / max(1, yardstick)),
                verdict: each <= Self.parkedBytesMax ? .reached : .missed),
            Row(
                what: "CPU with \(options.waiters) parked, nothing happening",
                reach: "none (<= 0.5 % of a core)",
                measured: "\(decimal(idleShare * 100)) % over"
                    + " \(decimal(options.idleSeconds, places: 1)) s",
                verdict: idleShare <= Self.idleShareMax ? .reached : .missed),
            Row(
                what: "hung-up pollers, \(options.waiters) at once",
                reach: "gone within 100 ms",
                measured: "\(duration(forgetting)) after the last of them"
                    + " (closing took \(duration(closing))); RSS then"
                    + " \(decimal(Double(kept) / 1e6)) MB above the start",
                verdict: forgetting <= Self.forgetNanosecondsMax ? .reached : .missed),
        ]
    }

    /// One change of an app of 20, all waiters answered; the yardstick releases as many held
    /// requests with bodies of the same length. Fresh connections on both sides in every round, as
    /// both sets together would be more files than a process may open.
    func wake() throws -> [Row] {
        let fleet = Fleet(app: "wake", host: "host")
        let node = try launcher.node()
        let admin = try node.admin
        try fill(node, fleet, count: Self.appSize)
        let body = try Control(port: node.port).succeed(fleet.polls(since: 0)).body
        let baseline = try launcher.baseline(body: body, hold: true)
        let holding = Control(port: baseline.port)
        var wakes: [Waiters.Wake] = []
        var releases: [Waiters.Wake] = []
        // Round 0 warms up. The version changes with every round and keeps its length.
        for round in 0...options.rounds {
            try keep(node, fleet, count: Self.appSize)
            let since = try current(fleet, Control(port: node.port))
            let polls = try Waiters(node, count: options.waiters, fleet.polls(since: since)) {
                try Gauge.pollers(admin)
            }
            let change = fleet.register(version: "1.0.\(round % 9 + 1)")
            let woken = try polls.wake(change, 0)
            polls.connections.reset()
            let held = try Waiters(baseline, count: options.waiters, SDK.get("/hold")) {
                try Gauge.held(holding)
            }
            let released = try held.wake(SDK.get("/release"), 0)
            held.connections.reset()
            guard woken.bodyBytes == released.bodyBytes else {
                throw BenchError("bodies of \(woken.bodyBytes), baseline \(released.bodyBytes)")
            }
            try Waiters.wait("no pollers") { try Gauge.pollers(admin) == 0 }
            guard round > 0 else { continue }
            wakes.append(woken)
            releases.append(released)
        }
        try verify(fleet, holds: Self.appSize, in: node)
        try Server.stop([baseline, node])
        return [wakeRow(wakes, releases)]
    }

    private func wakeRow(_ wakes: [Waiters.Wake], _ releases: [Waiters.Wake]) -> Row {
        let ratios = zip(wakes, releases).map { $0.last / max(1, $1.last) }
        var latency = Outcome().latency
        for wake in wakes { latency.add(wake.latency) }
        let node = (median(wakes.map(\.first)), median(wakes.map(\.last)))
        let yardstick = (median(releases.map(\.first)), median(releases.map(\.last)))
        return Row(
            what: "wake \(options.waiters) waiters, app of \(Self.appSize)",
            reach: "last byte within 1.5x of the baseline",
            measured: "first \(duration(node.0)), last \(duration(node.1));"
                + " baseline first \(duration(yardstick.0)), last \(duration(yardstick.1));"
                + " bodies of \(wakes.first?.bodyBytes.upperBound ?? 0) bytes",
            ratio: spread(ratios), latency: percentiles(latency),
            verdict: median(ratios) <= 1.5 ? .reached : .missed)
    }
}
