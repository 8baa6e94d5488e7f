import Testing

extension EndToEndTests {
    /// Every limit has an answer, and ends nothing but what went over it.
    @Suite struct LimitTests {
        /// `files`: with 100, accepting stops at connections_max, which is what the descriptors
        /// allow; with 24 the descriptors run out first.
        @Test(arguments: [(100, "connections_max"), (24, "descriptors")])
        func `too many connections make no node spin`(_ row: (files: Int, reason: String)) throws {
            OpenFiles.raiseLimit()
            let node = try NodeProcess(files: row.files)
            // Kept open: the admin port shares the limit.
            #expect(try node.register("a").code == 0)
            #expect(try node.adminPage("/livez").status == 200)
            // All can connect, because the kernel holds those that are not accepted.
            var clients = try (0..<200).map { _ in try node.connect() }
            #expect(
                try eventually {
                    try node.metric(
                        "discovery_accept_pauses_total", ["reason": row.reason]) > 0
                })
            let before = try node.processorMilliseconds()
            #expect(clients[199].isSilent(for: 1))
            let spent = try node.processorMilliseconds() - before
            #expect(spent < 200, "\(spent) ms of the processor in a second")
            // Who is connected is served.
            #expect(try node.post("/discovery/renew", Form.key("a")).code == 0)
            try clients[0].send(HTTPRequest.get("/discovery/nodes"))
            #expect(try clients[0].reply().code == 0)

            clients = []
            let newcomer = try node.connect()
            #expect(try newcomer.exchange(HTTPRequest.get("/discovery/nodes")).code == 0)
            #expect(try eventually { try node.metric("discovery_connections") <= 3 })
            #expect(node.stop() == .exited(0))
        }

        @Test func `accepting goes on when a connection below the limit is free`() throws {
            let node = try NodeProcess("[limits]\nconnections_max = 4\n")
            #expect(try node.adminPage("/livez").status == 200)
            let served = try (0..<3).map { _ in try node.connect() }
            for client in served {
                #expect(try client.exchange(HTTPRequest.get("/discovery/nodes")).code == 0)
            }
            let waiting = try node.connect()
            try waiting.send(HTTPRequest.get("/discovery/nodes"))
            #expect(waiting.isSilent(for: 0.2))
            let pauses = ["reason": "connections_max"]
            #expect(
                try eventually {
                    try node.metric("discovery_accept_pauses_total", pauses) == 1
                })
            served[1].close()
            #expect(try waiting.reply().code == 0)
        }

        @Test func `one poll more than waiters_max is told to go elsewhere`() throws {
            let node = try NodeProcess("[polls]\nwaiters_max = 3\n")
            let request = HTTPRequest.get(
                "/discovery/polls?env=dev&appid=nope&latest_timestamp=0")
            let held = try (0..<3).map { _ in try node.connect() }
            for client in held { try client.send(request) }
            #expect(try node.holds(3))
            let reply = try node.connect().exchange(request)
            #expect(try reply.code == -503)
            #expect(reply.status == 200)
            #expect(reply.header("Kratos-Status-Code") == "-503")
            #expect(try reply.message.contains("waiters_max"))
            #expect(try node.metric("discovery_limit_refusals_total") == 1)
            #expect(
                node.child.errors.wait(within: 2) { lines in
                    lines.first { $0.contains("WARNING requests are refused") }
                } != nil)
            held[0].close()
            #expect(try node.holds(2))
            let next = try node.connect()
            try next.send(request)
            #expect(try node.holds(3))
        }

        @Test func `more instances or apps than allowed are refused`() throws {
            // The node itself is one instance of one app.
            let node = try NodeProcess("[registry]\ninstances_max = 4\napps_max = 3\n")
            #expect(try node.register("a").code == 0)
            #expect(try node.register("a", [("appid", "second.app")]).code == 0)
            let apps = try node.register("a", [("appid", "third.app")])
            #expect(try apps.code == -503)
            #expect(try apps.message.contains("apps_max"))
            #expect(try node.register("b").code == 0)
            let instances = try node.register("c")
            #expect(try instances.code == -503)
            #expect(try instances.message.contains("instances_max"))
            // What is there can still change and go, and makes room.
            #expect(try node.register("a", [("version", "v2")]).code == 0)
            #expect(try node.post("/discovery/cancel", Form.key("a")).code == 0)
            #expect(try node.register("c").code == 0)
            #expect(try node.metric("discovery_limit_refusals_total") == 2)
        }

        @Test func `a head that comes byte by byte is cut off`() throws {
            let node = try NodeProcess("[limits]\nhead_seconds = 1\n")
            let client = try node.connect()
            let head = Array(HTTPRequest.get("/discovery/nodes", ["a: bbbbbbbbbb"]).utf8)
            var sent = 0
            let took = try seconds {
                while sent < head.count, client.isSilent(for: 0.05) {
                    try client.send([head[sent]])
                    sent += 1
                }
            }
            #expect(sent < head.count)
            #expect(took > 0.9 && took < 2, "\(took) s")
            let answer = try client.remainder()
            #expect(answer.hasPrefix("HTTP/1.1 400 "))
            #expect(answer.hasSuffix("request head not complete within 1 s"))
            let reason = ["reason": "headNotInTime"]
            #expect(
                try eventually {
                    try node.metric("discovery_malformed_requests_total", reason) == 1
                })
        }

        @Test func `silent connections are closed, but not while a poll is held on them`() throws {
            let node = try NodeProcess("[limits]\nhead_seconds = 1\nidle_seconds = 1\n")
            let poller = try node.connect()
            try poller.send(
                HTTPRequest.get("/discovery/polls?env=dev&appid=demo.app&latest_timestamp=0"))
            let mute = try node.connect()
            let idle = try node.connect()
            #expect(try idle.exchange(HTTPRequest.get("/discovery/nodes")).code == 0)
            #expect(try mute.remainder(within: 4) == "")
            #expect(try idle.remainder(within: 4) == "")
            #expect(poller.isSilent(for: 0.5))
            #expect(
                try node.connect().exchange(
                    HTTPRequest.post("/discovery/register", Form.register("a"))
                ).code == 0)
            #expect(try poller.reply(within: 2).json["data"]["demo.app"].hostnames == ["a"])
        }
    }
}
