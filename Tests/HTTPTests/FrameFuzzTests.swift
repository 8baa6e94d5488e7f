import Glibc
import Testing

@testable import DiscoveryHTTP

/// SplitMix64: small, seeded, and the same everywhere.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }

    /// From the environment, so that a failure can be repeated; otherwise a new one every run.
    static func seed() -> UInt64 {
        if let text = unsafe getenv("HTTP_FUZZ_SEED"),
            let seed = unsafe UInt64(String(cString: text))
        {
            return seed
        }
        return UInt64.random(in: 0...UInt64.max)
    }
}

/// How long a fuzz test goes on: so many rounds, and FUZZ_SECONDS.
struct FuzzBudget: Sequence, IteratorProtocol {
    private let rounds: Int
    private let end: ContinuousClock.Instant
    private var round = 0

    init(rounds: Int) {
        let text = unsafe getenv("FUZZ_SECONDS").map { unsafe String(cString: $0) } ?? ""
        self.rounds = rounds
        end = .now + .seconds(Int(text) ?? 0)
    }

    mutating func next() -> Int? {
        if round >= rounds, .now >= end { return nil }
        defer { round += 1 }
        return round
    }
}

/// Streams of requests: sound ones, and ones with a few bytes changed.
struct RequestStreams {
    var generator: SeededGenerator

    private static let fragments = [
        "\r\n", "\n", "\r", " ", "\t", ":", "\u{0}", "0", "5", ";", ",", "#", "?", "/", "//", "+",
        "-",
        "Content-Length: 3\r\n", "Transfer-Encoding: chunked\r\n", "Host: h\r\n", "HTTP/1.0",
        "Expect: 100-continue\r\n", "Connection: close\r\n", "GET ", "HEAD ", "\r\n\r\n", "\u{E9}",
        " x\r\n", "0\r\n\r\n", "http://h", "chunked",
    ].map(latin)

    mutating func sound() -> [UInt8] {
        var bytes: [UInt8] = []
        for _ in 0..<Int.random(in: 1...4, using: &generator) { bytes += message() }
        return bytes
    }

    mutating func mutated() -> [UInt8] {
        let bytes = sound()
        return changed(bytes)
    }

    mutating func changed(_ sound: [UInt8]) -> [UInt8] {
        var bytes = sound
        for _ in 0..<Int.random(in: 1...3, using: &generator) {
            let position = Int.random(in: 0...bytes.count, using: &generator)
            switch Int.random(in: 0..<4, using: &generator) {
            case 0:
                bytes.insert(
                    contentsOf: Self.fragments.randomElement(using: &generator) ?? [], at: position)
            case 1: if position < bytes.count { bytes.remove(at: position) }
            case 2:
                if position < bytes.count {
                    bytes[position] = UInt8.random(in: 0...255, using: &generator)
                }
            default:
                let end = min(bytes.count, position + Int.random(in: 0...12, using: &generator))
                bytes.insert(contentsOf: bytes[position..<end], at: position)
            }
        }
        return bytes
    }

    mutating func splits(of count: Int) -> [Int] {
        (0..<Int.random(in: 1...6, using: &generator)).map { _ in
            Int.random(in: 0...count, using: &generator)
        }
    }

    private mutating func message() -> [UInt8] {
        let body = (0..<Int.random(in: 0...20, using: &generator)).map { _ in
            UInt8.random(in: 0x61...0x7A, using: &generator)
        }
        let target =
            ["/", "/a?b=%20", "/x#y", "/?", "http://h:80/q"]
            .randomElement(using: &generator) ?? "/"
        var head = "X-Mark: \(Int.random(in: 0..<100, using: &generator))\r\nHost: h\r\n"
        switch Int.random(in: 0..<4, using: &generator) {
        case 0: return latin("GET \(target) HTTP/1.1\r\n\(head)\r\n")
        case 1: return latin("HEAD \(target) HTTP/1.1\r\n\(head)\r\n")
        case 2:
            head += "Content-Length: \(body.count)\r\n"
            return latin("POST \(target) HTTP/1.1\r\n\(head)\r\n") + body
        default:
            head += "Transfer-Encoding: chunked\r\n"
            var bytes = latin("PUT \(target) HTTP/1.1\r\n\(head)\r\n")
            var rest = body[...]
            while !rest.isEmpty {
                let piece = rest.prefix(Int.random(in: 1...9, using: &generator))
                rest = rest.dropFirst(piece.count)
                bytes += latin("\(String(piece.count, radix: 16))\r\n") + piece + latin("\r\n")
            }
            return bytes + latin("0\r\n\r\n")
        }
    }
}

@Suite struct `Fuzzing the frame guard` {
    @Test func `what it finds in any bytes does not depend on how they are split`() {
        let seed = SeededGenerator.seed()
        var streams = RequestStreams(generator: SeededGenerator(seed: seed))
        for round in FuzzBudget(rounds: 4000) {
            let bytes = round % 8 == 0 ? streams.sound() : streams.mutated()
            let whole = scanAll(bytes, splitAt: [])
            let splits = streams.splits(of: bytes.count)
            #expect(
                scanAll(bytes, splitAt: splits) == whole,
                "HTTP_FUZZ_SEED=\(seed) round \(round), split at \(splits)")
            if round % 8 == 0 {
                #expect(whole.violation == nil, "HTTP_FUZZ_SEED=\(seed) round \(round)")
                #expect(whole.end == bytes.count, "HTTP_FUZZ_SEED=\(seed) round \(round)")
            }
        }
    }

    @Test func `whatever it accepts, evhttp delivers: the same messages, in order`() throws {
        let seed = SeededGenerator.seed()
        var streams = RequestStreams(generator: SeededGenerator(seed: seed))
        let server = try TestServer(logsAll: true, Self.limits)
        let end = latin("GET /end HTTP/1.1\r\nHost: h\r\n\r\n")
        var checked = 0
        for round in FuzzBudget(rounds: 4000) {
            let bytes = round % 8 == 0 ? streams.sound() : streams.mutated()
            guard let messages = Self.messages(in: bytes) else { continue }
            checked += 1
            let socket = server.connect()
            let position = Int.random(in: 0...bytes.count, using: &streams.generator)
            socket.send(Array(bytes[..<position]))
            socket.send(Array(bytes[position...]) + end)
            var expected: [String] = []
            for message in messages + [end] {
                let parsed = PlainMessage(message)
                expected.append(parsed.description)
                if parsed.closes { break }
            }
            let delivered = expected.map { _ in server.events.nextText() ?? "nothing" }
            #expect(delivered == expected, "HTTP_FUZZ_SEED=\(seed) round \(round)")
            // Each takes a port for a minute.
            if delivered != expected || checked == 5_000 { break }
        }
        #expect(checked > 100)
        let seen = server.group.handles[0].statistics()
        #expect(Violation.allCases.allSatisfy { seen.rejections($0) == 0 })
    }

    private static var limits: HTTPLimits {
        var limits = HTTPLimits()
        limits.headBytesMax = 1024
        limits.bodyBytesMax = 64
        return limits
    }

    /// The messages of a stream in which the guard finds nothing else; nil for all others.
    private static func messages(in bytes: [UInt8]) -> [[UInt8]]? {
        var guardian = FrameGuard(headBytesMax: 1024, bodyBytesMax: 64)
        var messages: [[UInt8]] = []
        var start = 0
        for index in bytes.indices {
            let scan = guardian.scan([bytes[index]].span)
            if scan.violation != nil { return nil }
            if scan.completed == 1 {
                messages.append(Array(bytes[start...index]))
                start = index + 1
            }
        }
        return start == bytes.count ? messages : nil
    }
}

/// A second, plain reading of one message that is known to be sound.
private struct PlainMessage: CustomStringConvertible {
    let description: String
    let closes: Bool

    init(_ bytes: [UInt8]) {
        let all = String(String.UnicodeScalarView(bytes.map { Unicode.Scalar($0) }))
        let parts = Self.split(all, "\r\n\r\n")
        let lines = parts.head.components(of: "\r\n")
        let words = lines[0].split(separator: " ").map(String.init)
        var headers: [(String, String)] = []
        for line in lines.dropFirst() {
            let field = Self.split(line, ":")
            headers.append((field.head.lowercased(), field.rest.trimmed))
        }
        func header(_ name: String) -> String? { headers.first { $0.0 == name }?.1 }

        var body = parts.rest
        if header("transfer-encoding") != nil {
            var joined = ""
            while true {
                let chunk = Self.split(body, "\r\n")
                let count = Int(chunk.head, radix: 16) ?? 0
                if count == 0 { break }
                joined += String(String.UnicodeScalarView(chunk.rest.unicodeScalars.prefix(count)))
                body = String(
                    String.UnicodeScalarView(chunk.rest.unicodeScalars.dropFirst(count + 2)))
            }
            body = joined
        }
        var target = words[1]
        let isAbsolute = target.lowercased().hasPrefix("http")
        if isAbsolute {
            let rest = Self.split(target, "//").rest.unicodeScalars
            target = String(
                String.UnicodeScalarView(rest.drop { !"/?#".unicodeScalars.contains($0) }))
        }
        let parted = Self.split(Self.split(target, "#").head, "?")
        let method =
            switch words[0] {
            case "GET": "get"
            case "POST": "post"
            case "HEAD": "head"
            default: "other"
            }
        description =
            "\(method) \(parted.head)|\(parted.rest) \(header("x-mark") ?? "-") \(body)"
        let connection = header("connection")?.lowercased()
        closes =
            isAbsolute || connection == "close"
            || words[2] == "HTTP/1.0" && connection?.hasPrefix("keep-alive") != true
    }

    private static func split(_ text: String, _ mark: String) -> (head: String, rest: String) {
        let parts = text.components(of: mark, atMost: 2)
        return (parts[0], parts.count > 1 ? parts[1] : "")
    }
}

extension String {
    /// Splits by scalars: CR LF is one `Character`.
    fileprivate func components(of mark: String, atMost limit: Int = .max) -> [String] {
        var parts: [String] = []
        var current = String.UnicodeScalarView()
        var rest = unicodeScalars[...]
        let scalars = mark.unicodeScalars
        while !rest.isEmpty {
            if parts.count + 1 < limit, rest.starts(with: scalars) {
                parts.append(String(current))
                current = String.UnicodeScalarView()
                rest = rest.dropFirst(scalars.count)
            } else if let scalar = rest.popFirst() {
                current.append(scalar)
            }
        }
        return parts + [String(current)]
    }

    /// Without spaces in front and without white space behind, as evhttp cuts a value.
    fileprivate var trimmed: String {
        var scalars = unicodeScalars.drop { $0 == " " }
        while let last = scalars.last, last == " " || last == "\t" { scalars.removeLast() }
        return String(String.UnicodeScalarView(scalars))
    }
}

extension EventLog {
    fileprivate func nextText() -> String? {
        if case .received(_, let text) = next() { text } else { nil }
    }
}
