import Dispatch
import Glibc
import Testing

@testable import DiscoveryHTTP

private let get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"

private func deferred(port: UInt16 = 0) -> ListenerConfiguration {
    var listener = ListenerConfiguration(host: "127.0.0.1", port: port)
    listener.opensLater = true
    return listener
}

/// Listeners that are bound at start and opened later.
@Suite struct `Opening later` {
    @Test(arguments: [1, 2])
    func `connections are refused before, and served after`(_ loops: Int) throws {
        let server = try TestServer(
            loops: loops,
            listeners: [ListenerConfiguration(host: "127.0.0.1", port: 0), deferred()])
        let port = server.group.ports[1]
        #expect(port != 0)
        #expect(TestSocket.connectError(port: port) == ECONNREFUSED)
        #expect(server.connect().sendAndReceive(get)?.status == 200)
        let opened = DispatchSemaphore(value: 0)
        for handle in server.group.handles {
            handle.openListeners { areOpen in if areOpen { opened.signal() } }
        }
        for _ in 0..<loops { opened.wait() }
        #expect(TestSocket.connectError(port: port) == 0)
        // As many as reach both loops with a probability of 1 - 2^-31.
        for _ in 0..<32 {
            let socket = TestSocket(port: port)
            #expect(socket.sendAndReceive(get)?.body == "get /| - ")
        }
    }

    @Test(arguments: [1, 2])
    func `a port that is listened on fails the start`(_ loops: Int) throws {
        let server = try TestServer()
        #expect(throws: taken(server.port)) {
            try TestServer(loops: loops, listeners: [deferred(port: server.port)])
        }
    }

    @Test(arguments: [1, 2])
    func `a port that waits to be opened fails the start of another`(_ loops: Int) throws {
        let waiting = try TestServer(loops: loops, listeners: [deferred()])
        for count in 1...2 {
            #expect(throws: taken(waiting.port)) {
                try TestServer(loops: count, listeners: [deferred(port: waiting.port)])
            }
        }
        waiting.group.handles[0].openListeners()
        while TestSocket.connectError(port: waiting.port) != 0 { poll(nil, 0, 1) }
        #expect(waiting.connect().sendAndReceive(get)?.status == 200)
    }

    @Test(arguments: [1, 2])
    func `what is left of closed connections keeps nobody from starting`(_ loops: Int) throws {
        let first = try TestServer(loops: loops)
        let port = first.port
        // Closed by the server first, so that its side waits for the rest of the connection.
        #expect(first.exchange("GET /closing HTTP/1.1\r\nHost: h\r\n\r\n").contains("200 OK"))
        first.stop()
        let second = try TestServer(loops: loops, listeners: [deferred(port: port)])
        #expect(throws: taken(port)) {
            try TestServer(loops: loops, listeners: [deferred(port: port)])
        }
        second.group.handles[0].openListeners()
        while TestSocket.connectError(port: port) != 0 { poll(nil, 0, 1) }
        #expect(second.connect().sendAndReceive(get)?.status == 200)
    }

    @Test func `opening twice is opening once, and a pause holds`() throws {
        let server = try TestServer(listeners: [deferred()])
        let handle = server.group.handles[0]
        handle.openListeners()
        handle.openListeners()
        while TestSocket.connectError(port: server.port) != 0 { poll(nil, 0, 1) }
        #expect(server.connect().sendAndReceive(get)?.status == 200)
        handle.pauseAccepting()
        handle.openListeners()
        handle.post(message: "later")
        while let event = server.events.next(), event != .message("later") {}
        let late = server.connect()
        late.send(get)
        #expect(!late.isReadable(within: 100))
        #expect(server.statistics { $0.turns > 0 }.listenersNotOpened == 0)
    }

    @Test func `a listener that cannot be opened is counted and can be tried again`() throws {
        // Bound at the same moment, as two servers might be, and so not seen by the check.
        let other = try SocketAddress(host: "127.0.0.1", port: 0).bind(sharesPort: false)
        SocketAddress.setOption(other, SOL_SOCKET, SO_REUSEADDR, 1)
        let port = try #require(SocketAddress.port(of: other))
        let server = try TestServer(listeners: [deferred(port: port)])
        SocketAddress.setOption(other, SOL_SOCKET, SO_REUSEADDR, 0)
        let told = DispatchSemaphore(value: 0)
        server.group.handles[0].openListeners { areOpen in if !areOpen { told.signal() } }
        told.wait()
        let failed = server.statistics { $0.listenersNotOpened == 1 }
        #expect(failed.listenersNotOpened == 1)
        #expect(TestSocket.connectError(port: server.port) == ECONNREFUSED)
        close(other)
        server.group.handles[0].openListeners()
        while TestSocket.connectError(port: server.port) != 0 { poll(nil, 0, 1) }
        #expect(server.connect().sendAndReceive(get)?.status == 200)
    }

    @Test func `a server that never opened stops cleanly`() throws {
        let server = try TestServer(loops: 2, listeners: [deferred()])
        let port = server.port
        server.stop()
        #expect(TestSocket.connectError(port: port) == ECONNREFUSED)
        _ = try TestServer(listeners: [ListenerConfiguration(host: "127.0.0.1", port: port)])
    }

    private func taken(_ port: UInt16) -> LoopError {
        .bindFailed(
            host: "127.0.0.1", port: port, code: EADDRINUSE, reason: "Address already in use")
    }
}

@Suite struct `Messages to a loop` {
    @Test func `they arrive in the order in which a thread posted them`() throws {
        let server = try TestServer()
        for number in 0..<1000 { server.group.handles[0].post(message: "\(number)") }
        for number in 0..<1000 { #expect(server.events.next() == .message("\(number)")) }
    }

    @Test func `those of several threads all arrive, each thread's in order`() throws {
        let server = try TestServer()
        let handle = server.group.handles[0]
        let threads = (0..<4).map { thread in
            Thread { for number in 0..<500 { handle.post(message: "\(thread) \(number)") } }
        }
        var next = [0, 0, 0, 0]
        for _ in 0..<2000 {
            guard case .message(let text) = server.events.next() else { break }
            let parts = text.split(separator: " ").compactMap { Int($0) }
            #expect(parts[1] == next[parts[0]])
            next[parts[0]] = parts[1] + 1
        }
        #expect(next == [500, 500, 500, 500])
        for thread in threads { thread.join() }
    }

    @Test func `a burst costs one wake-up`() {
        let mailbox = LoopMailbox()
        for number in 0..<10 { mailbox.post { $0.messages.append(number) } }
        var count: UInt64 = 0
        #expect(unsafe read(mailbox.wakeDescriptor, &count, 8) == 8)
        #expect(count == 1)
    }
}
