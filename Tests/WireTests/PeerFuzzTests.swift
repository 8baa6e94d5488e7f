import Testing

@testable import DiscoveryCore
@testable import DiscoveryWire

/// No bytes of another node trap or keep a reader busy, and what is accepted is sound. Seed and
/// time as in `FuzzTests`.
@Suite struct PeerFuzzTests {
    private static func untilEnd(_ body: (inout RandomValues) throws -> Void) rethrows {
        FuzzTests.tellSeed()
        var values = RandomValues(seed: FuzzTests.seed)
        let end = ContinuousClock.now + .seconds(Int64(FuzzTests.seconds))
        while ContinuousClock.now < end { try body(&values) }
    }

    private func exchange(_ bytes: [UInt8]) -> Exchange? {
        do { return try ExchangeReader.exchange(bytes.span) } catch {
            #expect(!error.message.isEmpty && error.message.utf8.count < 300)
            return nil
        }
    }

    private func reply(_ bytes: [UInt8]) -> ExchangeReply? {
        do { return try ExchangeReader.reply(bytes.span) } catch {
            #expect(!error.message.isEmpty && error.message.utf8.count < 300)
            return nil
        }
    }

    @Test func `every part of an exchange is refused`() {
        FuzzTests.tellSeed()
        var values = RandomValues(seed: FuzzTests.seed)
        for _ in 0..<20 {
            let question = ExchangeTests.written(values.exchange())
            for count in 0..<question.count { #expect(exchange(Array(question[..<count])) == nil) }
            let answer = ExchangeTests.written(values.reply())
            for count in 0..<answer.count { #expect(reply(Array(answer[..<count])) == nil) }
        }
    }

    /// One byte at a time, which leaves most of it in order, or anything at all.
    private func mutated(_ source: [UInt8], _ values: inout RandomValues) -> [UInt8] {
        if values.chance(30) { return FuzzTests.mutated(source, &values.random) }
        var result = source
        for _ in 0..<Int.random(in: 1...3, using: &values.random) {
            let index = Int.random(in: 0..<source.count, using: &values.random)
            result[index] = UInt8.random(in: 0...255, using: &values.random)
        }
        return result
    }

    private static func withoutSkipped(_ reply: ExchangeReply) -> ExchangeReply {
        switch reply {
        case .page(var page):
            page.skipped = 0
            return .page(page)
        case .entries(var differences):
            differences.skipped = 0
            return .entries(differences)
        case .changes, .same, .rows, .leaves: return reply
        }
    }

    @Test func `no exchange traps, and what is accepted is sound`() throws {
        var accepted = 0
        Self.untilEnd { values in
            let question = mutated(ExchangeTests.written(values.exchange()), &values)
            if let read = exchange(question) {
                accepted += 1
                FuzzTests().check(read)
                #expect(exchange(ExchangeTests.written(read)) == read)
            }
            let answer = mutated(ExchangeTests.written(values.reply()), &values)
            if let read = reply(answer).map(Self.withoutSkipped) {
                accepted += 1
                FuzzTests().check(read)
                #expect(reply(ExchangeTests.written(read)) == read)
            }
            _ = (exchange(answer), reply(question))
        }
        #expect(accepted > 100)
    }

    private static let replies = [
        #"{"code":0,"message":"0","ttl":1,"data":\#(PeerReplyTests.instance())}"#,
        #"{"code":-404,"message":"-404","ttl":1,"data":\#(PeerReplyTests.blank)}"#,
        #"{"code":0,"data":{"a.b":[\#(PeerReplyTests.instance()),"#
            + #"\#(PeerReplyTests.blank)],"c":[]}}"#,
        #"{"code":-400,"message":"Key: 'ArgRenew.Env' Error","ttl":1}"#,
        #"{"code":0,"data":[{"addr":"127.0.0.1:7171","status":0,"zone":"sh001"}]}"#,
    ]

    @Test func `no answer traps, and what is accepted is sound`() {
        var accepted = 0
        Self.untilEnd { values in
            let source = Self.replies.randomElement(using: &values.random) ?? ""
            let body = mutated(bytes(source), &values)
            let type = mutated(bytes("application/octet-stream"), &values)
            for question in PeerReplyReader.Question.allCases {
                let reading = PeerReplyReader.read(
                    question, status: 200, contentType: type.span, body: body.span,
                    now: values.number(Int64.self))
                switch reading {
                case .failed(let sentence), .unable(let sentence), .refused(let sentence),
                    .forbidden(let sentence):
                    #expect(!sentence.isEmpty && sentence.utf8.count < 1_100)
                case .answered(_, let record):
                    accepted += 1
                    if let record { FuzzTests().check(record) }
                case .all(let records, _):
                    accepted += 1
                    for record in records { FuzzTests().check(record, isOfReference: true) }
                case .exchanged: Issue.record("JSON is no exchange")
                }
            }
        }
        #expect(accepted > 100)
    }

    @Test func `no header traps`() {
        Self.untilEnd { values in
            for source in ["Sun, 06 Nov 1994 08:49:37 GMT", "1 0000000000c0ffee"] {
                let value = mutated(bytes(source), &values)
                _ = HTTPDate.read(value.span)
                if let node = NodeHeader.read(value.span) {
                    #expect(NodeHeader.value(node) == text(value).lowercased())
                }
            }
        }
    }
}
