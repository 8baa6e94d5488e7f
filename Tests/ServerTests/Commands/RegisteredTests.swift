import ArgumentParser
import Glibc
import Synchronization
import Testing

@testable import Discovery

/// The registration of a program that `discovery run` runs, as the thread of its signals sees it.
@Suite(.timeLimit(.minutes(5))) struct RegisteredTests {
    /// Of a program that listens at `address`.
    private func makeRegistered(
        _ address: String, at nodes: [String], renewMilliseconds: Int = 30_000,
        callSeconds: Int = 60
    ) throws -> Registered {
        let words = [
            "--appid", "demo.app", "--env", "dev", "--zone", "z", "--hostname", "h", "--addr",
            "http://\(address)", "--", "true",
        ]
        return try Registered(
            try RunCommand.parse(words),
            try NodeCaller(try nodes.map { try #require(Endpoint($0)) }),
            renewMilliseconds: renewMilliseconds, callSeconds: callSeconds)
    }

    private func unreachable() throws -> Registered {
        let port = try ReservedPort()
        return try makeRegistered("127.0.0.1:1", at: [port.address])
    }

    /// First before the signal is passed on, then when the program has ended.
    @Test func `a second cancel waited for as long as it may though the first was done`() throws {
        let registered = try unreachable()
        registered.begin()
        registered.cancel(within: 3_600)
        registered.cancel(within: 3_600)
    }

    @Test func `where nothing was registered nobody is waited for`() throws {
        let registered = try unreachable()
        registered.begin()
        #expect(!registered.setWaiting(within: 3_600))
        registered.cancel(within: 3_600)
    }

    @Test func `it is renewed, and registered again if the registry has lost it`() throws {
        let node = try ReferencePeer()
        let renewals = Mutex(0)
        node.answer { request in
            guard request.route == "renew" else { return nil }
            let number = renewals.withLock {
                $0 += 1
                return $0
            }
            return number == 2
                ? #"{"code":-404,"message":"-404","ttl":1}"# : nil
        }
        let registered = try makeRegistered(
            node.address, at: [node.address], renewMilliseconds: 20)
        registered.begin()
        #expect(eventually { node.writes().count >= 6 })
        registered.cancel(within: 3_600)
        let routes = node.writes().map(\.route)
        #expect(
            routes.prefix(6) == ["register", "renew", "renew", "register", "renew", "renew"])
        #expect(routes.last == "cancel" && routes.count { $0 == "register" } == 2)
    }

    /// A node that hangs has its second, and the other one is told in time.
    @Test func `the end is told to a second node while the first one hangs`() throws {
        let (first, second) = (try ReferencePeer(), try ReferencePeer())
        let registered = try makeRegistered(
            first.address, at: [first.address, second.address], callSeconds: 3)
        registered.begin()
        #expect(eventually { first.writes().map(\.route) == ["register"] })
        first.stopAnswering()
        #expect(registered.setWaiting(within: registered.answerSeconds))
        registered.cancel(within: registered.answerSeconds)
        #expect(second.writes().map(\.route) == ["set", "cancel"])
    }
}

@Suite(.serialized) struct SignalTests {
    @Test func `a signal that somebody wants ignored is known to be`() {
        // Nobody sends it, and nobody does anything about it.
        let number = SIGURG
        #expect(!Signals.isIgnored(number))
        signal(number, SIG_IGN)
        #expect(Signals.isIgnored(number))
        signal(number, SIG_DFL)
        #expect(!Signals.isIgnored(number))
    }
}
