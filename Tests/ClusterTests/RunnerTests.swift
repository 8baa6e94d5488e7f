import DiscoveryCore
import Testing

@testable import Simulator

/// What becomes of a failure.
@Suite struct RunnerTests {
    /// Finds fault with every write of the second provider, once the world is some seconds old.
    private final class Objector: Checker {
        let name = "objector"
        static let firstTime = 7 * Duration.second

        func see(_ sight: Sight, _ world: World) -> String? {
            guard case .wrote(let write) = sight, world.now > Objector.firstTime,
                write.key == world.providers.dropFirst().first?.key
            else { return nil }
            return "\(Names.text(write.key)) was written"
        }
    }

    @Test func `a failure is made as small as it can be`() throws {
        var options = Options(seed: 5)
        options.limit(providers: 12, watchers: 5, seconds: 30)
        options.changeInterval = 4 * Duration.second
        let first = Runner.run(options, watchedBy: { [Objector()] })
        #expect(first.failure?.check == "objector")
        #expect(!options.activeFaults.isEmpty)

        let least = try #require(Runner.shrink(options, watchedBy: { [Objector()] }))
        #expect(least.failure?.check == "objector")
        #expect(least.options.activeFaults.isEmpty, "\(least.options.description)")
        #expect(least.options.size.providers == 2)
        #expect(least.options.size.watchers == 0)
        #expect(least.options.size.seconds < 30)

        let again = Runner.run(least.options, watchedBy: { [Objector()] })
        #expect(again.digest == least.digest)
    }

    @Test func `what does not fail cannot be made smaller`() {
        var options = Options(seed: 5)
        options.limit(providers: 2, watchers: 1, seconds: 5)
        #expect(Runner.shrink(options) == nil)
    }

    @Test func `a report says how to repeat a failure, and how to make it smaller`() {
        let options = Options(seed: 5)
        let failure = World.Failure(check: "objector", what: "there is one", time: 0)
        let result = Runner.Result(options: options, failure: failure, digest: 0, eventCount: 0)
        let report = Runner.report(result, lines: 1)
        #expect(report.contains("\nobjector, 0.000 s after the start: there is one\n"))
        #expect(report.contains("\nrepeat it with: make simulate FROM=5 SEEDS=1\n"))
        #expect(report.contains(".build/release/simulate --shrink 5\n"))
    }
}
