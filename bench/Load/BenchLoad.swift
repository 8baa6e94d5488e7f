import BenchSupport
import Glibc

/// The load generator: runs one command and ends everything it started.
@main
struct BenchLoad {
    /// The most files one process may open.
    private static let openFilesMax: UInt32 = 20_000

    static func main() {
        do {
            let options = try Options(Array(CommandLine.arguments.dropFirst()))
            bench_guard(UInt32(options.limitSeconds), openFilesMax)
            exit(try run(options))
        } catch {
            Console.progress("\(error)")
            exit(1)
        }
    }

    /// The exit status: 1 if a scenario failed. A figure that was not reached is not a failure.
    private static func run(_ options: Options) throws -> Int32 {
        let bench = Bench(options)
        switch options.command {
        case "help", "--help", "-h":
            Console.result(Options.usage)
            return 0
        case "smoke":
            for scenario in Scenario.allCases { _ = try bench.rows(of: scenario) }
            Console.result("smoke: all scenarios gave right answers")
            return 0
        case "drive":
            try bench.drive()
            return 0
        case "all":
            return report(Scenario.allCases, bench)
        default:
            guard let scenario = Scenario(rawValue: options.command) else {
                throw BenchError("unknown command \(options.command)\n\(Options.usage)")
            }
            return report([scenario], bench)
        }
    }

    /// Prints one table of all rows. A scenario that failed is a row that says so.
    private static func report(_ scenarios: [Scenario], _ bench: Bench) -> Int32 {
        var status: Int32 = 0
        let machine = Machine(bench.options)
        Console.result(machine.description + "\n\n" + Row.head)
        for scenario in scenarios {
            do {
                for row in try bench.rows(of: scenario) { Console.result(row.markdown) }
            } catch {
                Console.progress("\(scenario.rawValue): \(error)")
                let reason = "\(error)".split(separator: "\n").first.map(String.init) ?? ""
                let row = Row(
                    what: scenario.rawValue, reach: "-", measured: reason, verdict: .failed)
                Console.result(row.markdown)
                status = 1
            }
        }
        Console.result("\n" + machine.noise)
        return status
    }
}

/// What can be measured; the raw value is the command.
enum Scenario: String, CaseIterable {
    case renew, fetch, register, park, wake, scale, loops, mallocs, cluster
}

extension Bench {
    func rows(of scenario: Scenario) throws -> [Row] {
        Console.progress("\(scenario.rawValue) ...")
        switch scenario {
        case .renew: return try renew()
        case .fetch: return try fetch()
        case .register: return try register()
        case .park: return try park()
        case .wake: return try wake()
        case .scale: return try scale()
        case .loops: return try loops()
        case .mallocs: return try mallocs()
        case .cluster: return try cluster()
        }
    }
}
