import DiscoveryHTTP
import Glibc
import Testing

private let get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
private let park = "GET /park HTTP/1.1\r\nHost: h\r\n\r\n"

@Suite struct `Groups of loops` {
    @Test func `two loops share one port and both serve`() throws {
        let server = try TestServer(loops: 2)
        var loops: Set<Int> = []
        var sockets: [TestSocket] = []
        // The kernel picks a loop by a hash of the addresses: 64 connections miss one of two with
        // a probability of 2^-63.
        for _ in 0..<64 {
            let socket = server.connect()
            socket.send(park)
            let ticket = try #require(server.events.nextTicket())
            loops.insert(ticket.loop)
            server.post(ticket, "loop \(ticket.loop)")
            #expect(socket.receiveReply()?.body == "loop \(ticket.loop)")
            sockets.append(socket)
        }
        #expect(loops == [0, 1])
    }

    @Test func `a reply posted to the wrong loop is ignored`() throws {
        let server = try TestServer(loops: 2)
        let socket = server.connect()
        socket.send(park)
        let ticket = try #require(server.events.nextTicket())
        let reply = AddressedReply(
            ticket: ticket, head: ScriptedClient.okHead, body: SharedBody([]))
        server.group.handles[1 - ticket.loop].post([reply])
        #expect(!socket.isReadable(within: 100))
        server.post(ticket, "right")
        #expect(socket.receiveReply()?.body == "right")
    }

    @Test(arguments: [1, 2])
    func `a taken port is reported with its address and reason`(_ loops: Int) throws {
        let server = try TestServer(loops: loops)
        let expected = LoopError.bindFailed(
            host: "127.0.0.1", port: server.port, code: EADDRINUSE, reason: "Address already in use"
        )
        #expect(throws: expected) {
            try TestServer(
                loops: loops,
                listeners: [ListenerConfiguration(host: "127.0.0.1", port: server.port)])
        }
        #expect(
            "\(expected)"
                == "cannot listen on 127.0.0.1 port \(server.port): Address already in use "
                + "(errno \(EADDRINUSE))")
    }

    @Test func `a name instead of an address is reported`() {
        #expect(throws: LoopError.badAddress(host: "localhost")) {
            try TestServer(listeners: [ListenerConfiguration(host: "localhost", port: 0)])
        }
    }

    @Test func `at stop, a held request gets 503 and is counted`() throws {
        let events = EventLog()
        let configuration = LoopConfiguration(
            listeners: [ListenerConfiguration(host: "127.0.0.1", port: 0)])
        let group = try LoopGroup.start(count: 1, configuration) { loop, siblings in
            ScriptedClient(loop, siblings, events)
        }
        let held = TestSocket(port: group.ports[0])
        let idle = TestSocket(port: group.ports[0])
        held.send(park)
        _ = try #require(events.nextTicket())
        group.stop()
        let reply = try #require(held.receiveReply())
        #expect(reply.status == 503)
        #expect(reply.header("Connection") == "close")
        #expect(held.receiveSome() == nil)
        #expect(idle.receiveSome() == nil)
        group.join()
        let after = group.handles[0].statistics()
        #expect(after.unansweredAtStop == 1)
        #expect(after.connectionsOpen == 0)
        #expect(after.connectionsAccepted == after.connectionsClosed)
    }

    @Test func `at stop, a slow reply may leave within the limit`() throws {
        var limits = HTTPLimits()
        limits.stopSecondsMax = 10
        let server = try TestServer(limits)
        let socket = server.connect(receiveBufferBytes: 4096)
        socket.send("GET /big HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(server.statistics { $0.slowReplies == 1 }.slowReplies == 1)
        server.group.stop()
        #expect(socket.receiveReply()?.body.utf8.count == 8 << 20)
    }

    @Test func `at stop, a reply nobody reads is cut off at the limit`() throws {
        var limits = HTTPLimits()
        limits.stopSecondsMax = 1
        let server = try TestServer(limits)
        let socket = server.connect(receiveBufferBytes: 4096)
        socket.send("GET /big HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(server.statistics { $0.slowReplies == 1 }.slowReplies == 1)
        let start = milliseconds()
        server.stop()
        #expect(milliseconds() - start < 5000)
    }

    @Test func `at the limit of connections the next waits until one has gone`() throws {
        var limits = HTTPLimits()
        limits.connectionsMax = 2
        let server = try TestServer(limits)
        let first = server.connect()
        let second = server.connect()
        #expect(first.sendAndReceive(get)?.status == 200)
        #expect(second.sendAndReceive(get)?.status == 200)
        let third = server.connect()
        third.send(get)
        #expect(!third.isReadable(within: 100))
        first.close()
        #expect(third.receiveReply()?.status == 200)
        let after = server.statistics { $0.connectionsAccepted == 3 }
        #expect(after.connectionsOpen == 2)
        #expect(after.pausesAtConnectionsMax == 2)
    }

    @Test func `after pausing, no further connection is served, but those open are`() throws {
        let server = try TestServer()
        let open = server.connect()
        #expect(open.sendAndReceive(get)?.status == 200)
        server.group.handles[0].pauseAccepting()
        #expect(open.sendAndReceive(get)?.status == 200)
        #expect(open.sendAndReceive(get)?.status == 200)
        let late = server.connect()
        late.send(get)
        #expect(!late.isReadable(within: 100))
        #expect(open.sendAndReceive(get)?.status == 200)
    }

    @Test func `a wake-up makes a turn, and an idle loop makes none`() throws {
        let server = try TestServer()
        // What the start leaves behind, the publishing of the statistics included, is over then.
        var before = server.group.handles[0].statistics()
        var quiet = 0
        while quiet < 3 {
            poll(nil, 0, 150)
            let now = server.group.handles[0].statistics()
            quiet = now.turns == before.turns ? quiet + 1 : 0
            before = now
        }
        server.group.handles[0].wake()
        #expect(server.statistics { $0.turns > before.turns }.turns == before.turns + 1)
    }
}
