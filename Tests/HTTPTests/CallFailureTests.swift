import Glibc
import Synchronization
import Testing

@testable import DiscoveryHTTP

private let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

private func answered(_ id: UInt64) -> Event { .answered(id, 200, "-", "ok") }

@Suite struct `Calls that fail` {
    @Test func `nobody listens`() throws {
        let host = ScriptedHost.answering(ok)
        host.stop()
        let server = try TestServer()
        server.call(host.call(1), host.call(2))
        #expect(server.events.next() == .message("called"))
        for id: UInt64 in 1...2 {
            #expect(
                server.events.next()
                    == .failed(id, .unreachable(reason: "Connection refused")))
        }
        #expect(server.statistics { $0.callsFailed == 2 }.callConnections == 0)
    }

    @Test func `nobody accepts`() throws {
        let (listener, port) = ScriptedHost.listen(backlog: 0)
        defer { close(listener) }
        // Room for one; the handshakes of others are left unanswered.
        let first = TestSocket(port: port)
        var limits = HTTPLimits()
        limits.dialMilliseconds = 200
        let server = try TestServer(limits)
        let start = milliseconds()
        server.call(
            OutgoingCall(
                id: 1, host: "127.0.0.1", port: port, method: .get, target: "/",
                timeoutMilliseconds: 10_000, replyBytesMax: 10))
        #expect(
            server.events.next() == .failed(1, .unreachable(reason: "no answer within 200 ms")))
        #expect((200..<5000).contains(milliseconds() - start))
        first.close()
    }

    @Test func `the addresses of a name are tried one after the other`() throws {
        let host = ScriptedHost.answering(ok)
        let server = try TestServer()
        func resolve(_ name: String, _ literals: [String]) {
            let name = ResolvedName(host: name, outcome: .success(literals))
            server.group.handles[0].mailbox.post { $0.names.append(name) }
        }
        resolve("good.test", ["127.0.0.2", "not a literal", "::1", "127.0.0.1"])
        resolve("bad.test", ["127.0.0.3", "127.0.0.2"])
        resolve("none.test", [])
        server.call(host.call(1, host: "good.test"))
        #expect(server.events.next() == answered(1))
        server.call(host.call(2, host: "bad.test"))
        #expect(
            server.events.next() == .failed(2, .unreachable(reason: "Connection refused")))
        server.call(host.call(3, host: "none.test"))
        #expect(
            server.events.next() == .failed(3, .unreachable(reason: "the name has no address")))
    }

    @Test func `a name that does not resolve`() throws {
        let server = try TestServer()
        // Longer than a label may be, so that no name server is asked.
        let name = String(repeating: "x", count: 80)
        let host = ScriptedHost.answering(ok)
        server.call(host.call(3, host: "no name\r\n"))
        #expect(
            server.events.next()
                == .failed(
                    3, .cannotResolve(reason: "a name has neither blanks nor control bytes")))
        server.call(host.call(1, host: name), host.call(2, host: name))
        #expect(server.events.next() == .message("called"))
        for id: UInt64 in 1...2 {
            guard case .failed(id, .cannotResolve(let reason)) = server.events.next() else {
                Issue.record("no failure of \(id)")
                return
            }
            #expect(!reason.isEmpty)
        }
    }

    @Test(arguments: [
        "", "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", "HTTP/1.0 200\r\n\r\n",
    ])
    func `a server that falls silent costs no more than the call's time`(_ begin: String) throws {
        let host = ScriptedHost { socket, _ in
            socket.send(begin)
            while socket.receiveSome() != nil {}
        }
        let server = try TestServer()
        let start = milliseconds()
        server.call(host.call(1, within: 200))
        #expect(server.events.next() == .failed(1, .timedOut))
        #expect((200..<5000).contains(milliseconds() - start))
        #expect(server.statistics { $0.callsFailed == 1 }.callConnections == 0)
    }

    // evhttp's client would start its clock anew with every byte.
    @Test func `a server that dribbles costs no more than the call's time`() throws {
        let host = ScriptedHost { socket, _ in
            socket.send("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            while socket.send([0x61]) { poll(nil, 0, 10) }
        }
        let server = try TestServer()
        let start = milliseconds()
        server.call(host.call(1, within: 300))
        #expect(server.events.next() == .failed(1, .timedOut))
        #expect((300..<5000).contains(milliseconds() - start))
    }

    @Test func `time spent in line counts`() throws {
        let host = ScriptedHost { socket, _ in while socket.receiveSome() != nil {} }
        var limits = HTTPLimits()
        limits.callConnectionsMax = 1
        let server = try TestServer(limits)
        server.call(host.call(1, within: 400), host.call(2, within: 100))
        #expect(server.events.next() == .message("called"))
        #expect(server.events.next() == .failed(2, .timedOut))
        #expect(server.events.next() == .failed(1, .timedOut))
        #expect(host.acceptedCount == 1)
    }

    @Test(arguments: [
        "Content-Length: 11\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n6\r\naaaaaa\r\n5\r\n",
        "Connection: close\r\n\r\naaaaaaaaaaa",
    ])
    func `a reply above the limit`(_ rest: String) throws {
        let host = ScriptedHost.answering("HTTP/1.1 200 OK\r\n\(rest)")
        let server = try TestServer()
        server.call(host.call(1, replyBytesMax: 10))
        #expect(server.events.next() == .failed(1, .replyTooLarge))
        #expect(server.statistics { $0.callsFailed == 1 }.callConnections == 0)
    }

    @Test func `bytes that are no reply`() throws {
        let host = ScriptedHost.answering("SSH-2.0-OpenSSH_9.2p1\r\n")
        let server = try TestServer()
        server.call(host.call(1))
        #expect(
            server.events.next()
                == .failed(1, .malformed(reason: "it does not begin with HTTP/1.")))
    }

    @Test(arguments: [
        "", "HTTP/1.1 200 OK\r\nContent", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
    ])
    func `a connection that ends before the reply does`(_ begin: String) throws {
        let host = ScriptedHost { socket, _ in
            if socket.receiveRequest() != nil { socket.send(begin) }
        }
        let server = try TestServer()
        server.call(host.call(1))
        #expect(server.events.next() == .failed(1, .closed))
        #expect(host.acceptedCount == 1)
    }

    @Test func `a reset in the middle of a reply that lasts until the close`() throws {
        let host = ScriptedHost { socket, _ in
            if socket.receiveRequest() == nil { return }
            socket.send("HTTP/1.0 200 OK\r\n\r\nok")
            poll(nil, 0, 20)
            socket.abort()
        }
        let server = try TestServer()
        server.call(host.call(1))
        #expect(server.events.next() == .failed(1, .closed))
    }

    @Test(arguments: [false, true])
    func `a kept connection that turns out to be closed is replaced once`(_ resets: Bool) throws {
        let host = ScriptedHost { socket, index in
            if index == 1 {
                while socket.receiveRequest() != nil { socket.send(ok) }
                return
            }
            if socket.receiveRequest() != nil { socket.send(ok) }
            // The second request has come, or is about to.
            _ = socket.receiveSome()
            if resets { socket.abort() }
        }
        let server = try TestServer()
        for id: UInt64 in 1...3 {
            server.call(host.call(id))
            #expect(server.events.next() == answered(id))
        }
        #expect(host.acceptedCount == 2)
        #expect(server.statistics { $0.callRetries == 1 }.callRetries == 1)
    }

    @Test func `a call is tried twice at most`() throws {
        let host = ScriptedHost { socket, index in
            if index == 0, socket.receiveRequest() != nil { socket.send(ok) }
            _ = socket.receiveRequest()
        }
        let server = try TestServer()
        server.call(host.call(1))
        #expect(server.events.next() == answered(1))
        server.call(host.call(2))
        #expect(server.events.next() == .failed(2, .closed))
        #expect(host.acceptedCount == 2)
    }

    @Test func `a retry keeps to the time of its call`() throws {
        let host = ScriptedHost { socket, index in
            if index == 0, socket.receiveRequest() != nil { socket.send(ok) }
            if index == 0 {
                _ = socket.receiveRequest()
            } else {
                while socket.receiveSome() != nil {}
            }
        }
        let server = try TestServer()
        server.call(host.call(1))
        #expect(server.events.next() == answered(1))
        server.call(host.call(2, within: 200))
        #expect(server.events.next() == .failed(2, .timedOut))
        #expect(host.acceptedCount == 2)
    }

    @Test func `a server that has started anew is called on fresh connections`() throws {
        var limits = HTTPLimits()
        limits.callConnectionsMax = 4
        let server = try TestServer(limits)
        // Each connection dies with its second request, as many of them as there may be.
        let host = ScriptedHost { socket, index in
            if socket.receiveRequest() != nil { socket.send(ok) }
            if index < 4 {
                _ = socket.receiveSome()
            } else {
                while socket.receiveRequest() != nil { socket.send(ok) }
            }
        }
        for round: UInt64 in 0..<3 {
            server.group.handles[0].post(message: (0..<4).map { host.call(round * 4 + $0) })
            #expect(server.events.next() == .message("called"))
            for _ in 0..<4 {
                guard case .answered(_, 200, _, "ok") = server.events.next() else {
                    Issue.record("not answered")
                    return
                }
            }
        }
        #expect(server.statistics { $0.callRetries > 0 }.callsFailed == 0)
    }

    @Test func `what is under way when the loop stops fails`() throws {
        let host = ScriptedHost { socket, _ in while socket.receiveSome() != nil {} }
        var limits = HTTPLimits()
        limits.callConnectionsMax = 2
        let server = try TestServer(limits)
        server.group.handles[0].post(message: (0..<5).map { host.call($0) })
        #expect(server.events.next() == .message("called"))
        let silent = host.call(9, host: "localhost")
        server.call(silent)
        server.stop()
        var ids: Set<UInt64> = []
        for _ in 0..<6 {
            guard case .failed(let id, .stopped) = server.events.next() else { break }
            ids.insert(id)
        }
        #expect(ids == [0, 1, 2, 3, 4, 9])
        let after = server.group.handles[0].statistics()
        #expect(after.callConnections == 0)
        #expect(after.calls == 6 && after.callsFailed == 6)
    }

    // In a process of its own: only there nobody else opens descriptors.
    @Test func `a loop that stops leaves no descriptor open`() async {
        await #expect(processExitsWith: .success) {
            let silent = ScriptedHost { socket, _ in while socket.receiveSome() != nil {} }
            let host = ScriptedHost.answering(ok)
            // Whatever the process opens or closes for itself at its start is done by then.
            var warm: Int?
            for round: UInt64 in 0..<4 {
                let server = try TestServer()
                server.group.handles[0].post(message: (0..<20).map { silent.call($0) })
                #expect(server.events.next() == .message("called"))
                server.call(host.call(100 + round))
                #expect(server.events.next() == answered(100 + round))
                server.stop()
                silent.waitUntilLeft()
                host.waitUntilLeft()
                if let warm { #expect(settles(at: warm)) } else { warm = descriptorCount() }
            }
            silent.stop()
            host.stop()
        }
    }
}

private func descriptorCount() -> Int {
    (0..<1024).count { fcntl($0, F_GETFD) >= 0 }
}

/// A host may take a connection, and end it, that its caller has given up.
private func settles(at count: Int) -> Bool {
    let start = ContinuousClock.now
    while descriptorCount() != count {
        if ContinuousClock.now - start > .seconds(5) { return false }
        sched_yield()
    }
    return true
}

extension TestSocket {
    /// Resets the connection; the descriptor stays the host's.
    func abort() {
        var option = linger(l_onoff: 1, l_linger: 0)
        let size = socklen_t(MemoryLayout<linger>.size)
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, size)
        var address = sockaddr()
        address.sa_family = sa_family_t(AF_UNSPEC)
        // Disconnects, and with SO_LINGER set to 0 that is a reset.
        unsafe connect(descriptor, &address, socklen_t(MemoryLayout<sockaddr>.size))
    }
}
