import Testing

@testable import DiscoveryHTTP

/// A request line and headers that are fine, for tests of what comes before, between and behind.
private let line = "GET / HTTP/1.1\r\n"
private let host = "Host: h\r\n"
private let post = "POST / HTTP/1.1\r\nHost: h\r\n"

struct GuardCase: CustomTestStringConvertible, Sendable {
    let name: String
    let bytes: String
    let violation: Violation?
    /// Good messages in front of the violation, or all of them.
    var completed = 0

    var testDescription: String { name }

    init(_ name: String, _ bytes: String, _ violation: Violation) {
        self.name = name
        self.bytes = bytes
        self.violation = violation
    }

    init(_ name: String, _ bytes: String, completed: Int) {
        self.name = name
        self.bytes = bytes
        violation = nil
        self.completed = completed
    }
}

@Suite struct `The frame guard` {
    static let refused: [GuardCase] = [
        GuardCase(
            "two different lengths", "\(post)Content-Length: 5\r\nContent-Length: 50\r\n\r\n",
            .repeatedContentLength),
        GuardCase(
            "two different lengths, the larger first",
            "\(post)Content-Length: 50\r\nContent-Length: 5\r\n\r\n", .repeatedContentLength),
        GuardCase(
            "the same length twice", "\(post)Content-Length: 5\r\nContent-Length: 5\r\n\r\n",
            .repeatedContentLength),
        GuardCase("a signed length", "\(post)Content-Length: +5\r\n\r\n", .malformedContentLength),
        GuardCase(
            "a negative length", "\(post)Content-Length: -5\r\n\r\n", .malformedContentLength),
        GuardCase(
            "a list of lengths", "\(post)Content-Length: 5, 5\r\n\r\n",
            .malformedContentLength),
        GuardCase("an empty length", "\(post)Content-Length: \r\n\r\n", .malformedContentLength),
        GuardCase(
            "a length of two words", "\(post)Content-Length: 5 5\r\n\r\n",
            .malformedContentLength),
        GuardCase(
            "a hexadecimal length", "\(post)Content-Length: 0x5\r\n\r\n",
            .malformedContentLength),
        GuardCase(
            "a length of 19 digits", "\(post)Content-Length: 1000000000000000000\r\n\r\n",
            .malformedContentLength),
        GuardCase(
            "a length beyond 64 bits", "\(post)Content-Length: 18446744073709551621\r\n\r\n",
            .malformedContentLength),
        GuardCase(
            "a length of 18 digits", "\(post)Content-Length: 999999999999999999\r\n\r\n",
            .bodyTooLarge),
        GuardCase(
            "a space before the colon", "\(post)Content-Length : 5\r\n\r\n",
            .malformedFieldName),
        GuardCase(
            "length and chunked",
            "\(post)Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            .lengthAndTransferEncoding),
        GuardCase(
            "chunked and length",
            "\(post)Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
            .lengthAndTransferEncoding),
        GuardCase(
            "gzip in front of chunked", "\(post)Transfer-Encoding: gzip, chunked\r\n\r\n",
            .unsupportedTransferEncoding),
        GuardCase(
            "chunked twice",
            "\(post)Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            .unsupportedTransferEncoding),
        GuardCase(
            "identity", "\(post)Transfer-Encoding: identity\r\n\r\n",
            .unsupportedTransferEncoding),
        GuardCase(
            "a longer word than chunked", "\(post)Transfer-Encoding: chunkedx\r\n\r\n",
            .unsupportedTransferEncoding),
        GuardCase(
            "half of chunked", "\(post)Transfer-Encoding: chunk\r\n\r\n",
            .unsupportedTransferEncoding),
        GuardCase(
            "a parameter behind chunked", "\(post)Transfer-Encoding: chunked;q=1\r\n\r\n",
            .unsupportedTransferEncoding),
        GuardCase(
            "chunked before HTTP/1.1",
            "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
            .transferEncodingBeforeHTTP11),
        GuardCase("a folded header", "\(line)\(host)X: a\r\n b\r\n\r\n", .foldedField),
        GuardCase("a folded header with a tab", "\(line)\(host)X: a\r\n\tb\r\n\r\n", .foldedField),
        GuardCase("white space in front of the first header", "\(line) X: a\r\n\r\n", .foldedField),
        GuardCase("NUL in a value", "\(line)\(host)X: ad\u{0}min\r\n\r\n", .malformedFieldValue),
        GuardCase("DEL in a value", "\(line)\(host)X: \u{7F}\r\n\r\n", .malformedFieldValue),
        GuardCase("a bare LF ends a header", "\(line)\(host)X: a\n\r\n", .malformedLineEnd),
        GuardCase("a bare LF ends the head", "\(line)\(host)\n", .malformedLineEnd),
        GuardCase(
            "a bare LF ends the request line", "GET / HTTP/1.1\n\(host)\r\n",
            .malformedLineEnd),
        GuardCase("a bare CR in a header", "\(line)\(host)X: a\rb\r\n\r\n", .malformedLineEnd),
        GuardCase(
            "a bare CR behind the request line", "GET / HTTP/1.1\r\(host)\r\n",
            .malformedLineEnd),
        GuardCase("an empty header name", "\(line)\(host): a\r\n\r\n", .malformedFieldName),
        GuardCase("a header without a colon", "\(line)\(host)abc\r\n\r\n", .malformedFieldName),
        GuardCase("a space in a header name", "\(line)\(host)a b: c\r\n\r\n", .malformedFieldName),
        GuardCase(
            "a byte above 127 in a header name", "\(line)\(host)\u{E9}: c\r\n\r\n",
            .malformedFieldName),
        GuardCase("no Host", "\(line)\r\n", .missingHost),
        GuardCase("two Hosts", "\(line)\(host)\(host)\r\n", .repeatedHost),
        GuardCase(
            "two Hosts before HTTP/1.1", "GET / HTTP/1.0\r\n\(host)hOST: b\r\n\r\n",
            .repeatedHost),
        GuardCase("HTTP/1.99", "GET / HTTP/1.99\r\n\(host)\r\n", .unsupportedVersion),
        GuardCase("HTTP/1.2", "GET / HTTP/1.2\r\n\(host)\r\n", .unsupportedVersion),
        GuardCase("HTTP/2.0", "GET / HTTP/2.0\r\n\(host)\r\n", .unsupportedVersion),
        GuardCase(
            "a version beyond 32 bits", "GET / HTTP/1.4294967297\r\n\(host)\r\n",
            .unsupportedVersion),
        GuardCase("http in small letters", "GET / http/1.1\r\n\(host)\r\n", .unsupportedVersion),
        GuardCase(
            "two spaces in front of the version", "GET /  HTTP/1.1\r\n\(host)\r\n",
            .unsupportedVersion),
        GuardCase(
            "a space behind the version", "GET / HTTP/1.1 \r\n\(host)\r\n",
            .unsupportedVersion),
        GuardCase("no version", "GET /\r\n\r\n", .malformedTarget),
        GuardCase("an empty line in front", "\r\n\(line)\(host)\r\n", .malformedMethod),
        GuardCase("an unknown method", "BREW / HTTP/1.1\r\n\(host)\r\n", .unknownMethod),
        GuardCase("a method in small letters", "get / HTTP/1.1\r\n\(host)\r\n", .unknownMethod),
        GuardCase("CONNECT", "CONNECT h:1 HTTP/1.1\r\n\(host)\r\n", .unknownMethod),
        GuardCase(
            "a long unknown method", "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG / HTTP/1.1\r\n\r\n",
            .unknownMethod),
        GuardCase("no method", " / HTTP/1.1\r\n\(host)\r\n", .malformedMethod),
        GuardCase("a control byte in the method", "G\u{1}T / HTTP/1.1\r\n\r\n", .malformedMethod),
        GuardCase("NUL in the target", "GET /a\u{0} HTTP/1.1\r\n\(host)\r\n", .malformedTarget),
        GuardCase("a tab in the target", "GET /a\tb HTTP/1.1\r\n\(host)\r\n", .malformedTarget),
        GuardCase("a target without a slash", "GET a HTTP/1.1\r\n\(host)\r\n", .malformedTarget),
        GuardCase("three slashes first", "GET ///a HTTP/1.1\r\n\(host)\r\n", .malformedTarget),
        GuardCase("two slashes, no name", "GET //[a]/ HTTP/1.1\r\n\(host)\r\n", .malformedTarget),
        GuardCase("an asterisk for GET", "GET * HTTP/1.1\r\n\(host)\r\n", .malformedTarget),
        GuardCase("another scheme", "GET ftp://h/ HTTP/1.1\r\n\(host)\r\n", .malformedTarget),
        GuardCase(
            "a URL without a host", "GET http:///a HTTP/1.1\r\n\(host)\r\n",
            .malformedTarget),
        GuardCase("a URL with a user", "GET http://u@h/ HTTP/1.1\r\n\(host)\r\n", .malformedTarget),
        GuardCase(
            "a URL with a huge port", "GET http://h:65536/ HTTP/1.1\r\n\(host)\r\n",
            .malformedTarget),
        GuardCase("another expectation", "\(post)Expect: 200-ok\r\n\r\n", .unsupportedExpectation),
        GuardCase(
            "a tab in front of the expectation", "\(post)Expect:\t100-continue\r\n\r\n",
            .unsupportedExpectation),
        GuardCase(
            "two expectations",
            "\(post)Expect: 100-continue\r\nExpect: 100-continue\r\n\r\n", .unsupportedExpectation),
        GuardCase(
            "HEAD with a length", "HEAD / HTTP/1.1\r\n\(host)Content-Length: 5\r\n\r\n",
            .bodyNotAllowed),
        GuardCase(
            "TRACE with chunks",
            "TRACE / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\n\r\n", .bodyNotAllowed),
        GuardCase("a body over the limit", "\(post)Content-Length: 65\r\n\r\n", .bodyTooLarge),
        GuardCase("chunk size 0x5", chunks("0x5\r\nhello\r\n0\r\n\r\n"), .malformedChunkSize),
        GuardCase("chunk size +5", chunks("+5\r\nhello\r\n0\r\n\r\n"), .malformedChunkSize),
        GuardCase("last chunk -0", chunks("5\r\nhello\r\n-0\r\n\r\n"), .malformedChunkSize),
        GuardCase(
            "chunk size of nine digits", chunks("000000005\r\nhello\r\n"),
            .malformedChunkSize),
        GuardCase("an empty chunk size", chunks("\r\n"), .malformedChunkSize),
        GuardCase("a chunk extension", chunks("5;a=b\r\nhello\r\n0\r\n\r\n"), .malformedChunkSize),
        GuardCase(
            "a space behind a chunk size", chunks("5 \r\nhello\r\n0\r\n\r\n"),
            .malformedChunkSize),
        GuardCase("a bare LF behind a chunk size", chunks("5\nhello\r\n"), .malformedChunkSize),
        GuardCase(
            "a chunk longer than its size", chunks("5\r\nhello!\r\n0\r\n\r\n"),
            .malformedChunkEnd),
        GuardCase("a bare LF behind a chunk", chunks("5\r\nhello\n0\r\n\r\n"), .malformedChunkEnd),
        GuardCase(
            "chunks over the limit together", chunks("20\r\n\(text(32))\r\n21\r\n"),
            .bodyTooLarge),
        GuardCase("a huge chunk", chunks("ffffffff\r\n"), .bodyTooLarge),
        GuardCase("a folded trailer", chunks("0\r\n a: b\r\n\r\n"), .foldedField),
        GuardCase("a bare LF in trailers", chunks("0\r\na: b\n\r\n"), .malformedLineEnd),
        GuardCase("a head over the limit", "GET /\(text(1024)) HTTP/1.1\r\n", .headTooLarge),
        GuardCase("trailers over the limit", chunks("0\r\na: \(text(1024))\r\n"), .headTooLarge),
    ]

    static let accepted: [GuardCase] = [
        GuardCase("a plain request", "\(line)\(host)\r\n", completed: 1),
        GuardCase("two in a row", "\(line)\(host)\r\n\(line)\(host)\r\n", completed: 2),
        GuardCase("an empty Host", "\(line)Host:\r\n\r\n", completed: 1),
        GuardCase("HTTP/1.0 without Host", "GET / HTTP/1.0\r\n\r\n", completed: 1),
        GuardCase(
            "a length with white space around it", "\(post)Content-Length: \t5 \t\r\n\r\nhello",
            completed: 1),
        GuardCase("a length of zero", "\(post)Content-Length: 0\r\n\r\n", completed: 1),
        GuardCase("GET with a body", "\(line)\(host)Content-Length: 5\r\n\r\nhello", completed: 1),
        GuardCase(
            "HEAD with a length of zero", "HEAD / HTTP/1.1\r\n\(host)Content-Length: 0\r\n\r\n",
            completed: 1),
        GuardCase(
            "a body at the limit", "\(post)Content-Length: 64\r\n\r\n\(text(64))",
            completed: 1),
        GuardCase("chunks", chunks("5\r\nhello\r\n00000001\r\n!\r\n0\r\n\r\n"), completed: 1),
        GuardCase(
            "chunks with capital digits", chunks("A\r\n\(text(10))\r\n0\r\n\r\n"),
            completed: 1),
        GuardCase(
            "chunks with trailers", chunks("0\r\nHost: a\r\nContent-Length: 9\r\n\r\n"),
            completed: 1),
        GuardCase(
            "chunked in capitals",
            "\(post)TRANSFER-ENCODING:CHUNKED\r\n\r\n0\r\n\r\n", completed: 1),
        GuardCase(
            "an absolute URL", "GET HTTP://ex-1.org:80/a?b HTTP/1.1\r\n\(host)\r\n",
            completed: 1),
        GuardCase("two slashes and a name", "GET //a/b HTTP/1.1\r\n\(host)\r\n", completed: 1),
        GuardCase("an absolute https URL", "GET https://h HTTP/1.1\r\n\(host)\r\n", completed: 1),
        GuardCase("OPTIONS for all", "OPTIONS * HTTP/1.1\r\n\(host)\r\n", completed: 1),
        GuardCase(
            "bytes above 127 in target and value",
            "GET /\u{E9} HTTP/1.1\r\n\(host)X: \u{E9}\r\n\r\n",
            completed: 1),
        GuardCase("a tab in a value", "\(line)\(host)X: a\tb\r\n\r\n", completed: 1),
        GuardCase("an empty value", "\(line)\(host)X:\r\n\r\n", completed: 1),
        GuardCase(
            "names that begin like others",
            "\(line)\(host)Content-Lengths: a\r\nHos: b\r\nContent-Type: c\r\n"
                + "Transfer-Encodings: d\r\nExpec: e\r\n"
                + "Content-Length-And-Much-More-Of-It: f\r\n\r\n",
            completed: 1),
        GuardCase(
            "an expectation", "\(post)Expect: 100-Continue\r\nContent-Length: 1\r\n\r\na",
            completed: 1),
        GuardCase("an unfinished request", "\(line)Hos", completed: 0),
    ]

    @Test(arguments: refused) func `refuses`(_ test: GuardCase) {
        #expect(scan(test.bytes, splitAt: []).violation == test.violation)
    }

    @Test(arguments: accepted) func `accepts`(_ test: GuardCase) {
        let scan = scan(test.bytes, splitAt: [])
        #expect(scan.violation == nil)
        #expect(scan.completed == test.completed)
    }

    @Test(arguments: refused + accepted)
    func `finds the same however the bytes are split`(_ test: GuardCase) {
        let whole = scan(test.bytes, splitAt: [])
        let count = Array(latin(test.bytes)).count
        for position in 0...count {
            #expect(scan(test.bytes, splitAt: [position]) == whole, "split at \(position)")
        }
        #expect(scan(test.bytes, splitAt: Array(0...count)) == whole, "one byte at a time")
    }

    @Test func `knows what an unfinished message is waiting for`() {
        var guardian = FrameGuard(headBytesMax: 1024, bodyBytesMax: 64)
        #expect(guardian.phase == .idle)
        for (bytes, phase) in [
            ("P", FrameGuard.Phase.head),
            ("OST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n", .head),
            ("\r\n", .body), ("a", .body), ("b", .idle),
        ] {
            _ = guardian.scan(latin(bytes).span)
            #expect(guardian.phase == phase)
        }
    }

    @Test func `refuses a head at the first byte over the limit, accepts one at the limit`() {
        let head = "\(line)\(host)X: \(text(100))\r\n\r\n"
        var exact = FrameGuard(headBytesMax: head.utf8.count, bodyBytesMax: 0)
        #expect(exact.scan(latin(head).span).completed == 1)
        var smaller = FrameGuard(headBytesMax: head.utf8.count - 1, bodyBytesMax: 0)
        #expect(smaller.scan(latin(head).span).violation == .headTooLarge)
    }

    @Test func `tells tokens from other bytes as the specification lists them`() {
        let marks = Array("!#$%&'*+-.^_`|~".utf8)
        for byte in UInt8.min...UInt8.max {
            let isAlphanumeric =
                (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte)
                || (0x61...0x7A).contains(byte)
            #expect(FrameGuard.isToken(byte) == (isAlphanumeric || marks.contains(byte)), "\(byte)")
        }
    }
}

private func chunks(_ body: String) -> String { "\(post)Transfer-Encoding: chunked\r\n\r\n\(body)" }

private func text(_ count: Int) -> String { String(repeating: "x", count: count) }

/// One byte per character.
func latin(_ text: String) -> [UInt8] {
    text.unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) }
}

private func scan(_ text: String, splitAt positions: [Int]) -> FrameGuard.Scan {
    scanAll(latin(text), splitAt: positions)
}

/// What a guard with small limits finds in all the pieces together.
func scanAll(_ bytes: [UInt8], splitAt positions: [Int]) -> FrameGuard.Scan {
    var guardian = FrameGuard(headBytesMax: 1024, bodyBytesMax: 64)
    var total = FrameGuard.Scan()
    var start = 0
    for end in positions.sorted() + [bytes.count] where end >= start && end <= bytes.count {
        let piece = Array(bytes[start..<end])
        let scan = guardian.scan(piece.span)
        total.completed += scan.completed
        if scan.completed > 0 { total.end = start + scan.end }
        if total.violation == nil { total.violation = scan.violation }
        start = end
    }
    return total
}
