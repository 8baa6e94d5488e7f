import DiscoveryCore
import Foundation
import Testing

@Suite struct SimulationTests {
    @Test func `random clients see what a naive model says`() throws {
        let seed = Seed("CORE_SEED")
        var random = seed.generator
        for round in 0..<40 {
            let one = random.next()
            let simulation = Simulation(seed: one, duration: 5 * Duration.minute)
            do {
                try simulation.run()
            } catch {
                Issue.record("\(error); repeat it with \(seed), round \(round)")
                return
            }
        }
    }

    @Test func `the same seed gives the same trace in two processes`() async throws {
        var digests: Set<String> = []
        for _ in 0..<2 {
            let result = await #expect(
                processExitsWith: .success, observing: [\.standardOutputContent]
            ) {
                // Dictionaries are ordered differently in each process.
                var digest: UInt64 = 0
                for seed in 1...20 as ClosedRange<UInt64> {
                    let simulation = Simulation(seed: seed, duration: 5 * Duration.minute)
                    try simulation.run()
                    digest = digest &* 31 &+ simulation.digest
                }
                FileHandle.standardOutput.write(Data("digest \(digest)\n".utf8))
            }
            let bytes = try #require(result?.standardOutputContent)
            let text = String(decoding: bytes, as: UTF8.self)
            digests.insert(
                try #require(
                    text.split(separator: "\n").last { $0.hasPrefix("digest") }.map(String.init)))
        }
        #expect(digests.count == 1, "\(digests)")
    }
}
