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
}
