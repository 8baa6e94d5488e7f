import DiscoveryHTTP
import Testing

private let get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"

@Suite struct `Serving requests` {
    @Test func `a request is answered with its own target, header and body`() throws {
        let server = try TestServer()
        let socket = server.connect()
        socket.send(
            "POST /a%20b?x=%31&y#f HTTP/1.1\r\nHost: h\r\nx-mark:  m \r\n"
                + "Content-Length: 4\r\n\r\nbody")
        let reply = try #require(socket.receiveReply())
        #expect(reply.statusLine == "HTTP/1.1 200 OK")
        #expect(reply.body == "post /a%20b|x=%31&y m body")
        #expect(reply.header("Content-Type") == "text/plain")
        #expect(reply.header("X-Test") == "yes")
        #expect(reply.headerCount("Date") == 1)
        #expect(reply.headerCount("Content-Length") == 1)
        #expect(reply.header("Connection") == nil)
    }

    @Test(arguments: [
        ("GET /p HTTP/1.1", "get /p|"), ("GET /p? HTTP/1.1", "get /p|"),
        ("GET /p?#f HTTP/1.1", "get /p|"), ("GET /p#f?q HTTP/1.1", "get /p|"),
        ("GET /p?a?b HTTP/1.1", "get /p|a?b"), ("PUT /p?a=%zz HTTP/1.1", "other /p|a=%zz"),
        ("OPTIONS * HTTP/1.1", "other *|"), ("DELETE /%00 HTTP/1.1", "other /%00|"),
        ("GET /:a/../b HTTP/1.1", "get /:a/../b|"),
    ])
    func `the target arrives as it was sent`(_ line: String, _ expected: String) throws {
        let server = try TestServer()
        let socket = server.connect()
        socket.send("\(line)\r\nHost: h\r\n\r\n")
        #expect(socket.receiveReply()?.body == "\(expected) - ")
    }

    // evhttp takes these for requests to a proxy and closes the connection behind the reply.
    @Test(arguments: [
        ("http://other:80/p?q", "/p|q"), ("HTTPS://o/p#f", "/p|"), ("http://o?q", "|q"),
        ("http://o", "|"),
    ])
    func `of an absolute URL, path and query are left`(_ target: String, _ expected: String) throws
    {
        let server = try TestServer()
        let answer = server.exchange("GET \(target) HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(answer.hasSuffix("\r\n\r\nget \(expected) - "))
    }

    @Test func `two requests in one segment are answered in order`() throws {
        let server = try TestServer()
        let socket = server.connect()
        socket.send(
            "GET /one HTTP/1.1\r\nHost: h\r\n\r\nPOST /two HTTP/1.1\r\nHost: h\r\n"
                + "Content-Length: 1\r\n\r\n2")
        #expect(socket.receiveReply()?.body == "get /one| - ")
        #expect(socket.receiveReply()?.body == "post /two| - 2")
    }

    @Test func `a hundred requests in one segment are answered in order`() throws {
        let server = try TestServer()
        let socket = server.connect()
        socket.send((0..<100).map { "GET /\($0) HTTP/1.1\r\nHost: h\r\n\r\n" }.joined())
        for number in 0..<100 { #expect(socket.receiveReply()?.body == "get /\(number)| - ") }
    }

    @Test func `a reply from within received is written at once`() throws {
        let server = try TestServer()
        let socket = server.connect()
        for _ in 0..<3 {
            socket.send(
                "GET /now HTTP/1.1\r\nHost: h\r\n\r\nGET /now?2 HTTP/1.1\r\nHost: h\r\n\r\n")
            #expect(socket.receiveReply()?.body == "get /now| - ")
            #expect(socket.receiveReply()?.body == "get /now|2 - ")
        }
    }

    @Test func `a request sent one byte at a time is answered`() throws {
        let server = try TestServer()
        let socket = server.connect()
        for byte in "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab".utf8 {
            socket.send([byte])
        }
        #expect(socket.receiveReply()?.body == "post /| - ab")
    }

    @Test func `a chunked body arrives joined, at every split`() throws {
        let server = try TestServer()
        let socket = server.connect()
        let bytes = Array(
            ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                + "3\r\nabc\r\n2\r\nde\r\n0\r\nX: y\r\n\r\n").utf8)
        for position in 1..<bytes.count {
            socket.send(Array(bytes[..<position]))
            socket.send(Array(bytes[position...]))
            #expect(socket.receiveReply()?.body == "post /| - abcde")
        }
    }

    @Test func `a GET may carry a body, and the next request is found behind it`() throws {
        let server = try TestServer()
        let socket = server.connect()
        socket.send("GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc" + get)
        #expect(socket.receiveReply()?.body == "get /| - abc")
        #expect(socket.receiveReply()?.body == "get /| - ")
    }

    @Test func `a body larger than one read arrives whole`() throws {
        let server = try TestServer()
        let socket = server.connect()
        let body = String(repeating: "0123456789", count: 26_000)
        socket.send(
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
        #expect(socket.receiveReply()?.body == "post /| - \(body)")
    }

    @Test func `HEAD is answered with the length but without the bytes`() throws {
        let server = try TestServer()
        let socket = server.connect()
        socket.send("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n" + get)
        let head = try #require(socket.receiveReply(toHead: true))
        #expect(head.header("Content-Length") == "10")
        #expect(socket.receiveReply()?.body == "get /| - ")
    }

    @Test func `HTTP 1.0 is closed behind the reply`() throws {
        let server = try TestServer()
        let answer = server.exchange("GET / HTTP/1.0\r\n\r\n")
        #expect(answer.hasPrefix("HTTP/1.0 200 OK\r\n"))
        #expect(answer.hasSuffix("\r\n\r\nget /| - "))
    }

    @Test func `HTTP 1.0 with keep-alive is kept`() throws {
        let server = try TestServer()
        let socket = server.connect()
        for _ in 0..<2 {
            socket.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            let reply = try #require(socket.receiveReply())
            #expect(reply.header("Connection") == "keep-alive")
        }
    }

    @Test func `Connection close is honoured and announced`() throws {
        let server = try TestServer()
        let answer = server.exchange("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        #expect(answer.contains("\r\nConnection: close\r\n"))
        #expect(answer.hasSuffix("get /| - "))
    }

    @Test func `a closing head closes and says so`() throws {
        let server = try TestServer()
        let answer = server.exchange("GET /closing HTTP/1.1\r\nHost: h\r\n\r\n" + get)
        #expect(answer.contains("\r\nConnection: close\r\n"))
        #expect(answer.hasSuffix("get /closing| - "))
    }

    @Test func `an expectation is met before the body is sent`() throws {
        let server = try TestServer()
        let socket = server.connect()
        socket.send(
            "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        #expect(socket.receiveReply()?.statusLine == "HTTP/1.1 100 Continue")
        socket.send("ab")
        #expect(socket.receiveReply()?.body == "post /| - ab")
        socket.send(get)
        #expect(socket.receiveReply()?.body == "get /| - ")
    }

    @Test func `a client that closes its sending side right away gets its reply`() throws {
        let server = try TestServer()
        let socket = server.connect()
        socket.send(get)
        socket.closeSending()
        #expect(socket.receiveAll().hasSuffix("get /| - "))
    }

    @Test func `a large shared body reaches a slow reader whole, and the connection lives on`()
        throws
    {
        let server = try TestServer()
        let socket = server.connect(receiveBufferBytes: 4096)
        socket.send("GET /big HTTP/1.1\r\nHost: h\r\n\r\n" + get)
        let slow = server.statistics { $0.slowReplies == 1 }
        #expect(slow.slowReplies == 1)
        let reply = try #require(socket.receiveReply())
        #expect(reply.body.utf8.count == 8 << 20)
        #expect(reply.body.utf8.allSatisfy { $0 == 0x62 })
        #expect(socket.receiveReply()?.body == "get /| - ")
    }

    @Test func `a reader that leaves in the middle of a large reply costs nothing further`() throws
    {
        let server = try TestServer()
        let socket = server.connect(receiveBufferBytes: 4096)
        socket.send("GET /big HTTP/1.1\r\nHost: h\r\n\r\n")
        _ = socket.receiveSome()
        socket.reset()
        let after = server.statistics { $0.connectionsOpen == 0 && $0.slowReplies == 1 }
        #expect(after.connectionsOpen == 0)
        #expect(server.connect().sendAndReceive(get)?.status == 200)
    }

    @Test func `IPv6 is served`() throws {
        let server = try TestServer(listeners: [ListenerConfiguration(host: "::1", port: 0)])
        let socket = TestSocket(port: server.port, ipv6: true)
        #expect(socket.sendAndReceive(get)?.body == "get /| - ")
    }

    @Test func `each listener is told apart`() throws {
        let server = try TestServer(listeners: [
            ListenerConfiguration(host: "127.0.0.1", port: 0),
            ListenerConfiguration(host: "127.0.0.1", port: 0, sharedByLoops: false),
        ])
        for position in 0...1 {
            let socket = TestSocket(port: server.group.ports[position])
            socket.send("GET /listener HTTP/1.1\r\nHost: h\r\n\r\n")
            #expect(socket.receiveReply()?.body == "listener \(position)")
        }
    }

    @Test func `the client's address can be asked for`() throws {
        let server = try TestServer()
        let reply = server.connect().sendAndReceive("GET /address HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(reply?.body == "127.0.0.1")
    }
}

extension TestSocket {
    func sendAndReceive(_ text: String) -> Reply? {
        send(text)
        return receiveReply()
    }
}
