import Logging
import Testing

@testable import DiscoveryClient

/// The client against nodes that say what a test wants them to say.
@Suite(.timeLimit(.minutes(5))) struct ClientTests {
    private static let done = #"{"code":0,"message":"0","ttl":1}"#
    private static let unchanged = #"{"code":-304,"message":"-304","ttl":1}"#

    private func makeClient(
        _ transport: ScriptedTransport, nodes: [String] = ["n1:1"],
        _ change: (inout ClientConfiguration) -> Void = { _ in }
    ) throws -> DiscoveryClient {
        var configuration = ClientConfiguration(
            nodes: nodes, env: "dev", zone: "sh001", hostname: "me")
        configuration.drainTime = .zero
        // A busy machine may take a minute for what takes none.
        configuration.requestTimeout = .seconds(3_600)
        change(&configuration)
        return try DiscoveryClient(
            configuration, transport: transport, random: SystemRandomNumberGenerator(),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    /// Runs the client for as long as `body` takes.
    private func running(
        _ client: DiscoveryClient, _ body: (DiscoveryClient) async throws -> Void
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await client.run() }
            try await body(client)
            group.cancelAll()
        }
    }

    /// News of an app for who has none, else silence.
    private static func answerOnce(
        _ asked: ScriptedTransport.Asked, _ app: String, latest: Int, hosts: [String]
    ) -> ScriptedTransport.Reply {
        guard asked.request.route == "polls" else { return .body(done) }
        let apps = asked.values("appid")
        guard let place = apps.firstIndex(of: app),
            Int(asked.values("latest_timestamp")[place]) ?? 0 < latest
        else { return .silence }
        return .body(newsJSON([(app, latest, hosts)]))
    }

    // MARK: Consumers

    @Test func `a list comes once it is known, and again when it changes`() async throws {
        let transport = ScriptedTransport { Self.answerOnce($0, "a", latest: 5, hosts: ["h1"]) }
        try await running(try makeClient(transport)) { client in
            var lists = client.instances(of: "a").makeAsyncIterator()
            #expect(await lists.next()?.hosts == ["h1"])
            await transport.wait { $0.last?.values("latest_timestamp") == ["0", "5"] }
            transport.answer { Self.answerOnce($0, "a", latest: 6, hosts: ["h1", "h2"]) }
            // Another app, so that the poll that hangs is given up.
            _ = await client.picker(for: "b")
            #expect(await lists.next()?.hosts == ["h1", "h2"])
            #expect(await client.snapshot(of: "a")?.latestTimestamp == 6)
        }
    }

    @Test func `who comes later has the present list at once`() async throws {
        let transport = ScriptedTransport { Self.answerOnce($0, "a", latest: 5, hosts: ["h1"]) }
        try await running(try makeClient(transport)) { client in
            var first = client.instances(of: "a").makeAsyncIterator()
            _ = await first.next()
            let polls = transport.count("polls")
            var second = client.instances(of: "a").makeAsyncIterator()
            #expect(await second.next()?.hosts == ["h1"])
            #expect(transport.count("polls") <= polls + 1)
        }
    }

    @Test func `the last list outlives the registry, and an empty one takes nobody away`()
        async throws
    {
        let transport = ScriptedTransport { Self.answerOnce($0, "a", latest: 5, hosts: ["h1"]) }
        try await running(try makeClient(transport, nodes: ["n1:1", "n2:1"])) { client in
            var lists = client.instances(of: "a").makeAsyncIterator()
            _ = await lists.next()
            let polls = transport.count("polls")
            transport.answer { _ in .failure }
            _ = await client.picker(for: "b")
            await transport.wait { $0.count > polls + 3 }
            #expect(await client.snapshot(of: "a")?.hosts == ["h1"])
            transport.answer { Self.answerOnce($0, "a", latest: 6, hosts: []) }
            await transport.wait { $0.last?.values("latest_timestamp")[1] == "6" }
            #expect(await client.snapshot(of: "a")?.hosts == ["h1"])
            transport.answer { Self.answerOnce($0, "a", latest: 7, hosts: ["h2"]) }
            _ = await client.picker(for: "c")
            #expect(await lists.next()?.hosts == ["h2"])
        }
    }

    /// Whatever is said at once, and again and again.
    @Test(arguments: [
        ClientTests.unchanged, #"{"code":-500,"message":"-500","ttl":1}"#,
        #"{"code":-400,"message":"no","ttl":1}"#, "", "<html>", "null", "{}",
        newsJSON([("a", 5, [])]), newsJSON([("a", 5, ["h1"])]), newsJSON([("x", 9, ["h1"])]),
        #"{"code":0,"data":null,"message":"0"}"#,
    ])
    func `no answer makes it spin`(_ body: String) async throws {
        let transport = ScriptedTransport { _ in .body(body) }
        try await running(try makeClient(transport, nodes: ["n1:1", "n2:1"])) { client in
            _ = await client.picker(for: "a")
            await transport.wait { $0.count { $0.values("appid").contains("a") } >= 5 }
        }
        let times = transport.asked.filter { $0.values("appid").contains("a") }.map(\.time)
        // Pauses of 50 to 100 ms, 100 to 200, 200 to 400, and one poll that may have brought news.
        #expect(times[4] - times[0] >= .milliseconds(350))
    }

    @Test func `a node that fails is left, and another one is asked for everything`() async throws {
        let transport = ScriptedTransport { Self.answerOnce($0, "a", latest: 5, hosts: ["h1"]) }
        try await running(try makeClient(transport, nodes: ["n1:1", "n2:1"])) { client in
            var lists = client.instances(of: "a").makeAsyncIterator()
            _ = await lists.next()
            await transport.wait { $0.last?.values("latest_timestamp") == ["0", "5"] }
            let first = try #require(transport.asked.last?.node)
            transport.answer { asked in
                if asked.node == first { return .failure }
                return Self.answerOnce(asked, "a", latest: 3, hosts: ["h9"])
            }
            _ = await client.picker(for: "b")
            #expect(await lists.next()?.hosts == ["h9"])
            let question = transport.asked.first { $0.node != first }
            #expect(question?.values("latest_timestamp") == ["0", "0", "0"])
        }
    }

    @Test func `nodes are learned from the registry, those of the own zone first`() async throws {
        let nodes = { (zone: String, port: Int) in
            let node = instanceJSON(
                "infra.discovery", "n\(port)", zone: zone, address: "http://n:\(port)")
            return #""\#(zone)":[\#(node)]"#
        }
        let body =
            #"{"code":0,"data":{"infra.discovery":{"instances":{\#(nodes("sh001", 7)),"#
            + #"\#(nodes("sh002", 8))},"latest_timestamp":9}},"message":"0"}"#
        let transport = ScriptedTransport { asked in
            guard asked.node == "seed:1" else { return .silence }
            return asked.values("latest_timestamp").first == "0" ? .body(body) : .silence
        }
        try await running(try makeClient(transport, nodes: ["seed:1"])) { client in
            await transport.wait { $0.contains { $0.node == "n:7" } }
            #expect(await client.nodes.all == ["n:7", "n:8", "seed:1"])
        }
    }

    @Test func `lists go on with what is known when the service has ended`() async throws {
        let transport = ScriptedTransport { Self.answerOnce($0, "a", latest: 5, hosts: ["h1"]) }
        let client = try makeClient(transport)
        var lists = client.instances(of: "a").makeAsyncIterator()
        try await running(client) { _ in _ = await lists.next() }
        var later = client.instances(of: "a").makeAsyncIterator()
        #expect(await later.next()?.hosts == ["h1"])
    }

    @Test func `more apps than a node takes are polled for by several polls`() async throws {
        let transport = ScriptedTransport { asked in
            let apps = asked.values("appid")
            guard apps.count <= 100 else { return .body(#"{"code":-400,"message":"too many"}"#) }
            guard asked.values("latest_timestamp").contains("0") else { return .silence }
            return .body(newsJSON(apps.map { ($0, 5, ["h"]) }))
        }
        try await running(try makeClient(transport)) { client in
            for app in 0..<250 {
                _ = await client.picker(for: "app\(app)")
            }
            for app in [0, 99, 100, 199, 200, 249] {
                var lists = client.instances(of: "app\(app)").makeAsyncIterator()
                #expect(await lists.next()?.hosts == ["h"])
            }
        }
    }

    @Test func `a node is told how long to hold a poll, and a new one to be quick`() async throws {
        let transport = ScriptedTransport { Self.answerOnce($0, "a", latest: 5, hosts: ["h1"]) }
        let client = try makeClient(transport) {
            $0.pollTimeout = .seconds(20)
            $0.requestTimeout = .seconds(3)
        }
        try await running(client) { client in
            var lists = client.instances(of: "a").makeAsyncIterator()
            _ = await lists.next()
            await transport.wait { $0.last?.values("latest_timestamp") == ["0", "5"] }
        }
        let polls = transport.asked.filter { $0.request.route == "polls" }
        #expect(polls.first?.request.holdMilliseconds == 2_000)
        #expect(polls.last?.request.holdMilliseconds == 19_000)
    }

    // MARK: Providers

    @Test func `what is registered is renewed, and cancelled at the end`() async throws {
        let transport = ScriptedTransport { asked in
            asked.request.route == "polls" ? .silence : .body(Self.done)
        }
        let client = try makeClient(transport) { $0.renewInterval = .milliseconds(10) }
        try await running(client) { client in
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
        let transport = ScriptedTransport { asked in
            asked.request.route == "polls" ? .silence : .body(Self.done)
        }
        let client = try makeClient(transport) { $0.renewInterval = .milliseconds(10) }
        try await running(client) { client in
            try await client.register(Registration(appID: "a", addresses: ["http://h:1"]))
            try await client.set("a", status: .waiting, metadata: ["x": "1"])
            transport.answer { asked in
                switch asked.request.route {
                case "polls": .silence
                case "renew": .body(#"{"code":-404,"message":"-404","ttl":1,"data":null}"#)
                default: .body(Self.done)
                }
            }
            await transport.wait { $0.count { $0.request.route == "register" } >= 2 }
        }
        let again = try #require(transport.asked.last { $0.request.route == "register" })
        #expect(again.values("status") == ["2"])
        #expect(again.values("metadata") == [#"{"x":"1"}"#])
    }

    @Test func `a renewal that fails goes to another node soon`() async throws {
        let transport = ScriptedTransport { asked in
            asked.request.route == "polls" ? .silence : .body(Self.done)
        }
        let client = try makeClient(transport, nodes: ["n1:1", "n2:1"]) {
            $0.renewInterval = .milliseconds(10)
        }
        try await running(client) { client in
            try await client.register(Registration(appID: "a", addresses: ["http://h:1"]))
            await transport.wait { $0.contains { $0.request.route == "renew" } }
            let first = transport.asked.last { $0.request.route == "renew" }?.node
            transport.answer { asked in
                if asked.request.route == "polls" { return .silence }
                return asked.node == first ? .failure : .body(Self.done)
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
        let transport = ScriptedTransport { asked in
            asked.request.route == "polls" ? .silence : .body(Self.done)
        }
        let client = try makeClient(transport) { $0.renewInterval = .milliseconds(10) }
        try await running(client) { client in
            try await client.register(Registration(appID: "a", addresses: ["http://h:1"]))
            transport.answer { asked in
                switch asked.request.route {
                case "polls": .silence
                case "renew": .late(#"{"code":-404,"message":"-404","ttl":1}"#, .milliseconds(100))
                default: .body(Self.done)
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
        let transport = ScriptedTransport { asked in
            asked.request.route == "polls" ? .silence : .body(Self.done)
        }
        let client = try makeClient(transport)
        try await running(client) { client in
            try await client.register(Registration(appID: "a", addresses: ["http://h:1"]))
            transport.answer { asked in
                switch asked.request.route {
                case "polls": .silence
                case "set": .body(#"{"code":-400,"message":"h is not registered","ttl":1}"#)
                case "renew": .body(#"{"code":-404,"message":"-404","ttl":1}"#)
                default: .body(Self.done)
                }
            }
            try await client.set("a", status: .waiting)
        }
        #expect(
            transport.asked.last { $0.request.route == "register" }?.values("status") == ["2"])
    }

    @Test func `nothing is registered any more once the client has ended`() async throws {
        let transport = ScriptedTransport { asked in
            asked.request.route == "polls" ? .silence : .body(Self.done)
        }
        let client = try makeClient(transport)
        try await running(client) { _ in await transport.wait { !$0.isEmpty } }
        await #expect(throws: DiscoveryError.ended) {
            try await client.register(Registration(appID: "a", addresses: ["http://h:1"]))
        }
        #expect(transport.count("register") == 0)
    }

    @Test func `a registry that hangs does not keep the program from ending`() async throws {
        let transport = ScriptedTransport { asked in
            asked.request.route == "register" ? .body(Self.done) : .silence
        }
        let client = try makeClient(transport) {
            $0.leaveTimeout = .milliseconds(100)
            $0.requestTimeout = .seconds(36_000)
        }
        try await running(client) { client in
            try await client.register(Registration(appID: "a", addresses: ["http://h:1"]))
            try await client.register(Registration(appID: "b", addresses: ["http://h:1"]))
        }
        #expect(transport.count("cancel") == 2)
    }

    @Test func `what is wrong is said at once, and not to every node`() async throws {
        let transport = ScriptedTransport { _ in
            .body(#"{"code":-400,"message":"addrs is required","ttl":1}"#)
        }
        let client = try makeClient(transport, nodes: ["n1:1", "n2:1"])
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
        let client = try makeClient(transport, nodes: ["n1:1", "n2:1"])
        let error = await #expect(throws: DiscoveryError.self) {
            try await client.register(Registration(appID: "a", addresses: ["http://h:1"]))
        }
        #expect(
            error?.description
                == "no node of the registry answered (n1:1: Broken(); n2:1: code -503, full)")
    }
}
