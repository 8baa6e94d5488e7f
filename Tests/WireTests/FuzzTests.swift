import Foundation
import Testing

@testable import DiscoveryCore
@testable import DiscoveryWire

/// No input traps, and what is accepted holds what Core relies on. `WIRE_FUZZ_SEED` repeats a run,
/// `WIRE_FUZZ_SECONDS` lengthens it.
@Suite struct FuzzTests {
    static let seed = environment("WIRE_FUZZ_SEED") ?? UInt64.random(in: 0 ... .max)
    static let seconds = environment("WIRE_FUZZ_SECONDS") ?? 2

    private static func environment(_ name: String) -> UInt64? {
        ProcessInfo.processInfo.environment[name].flatMap { UInt64($0) }
    }

    /// Before anything is read, because a trap ends the process.
    static func tellSeed() {
        FileHandle.standardError.write(Data("WIRE_FUZZ_SEED=\(seed)\n".utf8))
    }

    private static let forms = [
        "zone=z&env=e&appid=a&hostname=h&region=r&addrs=http://a:1,grpc://b:2&addrs=c&status=1"
            + #"&version=1&metadata={"a":"b","c":10}&color=red"#
            + "&dirty_timestamp=17&replication=true",
        "appid=a,b,c&env=e&latest_timestamp=1,2,3&zone=z&status=3&format=array",
        "zone=%7A&env=%e4%bd%a0&appid=a%2Cb&hostname=h%2B1&status=%31"
            + "&metadata=%7B%22a%22%3Anull%7D",
        "zone=z&env=e&appid=a&hostname=h1&hostname=h2&status=1,2&metadata={}&metadata=null"
            + "&set_timestamp=9223372036854775807&from_zone=t",
        #"{"zone":"z","env":"e","appid":["a","b"],"hostname":["h"],"status":1,"addrs":["x","y"],"#
            + #""metadata":{"a":1.5,"b":[],"c":"\ud83d\ude00"},"latest_timestamp":[1,2]}"#,
    ]

    private static let pieces = [
        "&", "=", "%", "%00", "%zz", "+", ",", ";", "zone=", "metadata=", "status=", "\"", "\\",
        "{",
        "}", "[", "]", "null", "-", "9223372036854775808", "\u{0}", "\u{FFFD}", "%ff", "%e2%80%a8",
        "1e400", "\\ud800", "\\u", "é", ":", "&&&&", "true", "0", " ", "\u{FEFF}",
    ].map { bytes($0) }

    static func mutated(_ source: [UInt8], _ random: inout SplitMix64) -> [UInt8] {
        var result = source
        for _ in 0..<Int.random(in: 0...6, using: &random) {
            let index = Int.random(in: 0...result.count, using: &random)
            switch Int.random(in: 0..<6, using: &random) {
            case 0 where index < result.count:
                result[index] = UInt8.random(in: 0...255, using: &random)
            case 1 where index < result.count: result.remove(at: index)
            case 2: result.insert(contentsOf: pieces.randomElement(using: &random) ?? [], at: index)
            case 3:
                let end = min(result.count, index + Int.random(in: 0...20, using: &random))
                result.insert(contentsOf: result[index..<end], at: index)
            case 4: result.removeLast(min(result.count, Int.random(in: 0...20, using: &random)))
            default:
                let count = Int.random(in: 0...30, using: &random)
                let piece = pieces.randomElement(using: &random) ?? []
                result.insert(contentsOf: Array(repeating: piece, count: count).joined(), at: index)
            }
        }
        return result
    }

    @Test func `no request traps, and what is accepted is sound`() throws {
        Self.tellSeed()
        var random = SplitMix64(seed: Self.seed)
        var reader = RequestReader()
        var batch = Batch()
        var accepted = 0
        let end = ContinuousClock.now + .seconds(Int64(Self.seconds))
        while ContinuousClock.now < end {
            let form = Self.mutated(Self.forms.randomElement(using: &random) ?? "", &random)
            let query = Bool.random(using: &random) ? form : Self.mutated(bytes("zone=q"), &random)
            let isJSON =
                form.first == UInt8(ascii: "{") || Int.random(in: 0..<8, using: &random) == 0
            let type = bytes(isJSON ? "application/json" : "application/x-www-form-urlencoded")
            let hold = Self.mutated(bytes("40000"), &random)
            for route in Route.allCases {
                batch.removeAll()
                do {
                    _ = try reader.read(
                        route: route, id: RequestID(1), query: query.span, body: form.span,
                        contentType: type.span, holdHeader: hold.span, into: &batch)
                    accepted += 1
                    check(batch)
                } catch {
                    #expect(batch.inputs.isEmpty && batch.bytes.isEmpty)
                    checkAnswer(error)
                }
            }
            _ = Route.find(path: form.span)
        }
        #expect(accepted > 100)
    }

    private func checkAnswer(_ rejection: Rejection) {
        var out: [UInt8] = []
        AnswerWriter.append(rejection.answer, to: &out)
        #expect(String(validating: out, as: UTF8.self) != nil)
        #expect(!out.contains { $0 < 0x20 })
        #expect(!rejection.message.isEmpty && out.count < 1024)
    }

    private func check(_ batch: Batch) {
        #expect(batch.inputs.count == 1)
        switch batch.inputs[0] {
        case .registered(_, let registration):
            checkKey(registration.key.packed, 4)
            let parts = registration.content.unpacked
            #expect(!parts.addrs.isEmpty && registration.dirty >= 0)
            for field in [parts.region, parts.version] + parts.addrs { checkText(field) }
            for entry in parts.metadata { checkText(entry.key + entry.value) }
        case .renewed(_, let renewal): checkKey(Array(batch.bytes[renewal.key.range]), 4)
        case .cancelled(_, let cancellation):
            checkKey(Array(batch.bytes[cancellation.key.range]), 4)
        case .set(_, let setting):
            #expect(!setting.changes.isEmpty)
            for change in setting.changes { checkKey(change.key.packed, 4) }
        case .fetched(_, let fetch):
            checkKey(Array(batch.bytes[fetch.app.range]), 2)
            #expect((1...3).contains(fetch.statuses))
            checkText(Array(batch.bytes[fetch.zone.range]))
        case .balanced(_, let balance):
            checkKey(Array(batch.bytes[balance.app.range]), 2)
            #expect(!balance.zone.isEmpty)
            checkText(Array(batch.bytes[balance.zone.range]))
        case .fetchedMany(_, let fetch): checkTargets(batch, fetch.first, fetch.count)
        case .polled(_, let poll):
            checkTargets(batch, poll.first, poll.count)
            #expect(poll.hold >= 0 && poll.hold <= 30_000_000_000)
            checkText(Array(batch.bytes[poll.zone.range]))
        case .fetchedAll, .askedForNodes: break
        case .exchanged(_, let exchange): check(exchange)
        case .clientLeft, .ticked, .drained, .peerReplied, .peerHungUp, .started, .announced,
            .scheduled:
            Issue.record("no request means that")
        }
    }

    private func checkTargets(_ batch: Batch, _ first: Int, _ count: Int) {
        #expect(first == 0 && count == batch.pollTargets.count && count > 0)
        var seen: Set<[UInt8]> = []
        for target in batch.pollTargets {
            let key = Array(batch.bytes[target.app.range])
            checkKey(key, 2)
            #expect(seen.insert(key).inserted)
        }
    }

    func checkKey(_ packed: [UInt8], _ count: Int) {
        var index = 0
        for _ in 0..<count {
            let end = index + 1 + Int(packed[index])
            #expect(end <= packed.count && end > index + 1)
            let field = Array(packed[index + 1..<end])
            checkText(field)
            #expect(!field.contains { $0 < 0x20 || $0 == 0x7F })
            index = end
        }
        #expect(index == packed.count)
    }

    func checkText(_ field: [UInt8]) {
        #expect(String(validating: field, as: UTF8.self) != nil)
    }

    /// The same rules written the plain way: split first, decode then.
    private func naivePairs(_ form: [UInt8]) -> [[UInt8]] {
        var pairs: [[UInt8]] = []
        for pair in form.split(separator: UInt8(ascii: "&")) {
            let parts = pair.split(
                separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            let name = text(naiveDecoded(parts[0]))
            let isKnown = FieldName.allCases.contains { Array($0.text.utf8) == Array(name.utf8) }
            if !isKnown { continue }
            let value = parts.count == 2 ? naiveDecoded(parts[1]) : []
            pairs.append(bytes(name + "=") + naiveRepaired(value))
        }
        return pairs
    }

    private func naiveDecoded(_ part: ArraySlice<UInt8>) -> [UInt8] {
        var decoded: [UInt8] = []
        var rest = part
        while let byte = rest.popFirst() {
            let digits = rest.prefix(2)
            let isHexadecimal =
                digits.count == 2
                && digits.allSatisfy { Character(Unicode.Scalar($0)).isHexDigit && $0 < 0x80 }
            if byte == UInt8(ascii: "%"), isHexadecimal, let value = UInt8(text(digits), radix: 16)
            {
                decoded.append(value)
                rest = rest.dropFirst(2)
            } else {
                decoded.append(byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
            }
        }
        return decoded
    }

    /// One U+FFFD per byte that no character of the standard library's decoder claims.
    private func naiveRepaired(_ value: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        var index = 0
        while index < value.count {
            let length = (1...4).first { length in
                index + length <= value.count
                    && String(validating: value[index..<index + length], as: UTF8.self) != nil
            }
            result += length.map { Array(value[index..<index + $0]) } ?? [0xEF, 0xBF, 0xBD]
            index += length ?? 1
        }
        return result
    }

    @Test func `the form reader reads what the plain one reads`() throws {
        Self.tellSeed()
        var random = SplitMix64(seed: Self.seed)
        let end = ContinuousClock.now + .seconds(Int64(Self.seconds)) / 2
        while ContinuousClock.now < end {
            let form = Self.mutated(Self.forms.randomElement(using: &random) ?? "", &random)
            #expect(try formPairs(form) == naivePairs(form))
        }
    }
}

extension FuzzTests {
    private static func mutated(_ source: String, _ random: inout SplitMix64) -> [UInt8] {
        mutated(bytes(source), &random)
    }
}
