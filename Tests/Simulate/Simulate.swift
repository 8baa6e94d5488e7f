import ArgumentParser
import Foundation
import Simulator

/// Runs clusters from seeds and reports the ones that break a promise.
@main
struct Simulate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run whole clusters in one thread, from seeds, with faults.")

    @Option(help: "The first seed.") var from: UInt64 = 1
    @Option(help: "How many seeds.") var seeds: UInt64 = 1_000
    @Option(help: "Kinds of faults to leave out, separated by commas.") var without = ""
    @Option(help: "Providers at most.") var clients: Int?
    @Option(help: "Watchers at most.") var watchers: Int?
    @Option(help: "Seconds of faults at most.") var seconds: Int?
    @Option(help: "Make this seed as small as it can be while it fails.") var shrink: UInt64?
    @Option(help: "Stop after so many failures.") var failures = 1
    @Option(help: "Events to print of a failure.") var lines = 60
    @Flag(help: "Print one number for all that happened.") var digest = false
    @Flag(help: "Name each seed before it runs, to know which one ended the process.")
    var announce = false

    func run() throws {
        if let shrink { return try shrinkAndReport(shrink) }
        let clock = ContinuousClock()
        let start = clock.now
        var folded: UInt64 = 0
        var events = 0
        var failed = 0
        for seed in from..<from + seeds {
            if announce { say("seed \(seed)") }
            let result = Runner.run(try options(seed))
            folded = folded &* 31 &+ result.digest
            events += result.eventCount
            guard result.failure != nil else { continue }
            failed += 1
            say(Runner.report(result, lines: lines))
            if failed >= failures { throw ExitCode.failure }
        }
        if digest { return say("digest \(folded)") }
        let spent = clock.now - start
        let seconds = Double(spent.components.attoseconds) / 1e18 + Double(spent.components.seconds)
        say(
            "\(seeds) seeds from \(from), \(events) events, \(failed) failed, "
                + "\(Int(Double(seeds) / max(seconds, 1e-9))) seeds/s")
        if failed > 0 { throw ExitCode.failure }
    }

    /// At once, not when a buffer is full.
    private func say(_ text: String) {
        FileHandle.standardOutput.write(Data("\(text)\n".utf8))
    }

    private func options(_ seed: UInt64) throws -> Options {
        var options = Options(seed: seed)
        for name in without.split(separator: ",") {
            guard let kind = FaultKind(rawValue: String(name)) else {
                let known = FaultKind.allCases.map(\.rawValue).joined(separator: ", ")
                throw ValidationError("\(name) is no kind of fault: \(known)")
            }
            options.remove(kind)
        }
        options.limit(providers: clients, watchers: watchers, seconds: seconds)
        return options
    }

    private func shrinkAndReport(_ seed: UInt64) throws {
        guard let least = Runner.shrink(try options(seed)) else {
            return say("seed \(seed) does not fail")
        }
        say(Runner.report(least, lines: lines))
        throw ExitCode.failure
    }
}
