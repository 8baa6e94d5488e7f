import BenchSupport
import Glibc

/// Two loops against one. One generator could not keep two loops busy, so two processes of this
/// program drive each node, on cores of their own.
extension Bench {
    private static let generatorCount = 2
    private static let loopCount = 2
    /// A driver's start, end and its last answers.
    private static let driverMillisecondsMax: Int32 = 30_000
    private static let fleet = Fleet(app: "loops", host: "host", perApp: 20)

    /// Renewals of a node with two loops against a node with one.
    func loops() throws -> [Row] {
        let what = "renew, \(Self.loopCount) loops against 1"
        let reach = ">= 1.6x of one loop"
        let cores = launcher.cores.usable.count
        let enough = launcher.cores.fit(servers: Self.loopCount + Self.generatorCount - 1)
        guard enough || options.smoke else {
            let needed = Self.loopCount + Self.generatorCount
            return [
                Row(
                    what: what, reach: reach,
                    measured: "needs \(needed) cores (2 loops, 2 generators), there are \(cores)",
                    verdict: .notMeasured)
            ]
        }
        let one = try launcher.node(loops: 1)
        let two = try launcher.node(loops: Self.loopCount)
        for node in [one, two] { try fill(node, Self.fleet, count: options.instances) }
        var comparison = Comparison()
        for round in 0...options.rounds {
            let first = try drive(two)
            let second = try drive(one)
            // Round 0 warms up.
            if round > 0 { try comparison.add(node: first, baseline: second) }
        }
        try Server.stop([one, two])
        return [
            Row(
                what: what, reach: reach, measured: comparison.measured("two loops", "one loop"),
                ratio: comparison.ratioText,
                verdict: comparison.ratio >= 1.6 ? .reached : .missed)
        ]
    }

    /// The `drive` command: renews at the node of `--port` and prints what came of it.
    func drive() throws {
        let connections = try Connections()
        try connections.open(options.connections, port: options.port)
        let generator = Generator(
            connections, Numbers(count: options.instances, stride: Numbers.scattered))
        let outcome = try generator.closedLoop(
            Self.fleet.renew, until: .seconds(options.seconds))
        let nanoseconds = Int(outcome.seconds * nanosecondsPerSecond)
        let share = Int(outcome.generatorShare * 100)
        Console.result("answers=\(outcome.answers) nanoseconds=\(nanoseconds) share=\(share) ")
    }

    /// Runs the drivers against a node, all at once, and adds up what they did.
    private func drive(_ node: Server) throws -> Outcome {
        let before = node.cpuNanoseconds()
        let drivers = try (0..<Self.generatorCount).map { try Driver(self, node, number: $0) }
        var sum = Outcome()
        for driver in drivers {
            let output = try driver.output(waitingMilliseconds: Self.driverMillisecondsMax)
            guard let answers = output.number(after: "answers="),
                let nanoseconds = output.number(after: "nanoseconds="),
                let share = output.number(after: "share=")
            else { throw BenchError("a driver failed: \(String(decoding: output, as: UTF8.self))") }
            sum.answers += answers
            sum.seconds = max(sum.seconds, Double(nanoseconds) / nanosecondsPerSecond)
            sum.generatorShare = max(sum.generatorShare, Double(share) / 100)
        }
        sum.serverNanoseconds = node.cpuNanoseconds() - before
        return sum
    }
}

/// Another process of this program that sends requests. Ends by itself, or with this one.
private struct Driver {
    private let process: pid_t
    private let log: TemporaryFile

    init(_ bench: Bench, _ node: Server, number: Int) throws {
        log = try TemporaryFile()
        let options = bench.options
        let words = [
            "/proc/self/exe", "drive", "--port", "\(node.port)",
            "--instances", "\(options.instances)", "--seconds", "\(options.seconds)",
            "--connections", "\(max(1, options.connections / 2))", "--limit", "60",
        ]
        let arguments = (words.joined(separator: "\0") + "\0").utf8.map { CChar(bitPattern: $0) }
        // Behind the cores of the servers; not pinned where there are too few.
        let cores = bench.launcher.cores.usable
        let core = cores.count > 2 + number ? cores[2 + number] : -1
        process = unsafe bench_spawn(
            arguments, arguments.count, log.descriptor, max(0, core), core < 0 ? 0 : 1, nil, nil)
        guard process > 0 else { throw BenchError("cannot start a driver: \(-process)") }
    }

    /// All it printed, once it has ended.
    func output(waitingMilliseconds: Int32) throws -> [UInt8] {
        var status: Int32 = 0
        guard unsafe bench_reap(process, waitingMilliseconds, &status) == 1 else {
            kill(process, SIGKILL)
            throw BenchError("a driver did not end")
        }
        return contents(of: log.path)
    }
}
