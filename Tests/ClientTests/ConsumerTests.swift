import Synchronization
import Testing

@testable import DiscoveryClient

/// Followed apps, against nodes that say what a test wants them to say.
@Suite(.timeLimit(.minutes(5))) struct ConsumerTests {
    @Test func `a list comes once it is known, and again when it changes`() async throws {
        let transport = ScriptedTransport { Scripted.answerOnce($0, "a", latest: 5, hosts: ["h1"]) }
        try await Scripted.running(try Scripted.makeClient(transport)) { client in
            var lists = client.instances(of: "a").makeAsyncIterator()
            #expect(await lists.next()?.hosts == ["h1"])
            await transport.wait { $0.last?.values("latest_timestamp") == ["0", "5"] }
            transport.answer { Scripted.answerOnce($0, "a", latest: 6, hosts: ["h1", "h2"]) }
            // Another app, so that the poll that hangs is given up.
            _ = await client.picker(for: "b")
            #expect(await lists.next()?.hosts == ["h1", "h2"])
            #expect(await client.snapshot(of: "a")?.latestTimestamp == 6)
        }
    }

    @Test func `who comes later has the present list at once`() async throws {
        let transport = ScriptedTransport { Scripted.answerOnce($0, "a", latest: 5, hosts: ["h1"]) }
        try await Scripted.running(try Scripted.makeClient(transport)) { client in
            var first = client.instances(of: "a").makeAsyncIterator()
            _ = await first.next()
            await transport.wait { $0.last?.values("latest_timestamp") == ["0", "5"] }
            let polls = transport.count("polls")
            var second = client.instances(of: "a").makeAsyncIterator()
            #expect(await second.next()?.hosts == ["h1"])
            // Another app, which cannot have been asked for before.
            _ = await client.picker(for: "b")
            await transport.wait { $0.last?.values("appid").contains("b") == true }
            #expect(transport.count("polls") == polls + 1)
        }
    }

    @Test func `the last list outlives the registry, and an empty one takes nobody away`()
        async throws
    {
        let transport = ScriptedTransport { Scripted.answerOnce($0, "a", latest: 5, hosts: ["h1"]) }
        try await Scripted.running(try Scripted.makeClient(transport, nodes: ["n1:1", "n2:1"])) {
            client in
            var lists = client.instances(of: "a").makeAsyncIterator()
            _ = await lists.next()
            let polls = transport.count("polls")
            transport.answer { _ in .failure }
            _ = await client.picker(for: "b")
            await transport.wait { $0.count > polls + 3 }
            #expect(await client.snapshot(of: "a")?.hosts == ["h1"])
            transport.answer { Scripted.answerOnce($0, "a", latest: 6, hosts: []) }
            await transport.wait { $0.last?.values("latest_timestamp")[1] == "6" }
            #expect(await client.snapshot(of: "a")?.hosts == ["h1"])
            transport.answer { Scripted.answerOnce($0, "a", latest: 7, hosts: ["h2"]) }
            _ = await client.picker(for: "c")
            #expect(await lists.next()?.hosts == ["h2"])
        }
    }

    /// Whatever is said at once, and again and again.
    @Test(arguments: [
        Scripted.unchanged, #"{"code":-500,"message":"-500","ttl":1}"#,
        #"{"code":-400,"message":"no","ttl":1}"#, "", "<html>", "null", "{}",
        newsJSON([("a", 5, [])]), newsJSON([("a", 5, ["h1"])]), newsJSON([("x", 9, ["h1"])]),
        #"{"code":0,"data":null,"message":"0"}"#,
    ])
    func `no answer makes it spin`(_ body: String) async throws {
        let transport = ScriptedTransport { _ in .body(body) }
        try await Scripted.running(try Scripted.makeClient(transport, nodes: ["n1:1", "n2:1"])) {
            client in
            _ = await client.picker(for: "a")
            await transport.wait { $0.count { $0.values("appid").contains("a") } >= 5 }
        }
        let times = transport.asked.filter { $0.values("appid").contains("a") }.map(\.time)
        // Pauses of 50 to 100 ms, 100 to 200, 200 to 400, and one poll that may have brought news.
        #expect(times[4] - times[0] >= .milliseconds(350))
    }

    @Test func `a node that fails is left, and another one is asked for everything`() async throws {
        let transport = ScriptedTransport { Scripted.answerOnce($0, "a", latest: 5, hosts: ["h1"]) }
        try await Scripted.running(try Scripted.makeClient(transport, nodes: ["n1:1", "n2:1"])) {
            client in
            var lists = client.instances(of: "a").makeAsyncIterator()
            _ = await lists.next()
            await transport.wait { $0.last?.values("latest_timestamp") == ["0", "5"] }
            let first = try #require(transport.asked.last?.node)
            transport.answer { asked in
                if asked.node == first { return .failure }
                return Scripted.answerOnce(asked, "a", latest: 3, hosts: ["h9"])
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
        try await Scripted.running(try Scripted.makeClient(transport, nodes: ["seed:1"])) {
            client in
            await transport.wait { $0.contains { $0.node == "n:7" } }
            #expect(await client.nodes.all == ["n:7", "n:8", "seed:1"])
        }
    }

    @Test func `lists go on with what is known when the service has ended`() async throws {
        let transport = ScriptedTransport { Scripted.answerOnce($0, "a", latest: 5, hosts: ["h1"]) }
        let client = try Scripted.makeClient(transport)
        var lists = client.instances(of: "a").makeAsyncIterator()
        try await Scripted.running(client) { _ in _ = await lists.next() }
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
        try await Scripted.running(try Scripted.makeClient(transport)) { client in
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
        let transport = ScriptedTransport { Scripted.answerOnce($0, "a", latest: 5, hosts: ["h1"]) }
        let client = try Scripted.makeClient(transport) {
            $0.pollTimeout = .seconds(20)
            $0.requestTimeout = .seconds(3)
        }
        try await Scripted.running(client) { client in
            var lists = client.instances(of: "a").makeAsyncIterator()
            _ = await lists.next()
            await transport.wait { $0.last?.values("latest_timestamp") == ["0", "5"] }
        }
        let polls = transport.asked.filter { $0.request.route == "polls" }
        #expect(polls.first?.request.holdMilliseconds == 2_000)
        #expect(polls.last?.request.holdMilliseconds == 19_000)
    }

    /// So that a node that was restarted gets its part of the clients again.
    @Test func `after the switch interval another node is polled, though this one answers`()
        async throws
    {
        let transport = ScriptedTransport { _ in .body(Scripted.unchanged) }
        let client = try Scripted.makeClient(transport, nodes: ["n1:1", "n2:1"]) {
            $0.switchInterval = .milliseconds(1)
        }
        try await Scripted.running(client) { _ in
            await transport.wait { asked in
                ["n1:1", "n2:1"].allSatisfy { node in asked.count { $0.node == node } >= 2 }
            }
        }
    }

    @Test func `what an app cannot be called is not asked for, and costs no other app`()
        async throws
    {
        let transport = ScriptedTransport {
            Scripted.answerOnce($0, "a", latest: 5, hosts: ["h1"])
        }
        try await Scripted.running(try Scripted.makeClient(transport)) { client in
            for name in ["", "x,y", "x\n", String(repeating: "x", count: 256)] {
                _ = await client.picker(for: name)
                #expect(await client.snapshot(of: name) == nil)
            }
            var lists = client.instances(of: "a").makeAsyncIterator()
            #expect(await lists.next()?.hosts == ["h1"])
        }
        let names = transport.asked.flatMap { $0.values("appid") }
        #expect(Set(names) == ["infra.discovery", "a"])
    }

    /// -400, or a request line that is too long for the node.
    @Test(arguments: [#"{"code":-400,"message":"no such name","ttl":1}"#, nil])
    func `an app that a node refuses costs no other app`(_ refusal: String?) async throws {
        let transport = ScriptedTransport { asked in
            let apps = asked.values("appid")
            if apps.contains("bad") { return refusal.map { .body($0) } ?? .status(414) }
            guard asked.values("latest_timestamp").contains("0") else { return .silence }
            return .body(newsJSON(apps.filter { $0.hasPrefix("app") }.map { ($0, 5, ["h"]) }))
        }
        let client = try Scripted.makeClient(transport, nodes: ["n1:1", "n2:1"])
        try await Scripted.running(client) { client in
            for app in 0..<20 { _ = await client.picker(for: "app\(app)") }
            _ = await client.picker(for: "bad")
            for app in 0..<20 {
                var lists = client.instances(of: "app\(app)").makeAsyncIterator()
                #expect(await lists.next()?.hosts == ["h"])
            }
            // It is asked for by itself from now on, and no node is left for it.
            await transport.wait { asked in
                asked.count { $0.values("appid") == ["bad"] } >= 3
            }
            #expect(Set(transport.asked.map(\.node)).count == 1)
        }
    }

    /// As a proxy does that has lost its node.
    @Test func `a node that refuses whatever it is asked is left, and no poll is halved for it`()
        async throws
    {
        // Whichever is asked first.
        let proxy = Mutex<String?>(nil)
        let transport = ScriptedTransport { asked in
            let isProxy = proxy.withLock { proxy in
                proxy = proxy ?? asked.node
                return proxy == asked.node
            }
            if isProxy { return .status(400) }
            guard asked.values("latest_timestamp").contains("0") else { return .silence }
            return .body(newsJSON(asked.values("appid").map { ($0, 5, ["h"]) }))
        }
        let client = try Scripted.makeClient(transport, nodes: ["n1:1", "n2:1"])
        for app in 0..<20 { _ = await client.picker(for: "app\(app)") }
        try await Scripted.running(client) { client in
            var lists = client.instances(of: "app7").makeAsyncIterator()
            #expect(await lists.next()?.hosts == ["h"])
            #expect(await client.polls.count == 1)
        }
        let refused = transport.asked.filter { asked in
            proxy.withLock { $0 } == asked.node
        }
        #expect(refused.map { $0.values("appid").count } == [21, 1])
    }

    @Test func `an app is followed for a while after it was held, however long that was`()
        async throws
    {
        let transport = ScriptedTransport { _ in .body(Scripted.unchanged) }
        try await Scripted.running(try Scripted.makeClient(transport)) { client in
            let picker = await client.picker(for: "a")
            let first = try #require(await client.apps["a"]?.lastUse)
            let polls = transport.count("polls")
            await transport.wait { $0.count { $0.request.route == "polls" } >= polls + 2 }
            #expect(try #require(await client.apps["a"]?.lastUse) > first)
            withExtendedLifetime(picker) {}
        }
    }

    @Test func `an app that nobody holds on to is followed no longer`() async throws {
        let transport = ScriptedTransport { asked in
            asked.values("appid").contains("b") ? .silence : .body(Scripted.unchanged)
        }
        let client = try Scripted.makeClient(transport) { $0.forgetAfter = .zero }
        try await Scripted.running(client) { client in
            do {
                let picker = await client.picker(for: "a")
                await transport.wait { $0.last?.values("appid").contains("a") == true }
                withExtendedLifetime(picker) {}
            }
            await transport.wait { $0.last?.values("appid") == ["infra.discovery"] }
            // And again, if somebody asks again.
            let picker = await client.picker(for: "a")
            await transport.wait { $0.last?.values("appid").contains("a") == true }
            withExtendedLifetime(picker) {}
        }
    }

    @Test func `another node that says the same is no news`() async throws {
        let transport = ScriptedTransport {
            Scripted.answerOnce($0, "a", latest: 5, hosts: ["h1"])
        }
        try await Scripted.running(try Scripted.makeClient(transport)) { client in
            var lists = client.instances(of: "a").makeAsyncIterator()
            let first = await lists.next()
            let again = newsJSON([("a", 9, ["h1"])]).replacing(
                #""latest_timestamp":1}"#, with: #""latest_timestamp":8}"#)
            transport.answer { asked in
                asked.values("latest_timestamp").last == "9" ? .silence : .body(again)
            }
            _ = await client.picker(for: "b")
            await transport.wait { $0.last?.values("latest_timestamp")[1] == "9" }
            let now = try #require(await client.snapshot(of: "a"))
            #expect(now.instances.first?.latestTimestamp == 8)
            #expect(!now.differs(from: first))
        }
    }

    // MARK: Never a spin

    /// The time in which so many polls for an app were sent.
    private func time(
        of polls: Int,
        _ answer: @escaping @Sendable (ScriptedTransport.Asked) -> ScriptedTransport.Reply
    ) async throws -> Duration {
        let transport = ScriptedTransport(answer)
        let client = try Scripted.makeClient(transport)
        try await Scripted.running(client) { client in
            let picker = await client.picker(for: "a")
            await transport.wait { $0.count { $0.values("appid").contains("a") } > polls }
            withExtendedLifetime(picker) {}
        }
        let times = transport.asked.filter { $0.values("appid").contains("a") }.map(\.time)
        return times[polls] - times[0]
    }

    @Test func `a timestamp that grows without a change does not make it spin`() async throws {
        let count = Mutex(0)
        let time = try await time(of: 5) { _ in
            .body(
                newsJSON([
                    (
                        "a",
                        count.withLock {
                            $0 += 1; return $0
                        }, ["h1"]
                    )
                ]))
        }
        // 50 ms at least, then 100, 200 and 400; the first is news.
        #expect(time >= .milliseconds(750))
    }

    /// As a node does that has no place for another poll: it answers what is new at once.
    @Test func `a node that answers but holds no poll is asked ever less`() async throws {
        let time = try await time(of: 5) { asked in
            asked.values("latest_timestamp").last == "0"
                ? .body(newsJSON([("a", 5, ["h1"])]))
                : .body(#"{"code":-503,"message":"-503","ttl":1}"#)
        }
        #expect(time >= .milliseconds(750))
    }

    @Test func `changes without an end are heard of some times a second`() async throws {
        let count = Mutex(0)
        let time = try await time(of: 20) { _ in
            let number = count.withLock {
                $0 += 1; return $0
            }
            return .body(newsJSON([("a", number, ["h\(number)"])]))
        }
        // The first ten at once.
        #expect(time >= .milliseconds(8 * 50))
    }
}
