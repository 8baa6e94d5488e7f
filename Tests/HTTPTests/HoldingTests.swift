import DiscoveryHTTP
import Glibc
import Testing

private let get = "GET /next HTTP/1.1\r\nHost: h\r\n\r\n"
private let park = "GET /park HTTP/1.1\r\nHost: h\r\nX-Mark: m\r\n\r\n"

@Suite struct `Holding requests` {
    @Test func `a held request is answered from another thread`() throws {
        let server = try TestServer()
        let socket = server.connect()
        for round in 0..<3 {
            socket.send(park)
            let ticket = try #require(server.events.nextTicket())
            #expect(!socket.isReadable(within: 20))
            server.post(ticket, "round \(round)")
            #expect(socket.receiveReply()?.body == "round \(round)")
        }
        #expect(server.statistics { $0.parkedTotal == 3 }.parked == 0)
    }

    @Test func `a request behind a held one is answered after it`() throws {
        let server = try TestServer()
        let socket = server.connect()
        socket.send(park)
        let ticket = try #require(server.events.nextTicket())
        socket.send(get)
        socket.send(get)
        #expect(!socket.isReadable(within: 50))
        server.post(ticket, "first")
        #expect(socket.receiveReply()?.body == "first")
        #expect(socket.receiveReply()?.body == "get /next| - ")
        #expect(socket.receiveReply()?.body == "get /next| - ")
    }

    @Test func `a request in the same segment as a held one is answered after it`() throws {
        let server = try TestServer()
        let socket = server.connect()
        socket.send(park + get)
        let ticket = try #require(server.events.nextTicket())
        #expect(!socket.isReadable(within: 50))
        server.post(ticket, "first")
        #expect(socket.receiveReply()?.body == "first")
        #expect(socket.receiveReply()?.body == "get /next| - ")
    }

    @Test func `more than the limit behind a held request is read after the reply`() throws {
        let server = try TestServer()
        let socket = server.connect()
        socket.send(park)
        let ticket = try #require(server.events.nextTicket())
        let count = 3000
        let writer = Thread { socket.send(String(repeating: get, count: count)) }
        #expect(!socket.isReadable(within: 100))
        server.post(ticket, "first")
        #expect(socket.receiveReply()?.body == "first")
        for _ in 0..<count { #expect(socket.receiveReply()?.body == "get /next| - ") }
        writer.join()
    }

    @Test func `a shared body lives until its last reader has it, and no longer`() throws {
        let server = try TestServer()
        let sockets = (0..<3).map { _ in server.connect(receiveBufferBytes: 4096) }
        var tickets: [Ticket] = []
        for socket in sockets {
            socket.send(park)
            tickets.append(try #require(server.events.nextTicket()))
        }
        var body: SharedBody? = SharedBody([UInt8](repeating: 0x62, count: 8 << 20))
        weak let watched = body
        server.group.handles[0].post(
            tickets.map {
                AddressedReply(
                    ticket: $0, head: ScriptedClient.okHead, body: body ?? SharedBody([]))
            })
        body = nil
        #expect(server.statistics { $0.slowReplies == 3 }.slowReplies == 3)
        #expect(sockets[0].receiveReply()?.body.utf8.count == 8 << 20)
        sockets[1].reset()
        #expect(watched != nil)
        #expect(sockets[2].receiveReply()?.body.utf8.count == 8 << 20)
        #expect(server.statistics { $0.connectionsOpen == 2 }.connectionsOpen == 2)
        #expect(watched == nil)
    }

    @Test func `half a request behind a held one has its time after the reply`() throws {
        var limits = HTTPLimits()
        limits.headSecondsMax = 1
        let server = try TestServer(limits)
        let socket = server.connect()
        socket.send(park + "GET /ne")
        let ticket = try #require(server.events.nextTicket())
        #expect(!socket.isReadable(within: 1500))
        server.post(ticket, "first")
        #expect(socket.receiveReply()?.body == "first")
        socket.send("xt HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(socket.receiveReply()?.body == "get /next| - ")
        // Without a held request in front, it is refused in time.
        socket.send("GET /ne")
        #expect(socket.receiveReply()?.status == 400)
    }

    @Test func `300 held requests are forgotten when their clients hang up`() throws {
        let server = try TestServer()
        let sockets = (0..<300).map { _ in server.connect() }
        var tickets: Set<Ticket> = []
        for socket in sockets {
            socket.send(park)
            tickets.insert(try #require(server.events.nextTicket()))
        }
        #expect(tickets.count == 300)
        #expect(server.statistics { $0.parked == 300 }.parked == 300)
        for (index, socket) in sockets.enumerated() {
            switch index % 3 {
            case 0: socket.close()
            case 1: socket.reset()
            default: socket.closeSending()
            }
        }
        for _ in 0..<300 {
            guard case .left(let ticket) = server.events.next() else { break }
            tickets.remove(ticket)
        }
        #expect(tickets.isEmpty)
        let after = server.statistics { $0.connectionsOpen == 0 && $0.parked == 0 }
        #expect(after.parked == 0)
        #expect(after.connectionsOpen == 0)
        #expect(after.hangUps == 300)
    }

    @Test func `a reply after the hang-up is ignored and counted`() throws {
        let server = try TestServer()
        let socket = server.connect()
        socket.send(park)
        let ticket = try #require(server.events.nextTicket())
        socket.reset()
        #expect(server.events.next() == .left(ticket))
        server.post(ticket, "too late")
        #expect(server.statistics { $0.staleReplies == 1 }.staleReplies == 1)
        #expect(server.connect().sendAndReceive(get)?.status == 200)
    }

    @Test func `a second reply, and one to a ticket of nobody, are ignored and counted`() throws {
        let server = try TestServer()
        let socket = server.connect()
        socket.send(park)
        let ticket = try #require(server.events.nextTicket())
        server.post(ticket, "once")
        #expect(socket.receiveReply()?.body == "once")
        server.post(ticket, "twice")
        server.post(Ticket(rawValue: ticket.rawValue & 0x00FF_FFFF_0000_0000), "nobody")
        server.post(Ticket(rawValue: 0x00FF_FFFF_0000_0001), "nobody")
        #expect(server.statistics { $0.staleReplies == 3 }.staleReplies == 3)
        #expect(socket.sendAndReceive(get)?.body == "get /next| - ")
    }

    @Test func `a ticket does not fit the next request of the same connection`() throws {
        let server = try TestServer()
        let socket = server.connect()
        socket.send(park)
        let first = try #require(server.events.nextTicket())
        server.post(first, "one")
        #expect(socket.receiveReply()?.body == "one")
        socket.send(park)
        let second = try #require(server.events.nextTicket())
        server.post(first, "wrong")
        server.post(second, "two")
        #expect(socket.receiveReply()?.body == "two")
    }

    @Test(arguments: [
        ("HTTP/1.1", "Connection: close", false), ("HTTP/1.1", "X: y", true),
        ("HTTP/1.0", "Connection: Keep-Alive", true), ("HTTP/1.0", "X: y", false),
    ])
    func `a held request keeps its say on the connection`(
        _ version: String, _ header: String, _ isKept: Bool
    ) throws {
        let server = try TestServer()
        let socket = server.connect()
        socket.send("GET /park \(version)\r\nHost: h\r\nA: b\r\nA: c\r\n\(header)\r\nD: e\r\n\r\n")
        let ticket = try #require(server.events.nextTicket())
        #expect(server.statistics { $0.parked == 1 }.parked == 1)
        server.post(ticket, "done")
        #expect(socket.receiveReply()?.body == "done")
        if isKept {
            #expect(socket.sendAndReceive(get)?.status == 200)
        } else {
            #expect(socket.receiveSome() == nil)
        }
    }

    @Test func `a held request outlives the idle limit`() throws {
        var limits = HTTPLimits()
        limits.idleSecondsMax = 1
        let server = try TestServer(limits)
        let socket = server.connect()
        socket.send(park)
        let ticket = try #require(server.events.nextTicket())
        #expect(!socket.isReadable(within: 1500))
        server.post(ticket, "still here")
        #expect(socket.receiveReply()?.body == "still here")
        // The idle limit holds again behind it.
        #expect(socket.receiveAll() == "")
    }

    @Test func `requests over the limit of held ones get 503`() throws {
        var limits = HTTPLimits()
        limits.parkedMax = 1
        let server = try TestServer(limits)
        let first = server.connect()
        first.send(park)
        let kept = try #require(server.events.nextTicket())
        let second = server.connect()
        second.send(park)
        let refused = try #require(server.events.nextTicket())
        let reply = try #require(second.receiveReply())
        #expect(reply.status == 503)
        #expect(reply.header("Connection") == "close")
        #expect(server.events.next() == .left(refused))
        #expect(server.statistics { $0.parkedOverMax == 1 }.parked == 1)
        server.post(kept, "done")
        #expect(first.receiveReply()?.body == "done")
    }

    @Test func `the deadline makes a turn, not before its time`() throws {
        let server = try TestServer()
        for _ in 0..<5 {
            let reply = server.connect().sendAndReceive("GET /timer HTTP/1.1\r\nHost: h\r\n\r\n")
            let elapsed = try #require(Int(reply?.body ?? ""))
            #expect((50...5000).contains(elapsed))
        }
    }

    @Test func `a reply through the loop's own mailbox arrives`() throws {
        let server = try TestServer()
        let reply = server.connect().sendAndReceive("GET /mailbox HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(reply?.body == "get /mailbox| - ")
    }
}

/// A thread of the test's own, for a peer that blocks.
final class Thread {
    private var thread = pthread_t()

    init(_ body: @escaping () -> Void) {
        let box = unsafe Unmanaged.passRetained(Box(body))
        let run: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = {
            if let context = unsafe $0 {
                unsafe Unmanaged<Box>.fromOpaque(context).takeRetainedValue().body()
            }
            return nil
        }
        let status = unsafe pthread_create(&thread, nil, run, box.toOpaque())
        precondition(status == 0, "pthread_create failed: errno \(status)")
    }

    func join() { pthread_join(thread, nil) }

    private final class Box {
        let body: () -> Void
        init(_ body: @escaping () -> Void) { self.body = body }
    }
}
