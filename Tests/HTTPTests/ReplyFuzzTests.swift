import Testing

@testable import DiscoveryHTTP

@Suite struct `Fuzzing the reply reader` {
    private struct Outcome: Equatable {
        var status = 0
        var head: [UInt8] = []
        var body: [UInt8] = []
        var taken = 0
        var isComplete = false
        var failure: CallFailure?
    }

    @Test func `what it makes of any bytes does not depend on how they are split`() {
        let seed = SeededGenerator.seed()
        var streams = RequestStreams(generator: SeededGenerator(seed: seed))
        let rows = `The reply reader`.read + `The reply reader`.refusals
        var outcomes = (replies: 0, refusals: 0)
        for round in FuzzBudget(rounds: 4000) {
            let row = rows[Int.random(in: rows.indices, using: &streams.generator)]
            let bytes = streams.changed(Array(row.bytes.utf8))
            let whole = outcome(bytes, splitAt: [])
            let splits = streams.splits(of: bytes.count).sorted()
            #expect(
                outcome(bytes, splitAt: splits) == whole,
                "HTTP_FUZZ_SEED=\(seed) round \(round), split at \(splits)")
            #expect(whole.taken <= bytes.count)
            #expect(whole.body.count <= 20)
            if whole.isComplete { outcomes.replies += 1 }
            if whole.failure != nil { outcomes.refusals += 1 }
        }
        #expect(outcomes.replies > 100)
        #expect(outcomes.refusals > 100)
    }

    /// What was taken of a refused reply before it was, depends on the pieces.
    private func outcome(_ bytes: [UInt8], splitAt splits: [Int]) -> Outcome {
        var reader = ReplyReader(headBytesMax: 500, bodyBytesMax: 20)
        var taken = 0
        var start = 0
        do throws(CallFailure) {
            for end in splits + [bytes.count] {
                taken += try reader.read(Array(bytes[start..<end]).span)
                start = end
            }
            return Outcome(
                status: reader.status, head: reader.head, body: reader.body, taken: taken,
                isComplete: reader.isComplete)
        } catch {
            return Outcome(failure: error)
        }
    }
}
