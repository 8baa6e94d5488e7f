import Foundation
import Testing

@testable import Simulator

/// Whole clusters under random faults.
@Suite struct SeedTests {
    @Test(arguments: 0..<4)
    func `no seed breaks a promise`(part: UInt64) {
        for seed in 1 + part * 125...125 + part * 125 {
            var options = Options(seed: seed)
            // A debug build is slow; `make simulate` takes them whole.
            options.limit(providers: 10, watchers: 5, seconds: 40)
            let result = Runner.run(options)
            if result.failure != nil { Issue.record("\(Runner.report(result))") }
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
                    digest = digest &* 31 &+ Runner.run(Options(seed: seed)).digest
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

    @Test func `options that were made smaller can be named on a command line`() {
        var options = Options(seed: 3)
        #expect(options.command == "make simulate FROM=3 SEEDS=1")
        #expect(options.shrinkCommand == ".build/release/simulate --shrink 3")
        options.faults = [.skew, .loss]
        options.remove(.skew)
        options.limit(providers: 2, seconds: 9)
        #expect(
            options.command
                == ".build/release/simulate --from 3 --seeds 1 --without skew --clients 2"
                + " --seconds 9")
        #expect(
            options.shrinkCommand
                == ".build/release/simulate --shrink 3 --without skew --clients 2 --seconds 9")
    }
}
