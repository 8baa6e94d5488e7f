import Testing

@testable import DiscoveryHTTP

private let head = "HTTP/1.1 200 OK\r\n"

struct ReplyCase: CustomTestStringConvertible, Sendable {
    let name: String
    let bytes: String
    var body = ""
    var status = 200
    var keeps = true
    /// The end of the stream ends the reply.
    var needsEnd = false
    var failure: CallFailure?

    var testDescription: String { name }
}

private func refused(_ name: String, _ bytes: String, _ reason: String) -> ReplyCase {
    ReplyCase(name: name, bytes: bytes, failure: .malformed(reason: reason))
}

@Suite struct `The reply reader` {
    static let read: [ReplyCase] = [
        ReplyCase(name: "a length", bytes: "\(head)Content-Length: 2\r\n\r\nok", body: "ok"),
        ReplyCase(name: "no body", bytes: "\(head)Content-Length: 0\r\n\r\n"),
        ReplyCase(name: "no reason", bytes: "HTTP/1.1 200\r\ncontent-length:0\r\n\r\n"),
        ReplyCase(
            name: "204", bytes: "HTTP/1.1 204 No Content\r\n\r\n", status: 204),
        ReplyCase(
            name: "304 with a length", bytes: "HTTP/1.1 304 X\r\nContent-Length: 9\r\n\r\n",
            status: 304),
        ReplyCase(
            name: "chunks",
            bytes: "\(head)transfer-encoding: Chunked\r\n\r\n1\r\no\r\n0A\r\n"
                + "0123456789\r\n000\r\nX: y\r\n\r\n", body: "o0123456789"),
        ReplyCase(
            name: "a chunk's extension",
            bytes: "\(head)Transfer-Encoding: chunked\r\n\r\n2;a=\"b\"\r\nok\r\n0\r\n\r\n",
            body: "ok"),
        ReplyCase(
            name: "until close", bytes: "\(head)\r\nok", body: "ok", keeps: false, needsEnd: true),
        ReplyCase(
            name: "close", bytes: "\(head)Connection: x, Close\r\nContent-Length: 0\r\n\r\n",
            keeps: false),
        ReplyCase(
            name: "HTTP/1.0", bytes: "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
            keeps: false),
        ReplyCase(
            name: "HTTP/1.0 kept",
            bytes: "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n"),
        ReplyCase(
            name: "interim replies",
            bytes: "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nContent-Length: 9\r\n\r\n"
                + "\(head)Content-Length: 2\r\n\r\nok", body: "ok"),
        ReplyCase(
            name: "as much as there may be",
            bytes: "\(head)Content-Length: 20\r\n\r\n"
                + String(repeating: "x", count: 20), body: String(repeating: "x", count: 20)),
    ]

    static let refusals: [ReplyCase] = [
        refused("another protocol", "RTSP/1.0 200 OK\r\n", "it does not begin with HTTP/1."),
        refused("HTTP/2", "HTTP/2 200\r\n", "it does not begin with HTTP/1."),
        refused("an empty line first", "\r\n\(head)", "it does not begin with HTTP/1."),
        refused("HTTP/1.2", "HTTP/1.2 200 OK\r\n", "its status line is none"),
        refused("a short status", "HTTP/1.1 20\r\n", "its status line is none"),
        refused("a long status", "HTTP/1.1 2000 OK\r\n", "its status line is none"),
        refused("a worded status", "HTTP/1.1 abc OK\r\n", "its status is no number"),
        refused("a status below 100", "HTTP/1.1 099 OK\r\n", "its status is below 100"),
        refused("a bare LF", "HTTP/1.1 200 OK\n", "a line does not end with CR LF"),
        refused("101", "HTTP/1.1 101 X\r\n\r\n", "it switches protocols"),
        refused("a folded header", "\(head)A: b\r\n c\r\n", "a header has no proper name"),
        refused("no name", "\(head): b\r\n", "a header has no proper name"),
        refused("no colon", "\(head)abc\r\n", "a header has no proper name"),
        refused("a space before the colon", "\(head)A : b\r\n", "a header has no proper name"),
        refused("NUL", "\(head)A: b\0c\r\n", "a header value has a control byte"),
        refused(
            "two lengths", "\(head)Content-Length: 2\r\nContent-Length: 3\r\n",
            "its length is ambiguous"),
        refused(
            "a length and chunks",
            "\(head)Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
            "its length is ambiguous"),
        refused(
            "chunks in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "its length is ambiguous"),
        refused("a signed length", "\(head)Content-Length: +2\r\n", "its length is no number"),
        refused("an empty length", "\(head)Content-Length:\r\n", "its length is ambiguous"),
        refused(
            "gzip", "\(head)Transfer-Encoding: gzip\r\n", "its transfer encoding is not chunked"),
        refused(
            "chunked twice", "\(head)Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            "its transfer encoding is not chunked"),
        refused(
            "a size 0x5", "\(head)Transfer-Encoding: chunked\r\n\r\n0x5\r\n",
            "a chunk has no proper size"),
        refused(
            "no size", "\(head)Transfer-Encoding: chunked\r\n\r\n\r\n",
            "a chunk has no proper size"),
        refused(
            "a long chunk", "\(head)Transfer-Encoding: chunked\r\n\r\n1\r\nok",
            "a chunk is longer than its size"),
        refused(
            "a size ended by LF", "\(head)Transfer-Encoding: chunked\r\n\r\n1\no",
            "a line does not end with CR LF"),
        refused(
            "a large head", "\(head)A: \(String(repeating: "b", count: 1000))",
            "the head is too large"),
        refused(
            "many interim replies",
            String(repeating: "HTTP/1.1 100 Continue\r\n\r\n", count: 50), "the head is too large"),
        refused(
            "large trailers",
            "\(head)Transfer-Encoding: chunked\r\n\r\n0\r\n"
                + String(repeating: "A: b\r\n", count: 200), "a line is too long"),
        ReplyCase(
            name: "a large length", bytes: "\(head)Content-Length: 21\r\n\r\n",
            failure: .replyTooLarge),
        ReplyCase(
            name: "large chunks",
            bytes: "\(head)Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n14\r\n",
            failure: .replyTooLarge),
        ReplyCase(
            name: "large until close",
            bytes: "\(head)\r\n\(String(repeating: "x", count: 21))", failure: .replyTooLarge),
    ]

    @Test(arguments: read)
    func `replies are read, however they are split`(_ row: ReplyCase) throws {
        let bytes = Array(row.bytes.utf8)
        for split in 0...bytes.count {
            var reader = ReplyReader(headBytesMax: 500, bodyBytesMax: 20)
            let rest = Array(bytes[split...]) + (row.needsEnd ? [] : Array("HTTP".utf8))
            let first = try reader.read(Array(bytes[..<split]).span)
            let second = try reader.read(rest.span)
            if row.needsEnd { try reader.ended() }
            #expect(first + second == bytes.count)
            check(reader, row)
        }
        var reader = ReplyReader(headBytesMax: 500, bodyBytesMax: 20)
        for byte in bytes {
            #expect(!reader.isComplete)
            #expect(try reader.read([byte].span) == 1)
        }
        if row.needsEnd { try reader.ended() }
        check(reader, row)
    }

    private func check(_ reader: ReplyReader, _ row: ReplyCase) {
        #expect(reader.isComplete)
        #expect(reader.status == row.status)
        #expect(String(decoding: reader.body, as: UTF8.self) == row.body)
        #expect(reader.keepsOpen == row.keeps)
    }

    @Test(arguments: refusals)
    func `what is no reply is refused, however it is split`(_ row: ReplyCase) throws {
        let bytes = Array(row.bytes.utf8)
        let expected = try #require(row.failure)
        for step in [1, 2, 3, bytes.count] {
            var reader = ReplyReader(headBytesMax: 500, bodyBytesMax: 20)
            #expect(throws: expected) {
                for start in stride(from: 0, to: bytes.count, by: step) {
                    let piece = Array(bytes[start..<min(start + step, bytes.count)])
                    _ = try reader.read(piece.span)
                }
            }
        }
    }

    @Test(arguments: read)
    func `a stream that ends too early is no reply`(_ row: ReplyCase) throws {
        let bytes = Array(row.bytes.utf8)
        let untilClose = row.needsEnd ? bytes.count - row.body.utf8.count : bytes.count
        for count in 0..<untilClose {
            var reader = ReplyReader(headBytesMax: 500, bodyBytesMax: 20)
            _ = try reader.read(Array(bytes[..<count]).span)
            #expect(throws: CallFailure.closed) { try reader.ended() }
        }
    }
}

@Suite struct `The cache of names` {
    private let second: UInt64 = 1_000_000_000

    @Test func `an address is remembered for 30 seconds, a failure for one`() {
        var cache = NameCache()
        #expect(cache.state(of: "a", at: 0) == nil)
        cache.ask("a", at: 0)
        #expect(cache.state(of: "a", at: 100 * second) == .pending)
        cache.answer(ResolvedName(host: "a", outcome: .success(["::1"])), at: 0)
        #expect(
            cache.state(of: "a", at: 30 * second - 1)
                == .found(["::1"], untilNanoseconds: 30 * second))
        #expect(cache.state(of: "a", at: 30 * second) == nil)
        let failure = ResolvedName.Failure(reason: "x")
        cache.answer(ResolvedName(host: "b", outcome: .failure(failure)), at: 0)
        #expect(
            cache.state(of: "b", at: second - 1) == .failed(reason: "x", untilNanoseconds: second))
        #expect(cache.state(of: "b", at: second) == nil)
    }

    @Test func `expired names are dropped when there are many`() {
        var cache = NameCache()
        for number in 0..<10_000 {
            cache.ask("\(number)", at: UInt64(number) * second)
            cache.answer(
                ResolvedName(host: "\(number)", outcome: .success([])), at: UInt64(number) * second)
        }
        #expect(cache.count <= NameCache.countMax)
    }
}

@Suite struct `The line of calls` {
    private func pending(_ id: UInt64, due: UInt64 = .max) -> PendingCall {
        PendingCall(
            call: OutgoingCall(
                id: id, host: "h", port: 1, method: .get, target: "/", timeoutMilliseconds: 1,
                replyBytesMax: 1), deadlineNanoseconds: due)
    }

    @Test func `first in, first out, and a retry in front`() {
        var queue = CallQueue()
        var next: UInt64 = 0
        for id: UInt64 in 0..<100 {
            queue.append(pending(id))
            guard id % 3 == 2 else { continue }
            let taken = queue.removeFirst()
            #expect(taken?.call.id == next)
            if id % 2 == 0, let taken { queue.prepend(taken) } else { next += 1 }
        }
        while let taken = queue.removeFirst() {
            #expect(taken.call.id == next)
            next += 1
        }
        #expect(next == 100 && queue.count == 0 && queue.removeLast() == nil)
    }

    @Test func `those whose time is up leave it`() {
        var queue = CallQueue()
        for id: UInt64 in 0..<10 { queue.append(pending(id, due: id % 3 * 10)) }
        _ = queue.removeFirst()
        #expect(queue.dueNanoseconds == 0)
        #expect(queue.removeOverdue(at: 10).map(\.call.id) == [1, 3, 4, 6, 7, 9])
        #expect(queue.dueNanoseconds == 20)
        #expect(queue.removeFirst()?.call.id == 2)
        #expect(queue.removeLast()?.call.id == 8)
        #expect(queue.count == 1)
    }
}
