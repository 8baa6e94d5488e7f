import Synchronization
import Testing

@testable import DiscoveryClient

/// Registrations that are kept, against nodes that say what a test wants them to say.
@Suite(.timeLimit(.minutes(5))) struct ProviderTests {
    @Test func `what is registered is renewed, and cancelled at the end`() async throws {
        let transport = ScriptedTransport(Scripted.takeWrites)
        let client = try Scripted.makeClient(transport) { $0.renewInterval = .milliseconds(10) }
        try await Scripted.running(client) { client in
            try await client.register(
                Registration(
                    appID: "a", addresses: ["http://10.0.0.1:80", "grpc://10.0.0.1:90"],
                    metadata: ["weight": "5", "b": "/"]))
            try await client.register(Registration(appID: "b", addresses: ["http://h:1"]))
            await transport.wait { asked in
                ["a", "b"].allSatisfy { app in
                    asked.count { $0.request.route == "renew" && $0.values("appid") == [app] } > 2
                }
            }
        }
        let asked = transport.asked
        let register = try #require(asked.first { $0.request.route == "register" })
        #expect(register.values("addrs") == ["http://10.0.0.1:80", "grpc://10.0.0.1:90"])
        #expect(register.values("metadata") == [#"{"b":"/","weight":"5"}"#])
        #expect(register.values("zone") == ["sh001"] && register.values("hostname") == ["me"])
        let cancelled = asked.filter { $0.request.route == "cancel" }
        #expect(cancelled.flatMap { $0.values("appid") }.sorted() == ["a", "b"])
    }

    @Test func `what the registry has lost is registered again, as it was set last`() async throws {
        let transport = ScriptedTransport(Scripted.takeWrites)
        let client = try Scripted.makeClient(transport) { $0.renewInterval = .milliseconds(10) }
        try await Scripted.running(client) { client in
            try await client.register(Registration(appID: "a", addresses: ["http://h:1"]))
            try await client.set("a", status: .waiting, metadata: ["x": "1"])
            transport.answer { asked in
                switch asked.request.route {
                case "polls": .silence
                case "renew": .body(#"{"code":-404,"message":"-404","ttl":1,"data":null}"#)
                default: .body(Scripted.done)
                }
            }
            await transport.wait { $0.count { $0.request.route == "register" } >= 2 }
        }
        let again = try #require(transport.asked.last { $0.request.route == "register" })
        #expect(again.values("status") == ["2"])
        #expect(again.values("metadata") == [#"{"x":"1"}"#])
    }

    @Test func `a renewal that fails goes to another node soon`() async throws {
        let transport = ScriptedTransport(Scripted.takeWrites)
        let client = try Scripted.makeClient(transport, nodes: ["n1:1", "n2:1"]) {
            $0.renewInterval = .milliseconds(10)
        }
        try await Scripted.running(client) { client in
            try await client.register(Registration(appID: "a", addresses: ["http://h:1"]))
            await transport.wait { $0.contains { $0.request.route == "renew" } }
            let first = transport.asked.last { $0.request.route == "renew" }?.node
            transport.answer { asked in
                if asked.request.route == "polls" { return .silence }
                return asked.node == first ? .failure : .body(Scripted.done)
            }
            await transport.wait {
                $0.count { $0.request.route == "renew" && $0.node != first } > 3
            }
        }
        // Nothing was lost on the way.
        #expect(transport.count("register") == 1)
    }

    /// A node that answers a renewal late, that the app is not there: so it is registered again,
    /// unless it was cancelled meanwhile.
    @Test func `a renewal under way does not bring back what is cancelled`() async throws {
        let transport = ScriptedTransport(Scripted.takeWrites)
        let client = try Scripted.makeClient(transport) { $0.renewInterval = .milliseconds(10) }
        try await Scripted.running(client) { client in
            try await client.register(Registration(appID: "a", addresses: ["http://h:1"]))
            transport.answer { asked in
                switch asked.request.route {
                case "polls": .silence
                case "renew": .late(Scripted.notFound, .milliseconds(100))
                default: .body(Scripted.done)
                }
            }
            await transport.wait { $0.last?.request.route == "renew" }
            try await client.cancel("a")
            // What follows the renewal comes before the cancel, which is the last word.
            func writes() -> [String] {
                transport.asked.map(\.request.route).filter { $0 != "polls" }
            }
            let routes = writes()
            #expect(routes.last == "cancel")
            try await Task.sleep(for: .milliseconds(200))
            #expect(writes() == routes)
        }
    }

    @Test func `what is set while the registry has lost it is registered with it`() async throws {
        let transport = ScriptedTransport(Scripted.takeWrites)
        let client = try Scripted.makeClient(transport)
        try await Scripted.running(client) { client in
            try await client.register(Registration(appID: "a", addresses: ["http://h:1"]))
            transport.answer { asked in
                switch asked.request.route {
                case "polls": .silence
                case "set": .body(#"{"code":-400,"message":"h is not registered","ttl":1}"#)
                case "renew": .body(Scripted.notFound)
                default: .body(Scripted.done)
                }
            }
            try await client.set("a", status: .waiting)
        }
        #expect(
            transport.asked.last { $0.request.route == "register" }?.values("status") == ["2"])
    }

    @Test func `nothing is registered any more once the client has ended`() async throws {
        let transport = ScriptedTransport(Scripted.takeWrites)
        let client = try Scripted.makeClient(transport)
        try await Scripted.running(client) { _ in await transport.wait { !$0.isEmpty } }
        await #expect(throws: DiscoveryError.ended) {
            try await client.register(Registration(appID: "a", addresses: ["http://h:1"]))
        }
        #expect(transport.count("register") == 0)
    }

    @Test func `a registry that hangs does not keep the program from ending`() async throws {
        let transport = ScriptedTransport { asked in
            asked.request.route == "register" ? .body(Scripted.done) : .silence
        }
        let client = try Scripted.makeClient(transport) {
            $0.leaveTimeout = .milliseconds(100)
            $0.requestTimeout = .seconds(36_000)
        }
        try await Scripted.running(client) { client in
            try await client.register(Registration(appID: "a", addresses: ["http://h:1"]))
            try await client.register(Registration(appID: "b", addresses: ["http://h:1"]))
        }
        #expect(transport.count("cancel") == 2)
    }

    @Test func `what is wrong is said at once, and not to every node`() async throws {
        let transport = ScriptedTransport { _ in
            .body(#"{"code":-400,"message":"addrs is required","ttl":1}"#)
        }
        let client = try Scripted.makeClient(transport, nodes: ["n1:1", "n2:1"])
        await #expect(
            throws: DiscoveryError.refused(code: -400, message: "addrs is required")
        ) { try await client.register(Registration(appID: "a", addresses: [])) }
        #expect(transport.asked.count == 1)
        await #expect(throws: DiscoveryError.notRegistered(appID: "a")) {
            try await client.cancel("a")
        }
    }

    @Test func `an error about nodes names each of them`() async throws {
        let transport = ScriptedTransport { asked in
            asked.node == "n1:1" ? .failure : .body(#"{"code":-503,"message":"full","ttl":1}"#)
        }
        let client = try Scripted.makeClient(transport, nodes: ["n1:1", "n2:1"])
        let error = await #expect(throws: DiscoveryError.self) {
            try await client.register(Registration(appID: "a", addresses: ["http://h:1"]))
        }
        #expect(
            error?.description
                == "no node of the registry answered (n1:1: Broken(); n2:1: code -503, full)")
    }

    @Test func `the program goes on for a while after its cancels`() async throws {
        let transport = ScriptedTransport(Scripted.takeWrites)
        let drain = Duration.milliseconds(300)
        let client = try Scripted.makeClient(transport) { $0.drainTime = drain }
        try await Scripted.running(client) { client in
            try await client.register(Registration(appID: "a", addresses: ["http://h:1"]))
        }
        let cancel = try #require(transport.asked.last)
        #expect(cancel.request.route == "cancel")
        #expect(ContinuousClock.now - cancel.time >= drain)
    }

    @Test func `a write that hangs does not keep the program from ending`() async throws {
        let transport = ScriptedTransport { asked in
            asked.request.route == "set" ? .silence : Scripted.takeWrites(asked)
        }
        let client = try Scripted.makeClient(transport) {
            $0.leaveTimeout = .milliseconds(100)
            $0.requestTimeout = .seconds(36_000)
        }
        let write = Mutex<Task<Void, any Error>?>(nil)
        try await Scripted.running(client) { client in
            try await client.register(Registration(appID: "a", addresses: ["http://h:1"]))
            write.withLock { $0 = Task { try await client.set("a", status: .waiting) } }
            await transport.wait { $0.contains { $0.request.route == "set" } }
        }
        // Nothing of the app is said out of turn.
        #expect(transport.count("cancel") == 0)
        let task = try #require(write.withLock { $0 })
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
    }

    @Test func `who waits for his turn may give up`() async throws {
        let transport = ScriptedTransport { asked in
            asked.request.route == "set" ? .silence : Scripted.takeWrites(asked)
        }
        let client = try Scripted.makeClient(transport)
        try await Scripted.running(client) { client in
            try await client.register(Registration(appID: "a", addresses: ["http://h:1"]))
            let first = Task { try await client.set("a", status: .waiting) }
            await transport.wait { $0.contains { $0.request.route == "set" } }
            let second = Task { try await client.set("a", status: .up) }
            let third = Task { try await client.cancel("a") }
            second.cancel()
            await #expect(throws: CancellationError.self) { try await second.value }
            // Its place in the row is gone, and nobody else's.
            first.cancel()
            try await third.value
        }
        #expect(transport.count("set") == 1 && transport.count("cancel") == 1)
    }

    // MARK: What was given up

    /// Refuses nothing, but for a `set` that was taken and whose answer is lost.
    @Test func `a change whose answer was lost is taken back with the next renewal`() async throws {
        let transport = ScriptedTransport { asked in
            asked.request.route == "set" ? .failure : Scripted.takeWrites(asked)
        }
        let client = try Scripted.makeClient(transport) { $0.renewInterval = .milliseconds(10) }
        try await Scripted.running(client) { client in
            try await client.register(
                Registration(appID: "a", addresses: ["http://h:1"], metadata: ["x": "1"]))
            await #expect(throws: DiscoveryError.self) {
                try await client.set("a", status: .waiting, metadata: ["x": "2"])
            }
            await transport.wait { $0.count { $0.request.route == "register" } == 2 }
            // Once: then it is renewed as before.
            let renewals = transport.count("renew")
            await transport.wait { $0.count { $0.request.route == "renew" } > renewals + 2 }
        }
        let registers = transport.asked.filter { $0.request.route == "register" }
        #expect(registers.count == 2)
        #expect(registers.last?.values("status") == ["1"])
        #expect(registers.last?.values("metadata") == [#"{"x":"1"}"#])
    }

    @Test func `a register in place of another whose answer was lost is taken back too`()
        async throws
    {
        let transport = ScriptedTransport(Scripted.takeWrites)
        let client = try Scripted.makeClient(transport) { $0.renewInterval = .seconds(1) }
        try await Scripted.running(client) { client in
            try await client.register(Registration(appID: "a", addresses: ["http://h:1"]))
            transport.answer { asked in
                asked.values("addrs") == ["http://h:2"] ? .failure : Scripted.takeWrites(asked)
            }
            await #expect(throws: DiscoveryError.self) {
                try await client.register(Registration(appID: "a", addresses: ["http://h:2"]))
            }
            // Before it is renewed, as a rule; it says nothing about addresses.
            try await client.set("a", metadata: ["x": "1"])
            await transport.wait { $0.count { $0.request.route == "register" } == 3 }
        }
        let last = transport.asked.last { $0.request.route == "register" }
        #expect(last?.values("addrs") == ["http://h:1"])
    }

    @Test func `a change that is refused is not registered later`() async throws {
        let transport = ScriptedTransport { asked in
            asked.request.route == "set"
                ? .body(#"{"code":-400,"message":"no","ttl":1}"#) : Scripted.takeWrites(asked)
        }
        let client = try Scripted.makeClient(transport) { $0.renewInterval = .milliseconds(10) }
        try await Scripted.running(client) { client in
            try await client.register(Registration(appID: "a", addresses: ["http://h:1"]))
            await #expect(throws: DiscoveryError.refused(code: -400, message: "no")) {
                try await client.set("a", status: .waiting)
            }
            transport.answer { asked in
                asked.request.route == "renew"
                    ? .body(Scripted.notFound) : Scripted.takeWrites(asked)
            }
            await transport.wait { $0.count { $0.request.route == "register" } >= 2 }
        }
        let again = try #require(transport.asked.last { $0.request.route == "register" })
        #expect(again.values("status") == ["1"])
    }

    @Test func `a register whose answer was lost is cancelled at the end`() async throws {
        let transport = ScriptedTransport { asked in
            asked.request.route == "register" ? .failure : Scripted.takeWrites(asked)
        }
        let client = try Scripted.makeClient(transport)
        try await Scripted.running(client) { client in
            await #expect(throws: DiscoveryError.self) {
                try await client.register(Registration(appID: "a", addresses: ["http://h:1"]))
            }
            // And a refusal says nothing about the one before.
            transport.answer { asked in
                asked.request.route == "register"
                    ? .body(#"{"code":-400,"message":"no","ttl":1}"#) : Scripted.takeWrites(asked)
            }
            await #expect(throws: DiscoveryError.refused(code: -400, message: "no")) {
                try await client.register(Registration(appID: "a", addresses: []))
            }
            await #expect(throws: DiscoveryError.refused(code: -400, message: "no")) {
                try await client.register(Registration(appID: "b", addresses: []))
            }
        }
        let cancelled = transport.asked.filter { $0.request.route == "cancel" }
        #expect(cancelled.map { $0.values("appid") } == [["a"]])
    }

    @Test func `a cancel that no node heard is said again at the end`() async throws {
        let transport = ScriptedTransport { asked in
            asked.request.route == "cancel" ? .failure : Scripted.takeWrites(asked)
        }
        let client = try Scripted.makeClient(transport)
        try await Scripted.running(client) { client in
            try await client.register(Registration(appID: "a", addresses: ["http://h:1"]))
            await #expect(throws: DiscoveryError.self) { try await client.cancel("a") }
            transport.answer(Scripted.takeWrites)
        }
        #expect(transport.count("cancel") == 2)
    }

    @Test func `a register under way when the program ends is cancelled`() async throws {
        let leaving = Mutex<DiscoveryClient?>(nil)
        let transport = ScriptedTransport { asked in
            guard asked.request.route == "register" else { return Scripted.takeWrites(asked) }
            return .after(Scripted.done) {
                while await leaving.withLock({ $0 })?.isLeaving != true {
                    try await Task.sleep(for: .milliseconds(1))
                }
            }
        }
        let client = try Scripted.makeClient(transport) { $0.leaveTimeout = .seconds(3_600) }
        leaving.withLock { $0 = client }
        let write = Mutex<Task<Void, any Error>?>(nil)
        try await Scripted.running(client) { client in
            write.withLock {
                $0 = Task {
                    try await client.register(Registration(appID: "a", addresses: ["http://h:1"]))
                }
            }
            await transport.wait { $0.contains { $0.request.route == "register" } }
        }
        let task = try #require(write.withLock { $0 })
        await #expect(throws: DiscoveryError.ended) { try await task.value }
        #expect(transport.asked.last?.request.route == "cancel")
    }

    @Test func `an app that is registered again is renewed once, as it is now`() async throws {
        let transport = ScriptedTransport(Scripted.takeWrites)
        let client = try Scripted.makeClient(transport) { $0.renewInterval = .milliseconds(50) }
        try await Scripted.running(client) { client in
            for port in 1...5 {
                try await client.register(
                    Registration(appID: "a", addresses: ["http://h:\(port)"]))
            }
            transport.answer { asked in
                asked.request.route == "renew"
                    ? .body(Scripted.notFound) : Scripted.takeWrites(asked)
            }
            await transport.wait { $0.count { $0.request.route == "renew" } >= 4 }
        }
        let asked = transport.asked
        let again = asked.filter { $0.request.route == "register" }.dropFirst(5)
        #expect(!again.isEmpty)
        #expect(again.allSatisfy { $0.values("addrs") == ["http://h:5"] })
        // One task keeps it: 45 ms at least between two renewals.
        let times = asked.filter { $0.request.route == "renew" }.map(\.time)
        for (one, next) in zip(times, times.dropFirst()) {
            #expect(next - one >= .milliseconds(45))
        }
    }
}
