import Glibc

/// What the command line says.
struct Options {
    var command = "help"
    var server = ""
    var baseline = ""
    var mallocCount = ""
    var rounds = 15
    /// Length of one side of one round. Many short rounds: a disturbance spoils one of them.
    var seconds = 0.5
    var connections = 64
    /// Instances that renew in `renew`.
    var instances = 1_000
    /// Polls in `park` and `wake`.
    var waiters = 10_000
    /// The node that `drive` sends to.
    var port: UInt16 = 0
    /// Instances of the large node in `scale`.
    var scale = 100_000
    /// Instances of the large app in `register`.
    var largeApp = 10_000
    /// New instances per round in `register`. Two apps, 16 rounds: fewer cancels than a node keeps
    /// tombstones (100,000), so that no round pays for their overflow.
    var registers = 2_500
    /// How long `park` watches a node do nothing.
    var idleSeconds = 5.0
    /// Time limit of the whole run.
    var limitSeconds = 900
    /// Only the answers count, not the speed.
    var smoke = false

    static let usage = """
        bench-load: measures a discovery node side by side with a minimal evhttp responder.

        usage: bench-load COMMAND [flags]

        commands
          renew      renewals of registered instances
          fetch      fetch, fetchs and polls with news of an app of 20
          register   new instances in apps of 10 and in an app of 10,000
          park       memory and idle CPU of hanging polls; hanging up
          wake       one change, all waiters answered
          scale      memory and renew rate with many instances
          loops      renew with two loops against one
          mallocs    allocations per request
          cluster    three nodes: how fast a change shows, what replication costs, a start
          all        everything, as one table
          smoke      everything in tiny sizes; asserts answers, never speed

        flags (default)
          --server PATH       the node (discovery, next to this program)
          --baseline PATH     the yardstick (bench-baseline, next to this program)
          --malloc-count PATH (libbench-malloc-count.so, next to this program)
          --rounds N          rounds, each node then baseline (15)
          --seconds S         seconds per side and round (0.5)
          --connections N     (64)   --instances N  of renew (1000)
          --waiters N         of park and wake (10000)
          --scale N           instances of scale (100000)   --full  a million of them
          --port N            of drive, which loops starts by itself
          --limit S           ends the run, whatever it does (900)
        """

    /// Reads the arguments after the program's name.
    init(_ arguments: [String]) throws {
        let folder = Self.programFolder()
        server = folder + "/discovery"
        baseline = folder + "/bench-baseline"
        mallocCount = folder + "/libbench-malloc-count.so"
        var rest = arguments[...]
        if let first = rest.popFirst() { command = first }
        if command == "smoke" { shrink() }
        while let flag = rest.popFirst() {
            if flag == "--full" {
                scale = 1_000_000
                continue
            }
            guard let value = rest.popFirst() else { throw BenchError("\(flag) needs a value") }
            try set(flag, value)
        }
        if scale > 9_999_999 || registers * (rounds + 1) > 9_999_999 {
            throw BenchError("instances are numbered with seven digits: too many asked for")
        }
    }

    private mutating func set(_ flag: String, _ value: String) throws {
        switch flag {
        case "--server": server = value
        case "--baseline": baseline = value
        case "--malloc-count": mallocCount = value
        case "--rounds": rounds = try Self.number(flag, value, 1...100)
        case "--seconds": seconds = try Self.seconds(flag, value)
        case "--connections": connections = try Self.number(flag, value, 1...1_000)
        case "--instances": instances = try Self.number(flag, value, 1...1_000_000)
        // The generator may open 20,000 files, some of which are not waiters.
        case "--waiters": waiters = try Self.number(flag, value, 1...19_000)
        case "--scale": scale = try Self.number(flag, value, 1_000...2_000_000)
        case "--port": port = UInt16(try Self.number(flag, value, 1...65_535))
        case "--limit": limitSeconds = try Self.number(flag, value, 1...7_200)
        default: throw BenchError("unknown flag \(flag)\n\(Self.usage)")
        }
    }

    /// Sizes for `smoke`: the same code, under half a minute in a debug build.
    private mutating func shrink() {
        smoke = true
        rounds = 2
        seconds = 0.05
        connections = 8
        instances = 40
        waiters = 100
        scale = 2_000
        largeApp = 200
        registers = 100
        idleSeconds = 0.2
        limitSeconds = 120
    }

    var summary: String {
        "\(rounds) rounds of \(decimal(seconds)) s per side, \(connections) connections,"
            + " \(waiters) waiters, \(scale) instances in scale"
    }

    private static func number(
        _ flag: String, _ value: String, _ range: ClosedRange<Int>
    ) throws -> Int {
        guard let number = Int(value), range.contains(number) else {
            throw BenchError(
                "\(flag) must be \(range.lowerBound) to \(range.upperBound), got \(value)")
        }
        return number
    }

    private static func seconds(_ flag: String, _ value: String) throws -> Double {
        guard let seconds = Double(value), seconds > 0, seconds <= 20 else {
            // Servers close connections that are idle while the other side has its turn.
            throw BenchError("\(flag) must be more than 0 and at most 20, got \(value)")
        }
        return seconds
    }

    /// Where this program lies, as the others are built next to it.
    private static func programFolder() -> String {
        var path = [CChar](repeating: 0, count: 4_096)
        let count = unsafe readlink("/proc/self/exe", &path, path.count)
        let text = String(
            decoding: path[..<max(0, count)].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return text.lastIndex(of: "/").map { String(text[..<$0]) } ?? "."
    }
}
