import DiscoveryHTTP
import Testing

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
}
