import DiscoveryHTTP
import Synchronization
import Testing

private let now = "GET /now HTTP/1.1\r\nHost: h\r\n\r\n"

/// Replies given from within `received` make evhttp read on within the turn.
@Suite struct `Turns of many rounds` {
    @Test func `a connection accepted and closed within one turn was counted as closed twice`()
        throws
    {
        let server = try TestServer()
        let busy = server.connect()
        let isOver = Atomic(false)
        let batch = String(repeating: now, count: 2000)
        let writer = Thread {
            while !isOver.load(ordering: .relaxed), busy.send(Array(batch.utf8)) {}
            busy.closeSending()
        }
        let reader = Thread { while busy.receiveSome(atMost: 1 << 20) != nil {} }
        for _ in 0..<200 {
            let reply = server.exchange("GET /closing HTTP/1.1\r\nHost: h\r\n\r\n")
            #expect(reply.hasPrefix("HTTP/1.1 200"))
        }
        isOver.store(true, ordering: .relaxed)
        writer.join()
        reader.join()
        let after = server.statistics { $0.connectionsClosed >= 201 }
        #expect(after.connectionsAccepted == 201)
        #expect(after.connectionsClosed == 201)
        #expect(after.connectionsOpen == 0)
    }

    @Test func `a client that pipelines kept a turn from ending`() throws {
        var limits = HTTPLimits()
        limits.turnRequestsMax = 8
        let server = try TestServer(limits)
        let socket = server.connect()
        socket.send(String(repeating: now, count: 400))
        for _ in 0..<400 { #expect(socket.receiveReply()?.status == 200) }
        let after = server.statistics { $0.requestsReceived == 400 }
        #expect(after.requestsReceived == 400)
        #expect(after.turns >= 50)
    }

    @Test func `what does not fit into a turn is answered in the next ones`() throws {
        var limits = HTTPLimits()
        limits.turnRequestsMax = 1
        let server = try TestServer(limits)
        let sockets = (0..<50).map { _ in server.connect() }
        for socket in sockets { socket.send("GET /next HTTP/1.1\r\nHost: h\r\n\r\n" + now) }
        for socket in sockets {
            #expect(socket.receiveReply()?.body == "get /next| - ")
            #expect(socket.receiveReply()?.body == "get /now| - ")
        }
    }
}
