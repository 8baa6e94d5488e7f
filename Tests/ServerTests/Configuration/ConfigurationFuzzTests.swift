import Foundation
import Testing

@testable import Discovery

/// Mutated configuration files: the reader takes them or names what is wrong, and never crashes.
///
/// CONFIG_FUZZ_SEED repeats a run, FUZZ_SECONDS makes it longer than two seconds.
@Suite struct ConfigurationFuzzTests {
    /// SplitMix64: the same seed gives the same mutations everywhere.
    private struct Generator: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9e37_79b9_7f4a_7c15
            var mixed = state
            mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
            return mixed ^ (mixed >> 31)
        }
    }

    private static let tokens = [
        "[", "]", "[[", "]]", "\"", "'''", "\"\"\"", "=", ".", ",", "{", "}", "\n", "#", "\\u0000",
        "\\", "-9223372036854775808", "9223372036854775807", "0x", "1e999", "nan", "inf", "true",
        "1979-05-27T07:32:00Z", "zones", "nodes", "ä", "\u{0}", "\u{fffd}", "0", "\"40s\"", "[]",
    ]

    @Test func `a mutated file never crashes the reader`() throws {
        let variables = ProcessInfo.processInfo.environment
        let seed = variables["CONFIG_FUZZ_SEED"].flatMap { UInt64($0) } ?? 20_260_102
        let seconds = variables["FUZZ_SECONDS"].flatMap { Int($0) } ?? 2
        print("CONFIG_FUZZ_SEED=\(seed)")
        var generator = Generator(state: seed)

        let folder = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent()
        let root = folder.deletingLastPathComponent().deletingLastPathComponent()
        let originals = try [
            folder.appending(path: "Fixtures/reference.toml"),
            root.appending(path: "config/discovery.toml"),
        ].map { try Array(String(contentsOf: $0, encoding: .utf8).utf8) }

        let end = ContinuousClock.now + .seconds(seconds)
        var runs = 0
        var taken = 0
        while ContinuousClock.now < end {
            var bytes = originals[runs % originals.count]
            // Comments hide most mutations: half of the runs go without.
            if Bool.random(using: &generator) { bytes = Self.withoutComments(bytes) }
            for _ in 0..<Int.random(in: 1...8, using: &generator) {
                Self.mutate(&bytes, &generator)
            }
            let text = String(decoding: bytes, as: UTF8.self)
            if Samples.complaint(about: text).isEmpty { taken += 1 }
            runs += 1
        }
        #expect(runs > 100)
        #expect(taken > 0, "no mutation left a file intact: the mutations are too coarse")
    }

    private static func withoutComments(_ bytes: [UInt8]) -> [UInt8] {
        let lines = bytes.split(separator: UInt8(ascii: "\n"))
        return Array(
            lines.filter { $0.first != UInt8(ascii: "#") }.joined(separator: [UInt8(ascii: "\n")]))
    }

    private static func mutate(_ bytes: inout [UInt8], _ generator: inout Generator) {
        let place = Int.random(in: 0...bytes.count, using: &generator)
        let end = min(bytes.count, place + Int.random(in: 1...40, using: &generator))
        switch Int.random(in: 0..<6, using: &generator) {
        case 0 where place < bytes.count:
            bytes[place] = UInt8.random(in: 0...255, using: &generator)
        case 1: bytes.removeSubrange(place..<end)
        case 2: bytes.insert(contentsOf: bytes[place..<end], at: place)
        case 3:
            let other = Int.random(in: 0...bytes.count, using: &generator)
            bytes.insert(contentsOf: Array(bytes[place..<end]), at: other)
        default:
            let token = tokens[Int.random(in: 0..<tokens.count, using: &generator)]
            bytes.insert(contentsOf: Array(token.utf8), at: place)
        }
    }
}
