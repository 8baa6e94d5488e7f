import DiscoveryHTTP
import Testing

private let get = "GET /good HTTP/1.1\r\nHost: h\r\n\r\n"
private let post = "POST / HTTP/1.1\r\nHost: h\r\n"

@Suite struct `Refusing bad messages` {
    static let rows: [(String, String, Int, String)] = [
        (
            "conflicting lengths", "\(post)Content-Length: 5\r\nContent-Length: 50\r\n\r\nhello",
            400,
            "there must be one Content-Length"
        ),
        (
            "a signed length", "\(post)Content-Length: +5\r\n\r\nhello", 400,
            "Content-Length must be 1 to 18 digits"
        ),
        (
            "a space before the colon", "\(post)Content-Length : 5\r\n\r\nhello", 400,
            "a header name must be a token directly followed by a colon"
        ),
        (
            "length and chunked",
            "\(post)Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400,
            "Content-Length and Transfer-Encoding exclude each other"
        ),
        (
            "gzip, chunked", "\(post)Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400,
            "Transfer-Encoding must be exactly chunked, once"
        ),
        (
            "chunk size 0x5", "\(post)Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n",
            400,
            "a chunk size must be 1 to 8 hexadecimal digits and nothing else"
        ),
        (
            "a folded header", "GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n c\r\n\r\n", 400,
            "a header must not be continued on the next line"
        ),
        (
            "NUL in a value", "GET / HTTP/1.1\r\nHost: h\r\nA: ad\u{0}min\r\n\r\n", 400,
            "a header value must not contain control bytes"
        ),
        ("bare LF", "GET / HTTP/1.1\nHost: h\n\n", 400, "a line must end with CR LF"),
        (
            "an empty name", "GET / HTTP/1.1\r\nHost: h\r\n: b\r\n\r\n", 400,
            "a header name must be a token directly followed by a colon"
        ),
        ("no Host", "GET / HTTP/1.1\r\n\r\n", 400, "HTTP/1.1 needs a Host header"),
        (
            "HTTP/1.99", "GET / HTTP/1.99\r\nHost: h\r\n\r\n", 400,
            "the version must be HTTP/1.1 or HTTP/1.0"
        ),
        (
            "HEAD with a body", "HEAD / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello", 400,
            "this method must not carry a body"
        ),
        (
            "another expectation", "\(post)Expect: x\r\n\r\n", 400,
            "Expect must be 100-continue, once"
        ),
        (
            "an unknown method", "BREW / HTTP/1.1\r\nHost: h\r\n\r\n", 405,
            "the method is not known here"
        ),
        (
            "a small method", "get / HTTP/1.1\r\nHost: h\r\n\r\n", 405,
            "the method is not known here"
        ),
        (
            "a large body", "\(post)Content-Length: 262145\r\n\r\n", 413,
            "the request body is over 262144 bytes"
        ),
        (
            "a large head", "GET /\(String(repeating: "x", count: 20_000)) HTTP/1.1\r\n", 400,
            "the request head is over 16384 bytes"
        ),
    ]

    @Test(arguments: rows)
    func `a bad message gets one sentence and the connection is closed`(
        _ row: (name: String, bytes: String, status: Int, sentence: String)
    ) throws {
        let server = try TestServer()
        // What follows must not be taken for another request, whatever it looks like.
        let answer = server.exchange(row.bytes + get)
        let reply = try #require(Reply.parse(Array(answer.utf8), toHead: false)?.0)
        #expect(reply.status == row.status)
        #expect(reply.header("Connection") == "close")
        #expect(reply.header("Content-Type") == "text/plain; charset=utf-8")
        #expect(reply.body.hasSuffix(": \(row.sentence)"))
        #expect(answer.hasSuffix(reply.body), "nothing follows")
        #expect(reply.header("Allow") == (row.status == 405 ? "GET, HEAD, POST" : nil))
        let seen = server.statistics { $0.connectionsOpen == 0 && $0.repliesByClass[4] == 1 }
        #expect(seen.requestsReceived == 0)
        #expect(Violation.allCases.map { seen.rejections($0) }.reduce(0, +) == 1)
    }

    @Test(arguments: rows)
    func `good messages in front of a bad one are answered first`(
        _ row: (name: String, bytes: String, status: Int, sentence: String)
    ) throws {
        let server = try TestServer()
        let socket = server.connect()
        socket.send(get + get + row.bytes)
        #expect(socket.receiveReply()?.body == "get /good| - ")
        #expect(socket.receiveReply()?.body == "get /good| - ")
        #expect(socket.receiveReply()?.status == row.status)
        #expect(socket.receiveSome() == nil)
    }

    @Test func `a bad message behind a held one waits for the reply`() throws {
        let server = try TestServer()
        let socket = server.connect()
        socket.send("GET /park HTTP/1.1\r\nHost: h\r\n\r\n")
        let ticket = try #require(server.events.nextTicket())
        socket.send(get + "bad\u{0}")
        socket.send("and more of it")
        #expect(!socket.isReadable(within: 50))
        server.post(ticket, "late")
        #expect(socket.receiveReply()?.body == "late")
        #expect(socket.receiveReply()?.body == "get /good| - ")
        #expect(socket.receiveReply()?.status == 400)
        #expect(socket.receiveSome() == nil)
    }

    @Test func `a bad message behind a slow reply waits for its last byte`() throws {
        let server = try TestServer()
        let socket = server.connect(receiveBufferBytes: 4096)
        socket.send("GET /big HTTP/1.1\r\nHost: h\r\n\r\nbad\u{0}")
        #expect(socket.receiveReply()?.body.utf8.count == 8 << 20)
        #expect(socket.receiveReply()?.status == 400)
        #expect(socket.receiveSome() == nil)
    }

    @Test func `an answer survives a client that is still sending`() throws {
        let server = try TestServer()
        let socket = server.connect()
        socket.send("\(post)Content-Length: 262145\r\n\r\n")
        // More than the limit that is read: in the end the client is cut off, but not before.
        for _ in 0..<8 { socket.send([UInt8](repeating: 0x61, count: 16 * 1024)) }
        #expect(socket.receiveReply()?.status == 413)
    }

    @Test func `a refused client that keeps sending is cut off at the limit`() throws {
        var limits = HTTPLimits()
        limits.lingerBytesMax = 64 * 1024
        limits.lingerSecondsMax = 60
        let server = try TestServer(limits)
        let socket = server.connect()
        socket.send("bad\u{0}")
        #expect(socket.receiveReply()?.status == 400)
        var rounds = 0
        while rounds < 10_000, socket.send([UInt8](repeating: 0x61, count: 16 * 1024)) {
            rounds += 1
        }
        #expect(rounds < 10_000)
    }

    @Test func `a refused client that stays is cut off in time`() throws {
        var limits = HTTPLimits()
        limits.lingerSecondsMax = 1
        let server = try TestServer(limits)
        let socket = server.connect()
        socket.send("bad\u{0}")
        let after = server.statistics { $0.connectionsOpen == 0 && $0.connectionsAccepted == 1 }
        #expect(after.connectionsOpen == 0)
        #expect(socket.receiveReply()?.status == 400)
    }

    @Test func `a head that is dribbled is refused at its deadline`() throws {
        var limits = HTTPLimits()
        limits.headSecondsMax = 1
        let server = try TestServer(limits)
        let socket = server.connect()
        let start = milliseconds()
        for byte in "GET / HTTP/1.1\r\nHost: h\r\nX: and so on, for much longer than allowed".utf8 {
            if socket.isReadable(within: 50) { break }
            socket.send([byte])
        }
        #expect(
            socket.receiveReply()?.body
                == "400 Bad Request: request head not complete within 1 s")
        #expect((900...5000).contains(milliseconds() - start))
    }

    @Test func `a body that is dribbled is refused at its deadline`() throws {
        var limits = HTTPLimits()
        limits.bodySecondsMax = 1
        let server = try TestServer(limits)
        let socket = server.connect()
        socket.send(get + "\(post)Content-Length: 100\r\n\r\n")
        #expect(socket.receiveReply()?.status == 200)
        for byte in String(repeating: "x", count: 99).utf8 {
            if socket.isReadable(within: 50) { break }
            socket.send([byte])
        }
        #expect(
            socket.receiveReply()?.body
                == "400 Bad Request: request body not complete within 1 s")
    }

    @Test func `a connection that says nothing is closed without a word`() throws {
        var limits = HTTPLimits()
        limits.headSecondsMax = 1
        let server = try TestServer(limits)
        let socket = server.connect()
        #expect(socket.receiveAll() == "")
    }

    @Test func `a kept-open connection outlives the head deadline, but not the idle one`() throws {
        var limits = HTTPLimits()
        limits.headSecondsMax = 1
        limits.idleSecondsMax = 2
        let server = try TestServer(limits)
        let socket = server.connect()
        #expect(socket.sendAndReceive(get)?.status == 200)
        #expect(!socket.isReadable(within: 1300))
        #expect(socket.sendAndReceive(get)?.status == 200)
        #expect(socket.receiveAll() == "")
    }

    @Test func `a client that reads nothing of its reply is dropped in time`() throws {
        var limits = HTTPLimits()
        limits.writeSecondsMax = 1
        let server = try TestServer(limits)
        let socket = server.connect(receiveBufferBytes: 4096)
        socket.send("GET /big HTTP/1.1\r\nHost: h\r\n\r\n")
        let after = server.statistics { $0.connectionsClosed == 1 }
        #expect(after.slowReplies == 1)
        #expect(after.connectionsOpen == 0)
    }
}
