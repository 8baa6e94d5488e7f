import DiscoveryHTTP
import Glibc
import Synchronization
import Testing

private let ok = "HTTP/1.1 200 OK\r\nX-Test: yes\r\nContent-Length: 2\r\n\r\nok"

private func answered(_ id: UInt64) -> Event { .answered(id, 200, "yes", "ok") }

@Suite struct `Calling other hosts` {
    @Test func `a request goes out whole and its reply comes back whole`() throws {
        let seen = Mutex<[String]>([])
        let host = ScriptedHost { socket, _ in
            while let request = socket.receiveRequest() {
                seen.withLock { $0.append(request) }
                socket.send(ok)
            }
        }
        let server = try TestServer()
        server.call(
            OutgoingCall(
                id: 7, host: "127.0.0.1", port: host.port, method: .post, target: "/a%20b?x=1",
                headers: [("Content-Type", "text/plain"), ("X-Mark", "m")],
                body: Array("body".utf8), timeoutMilliseconds: 10_000, replyBytesMax: 2))
        #expect(server.events.next() == answered(7))
        server.call(host.call(8, "/get"))
        #expect(server.events.next() == answered(8))
        let name = "Host: 127.0.0.1:\(host.port)"
        #expect(
            seen.withLock { $0 } == [
                "POST /a%20b?x=1 HTTP/1.1\n\(name)\nContent-Type: text/plain\nX-Mark: m\n"
                    + "Content-Length: 4\n\nbody",
                "GET /get HTTP/1.1\n\(name)\n\n",
            ])
        let after = server.statistics { $0.calls == 2 && $0.callBytesReceived > 0 }
        #expect(after.callsFailed == 0 && after.callConnections == 1)
        #expect(after.callBytesReceived == 2 * ok.utf8.count)
    }

    @Test func `one connection serves calls that follow each other`() throws {
        let host = ScriptedHost.answering(ok)
        let server = try TestServer()
        for id in 0..<50 {
            server.call(host.call(UInt64(id)))
            #expect(server.events.next() == answered(UInt64(id)))
        }
        #expect(host.acceptedCount == 1)
    }

    @Test func `many calls at once share the connections there may be`() throws {
        let host = ScriptedHost.answering(ok)
        var limits = HTTPLimits()
        limits.callConnectionsMax = 3
        let server = try TestServer(limits)
        server.group.handles[0].post(message: (0..<200).map { host.call($0) })
        #expect(server.events.next() == .message("called"))
        var ids: Set<UInt64> = []
        for _ in 0..<200 {
            guard case .answered(let id, 200, _, "ok") = server.events.next() else { break }
            ids.insert(id)
        }
        #expect(ids.count == 200)
        #expect(host.acceptedCount == 3)
        #expect(server.statistics { $0.callConnections == 3 }.callConnections == 3)
    }

    @Test func `calls wait in line, and are refused when the line is full`() throws {
        let host = ScriptedHost.answering(ok)
        var limits = HTTPLimits()
        limits.callConnectionsMax = 1
        limits.callsMax = 2
        let server = try TestServer(limits)
        server.call(host.call(1), host.call(2), host.call(3), host.call(4), host.call(5))
        // Not from inside of `call`.
        #expect(server.events.next() == .message("called"))
        #expect(server.events.next() == .failed(4, .tooManyCalls))
        #expect(server.events.next() == .failed(5, .tooManyCalls))
        for id: UInt64 in 1...3 { #expect(server.events.next() == answered(id)) }
        #expect(server.statistics { $0.callsFailed == 2 }.callsFailed == 2)
    }

    @Test func `a thousand calls of a loop to itself are answered right`() throws {
        var limits = HTTPLimits()
        limits.callsMax = 2000
        let server = try TestServer(limits)
        let calls = (0..<1000).map { id in
            OutgoingCall(
                id: UInt64(id), host: "127.0.0.1", port: server.port, method: .post,
                target: "/echo?\(id)", headers: [("X-Mark", "\(id * 2)")],
                body: Array("\(id * 3)".utf8), timeoutMilliseconds: 10_000, replyBytesMax: 1000)
        }
        server.group.handles[0].post(message: calls)
        #expect(server.events.next() == .message("called"))
        var missing = Set(0..<UInt64(1000))
        while !missing.isEmpty, let event = server.events.next() {
            guard case .answered(let id, 200, "yes", let body) = event else {
                Issue.record("\(event)")
                break
            }
            #expect(body == "post /echo|\(id) \(id * 2) \(id * 3)")
            #expect(missing.remove(id) != nil)
        }
        #expect(missing.isEmpty)
    }

    @Test func `a large reply of a loop is read whole`() throws {
        let server = try TestServer()
        let host = ScriptedHost.answering(ok)
        var call = host.call(1, "/big", replyBytesMax: 8 << 20)
        call.port = server.port
        server.call(call)
        guard case .answered(1, 200, _, let body) = server.events.next() else {
            Issue.record("no reply")
            return
        }
        #expect(body.utf8.count == 8 << 20)
    }

    @Test(arguments: [404, 503])
    func `any status is an answer`(_ status: Int) throws {
        let host = ScriptedHost.answering("HTTP/1.1 \(status)\r\nContent-Length: 2\r\n\r\nno")
        let server = try TestServer()
        server.call(host.call(1))
        #expect(server.events.next() == .answered(1, status, "-", "no"))
    }

    @Test func `a name is resolved, and all its addresses are tried`() throws {
        // On most machines the first one is ::1, where nobody listens.
        let host = ScriptedHost.answering(ok)
        let server = try TestServer()
        for id: UInt64 in 1...2 {
            server.call(host.call(id, host: "localhost"))
            #expect(server.events.next() == answered(id))
        }
        #expect(host.acceptedCount == 1)
    }

    @Test func `an IPv6 literal is called`() throws {
        let server = try TestServer(listeners: [ListenerConfiguration(host: "::1", port: 0)])
        server.call(
            OutgoingCall(
                id: 1, host: "::1", port: server.port, method: .get, target: "/x",
                timeoutMilliseconds: 10_000, replyBytesMax: 1000))
        #expect(server.events.next() == .answered(1, 200, "yes", "get /x| - "))
    }

    @Test(arguments: [
        "HTTP/1.1 200 OK\r\nX-Test: yes\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.0 200 OK\r\nX-Test: yes\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nX-Test: yes\r\n\r\nok",
    ])
    func `a server that closes behind each reply is called again`(_ reply: String) throws {
        let host = ScriptedHost { socket, _ in
            if socket.receiveRequest() != nil { socket.send(reply) }
        }
        let server = try TestServer()
        for id: UInt64 in 1...5 {
            server.call(host.call(id))
            #expect(server.events.next() == answered(id))
        }
        #expect(host.acceptedCount == 5)
        #expect(server.statistics { $0.callConnections == 0 }.callRetries == 0)
    }

    @Test func `a host that closes an idle connection is told of`() throws {
        let host = ScriptedHost { socket, _ in
            // Behind the second reply it ends.
            for _ in 0..<2 where socket.receiveRequest() != nil { socket.send(ok) }
        }
        let server = try TestServer()
        for id: UInt64 in 1...2 {
            server.call(host.call(id))
            #expect(server.events.next() == answered(id))
        }
        #expect(server.events.next() == .hungUp(port: host.port))
        #expect(server.statistics { $0.callConnections == 0 }.callsFailed == 0)
    }

    @Test func `a reply in single bytes, with interim ones in front, is read`() throws {
        let reply =
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
            + "HTTP/1.1 200 OK\r\nX-Test: yes\r\nTransfer-Encoding: chunked\r\n\r\n"
            + "1;name=value\r\no\r\n1\r\nk\r\n0\r\nTrailer: x\r\n\r\n"
        let host = ScriptedHost { socket, _ in
            while socket.receiveRequest() != nil {
                for byte in reply.utf8 { socket.send([byte]) }
            }
        }
        let server = try TestServer()
        for id: UInt64 in 1...3 {
            server.call(host.call(id))
            #expect(server.events.next() == answered(id))
        }
        #expect(host.acceptedCount == 1)
    }

    // evhttp's client takes these bytes for the reply to the next request.
    @Test func `what follows a reply is never taken for the next one`() throws {
        let stray = "HTTP/1.1 200 OK\r\nX-Test: no\r\nContent-Length: 3\r\n\r\nbad"
        let host = ScriptedHost { socket, _ in
            while socket.receiveRequest() != nil { socket.send(ok + stray) }
        }
        let server = try TestServer()
        for id: UInt64 in 1...3 {
            server.call(host.call(id))
            #expect(server.events.next() == answered(id))
        }
        #expect(host.acceptedCount == 3)
    }

    @Test func `an answer ahead of the whole request counts`() throws {
        let isOver = Atomic(false)
        let host = ScriptedHost { socket, _ in
            _ = socket.receiveSome(atMost: 100)
            socket.send("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
            while !isOver.load(ordering: .relaxed) { poll(nil, 0, 5) }
        }
        let server = try TestServer()
        var call = host.call(1)
        call.method = .post
        call.body = [UInt8](repeating: 0x61, count: 32 << 20)
        server.call(call)
        #expect(server.events.next() == .answered(1, 413, "-", "no"))
        #expect(server.statistics { $0.callConnections == 0 }.callConnections == 0)
        isOver.store(true, ordering: .relaxed)
    }

    @Test func `a connection without calls is closed after a while`() throws {
        let host = ScriptedHost.answering(ok)
        var limits = HTTPLimits()
        limits.callIdleSeconds = 1
        let server = try TestServer(limits)
        server.call(host.call(1))
        #expect(server.events.next() == answered(1))
        #expect(server.statistics { $0.callConnections == 1 }.callConnections == 1)
        #expect(server.statistics { $0.callConnections == 0 }.callConnections == 0)
    }

    @Test func `a call that would break the request apart traps`() async {
        await #expect(processExitsWith: .failure) {
            let server = try TestServer()
            server.call(ScriptedHost.answering(ok).call(1, "/a b"))
            _ = server.events.next()
        }
        await #expect(processExitsWith: .failure) {
            let server = try TestServer()
            var call = ScriptedHost.answering(ok).call(1)
            call.headers = [("X", "a\r\nY: b")]
            server.call(call)
            _ = server.events.next()
        }
    }
}
