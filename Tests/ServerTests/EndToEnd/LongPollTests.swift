import Testing

extension EndToEndTests {
    /// Polls that wait: told once, all of them, and forgotten when their client goes.
    @Suite struct LongPollTests {
        private func polls(_ apps: [(String, Int)], _ more: String = "") -> String {
            let query = apps.map { "appid=\($0.0)&latest_timestamp=\($0.1)" }
            return "/discovery/polls?env=dev&hostname=h&\(query.joined(separator: "&"))\(more)"
        }

        private func latest(_ node: NodeProcess, _ app: String = "demo.app") throws -> Int {
            let reply = try node.get("/discovery/fetch?env=dev&status=3&appid=\(app)")
            return try reply.json["data"]["latest_timestamp"].int
        }

        private func park(_ count: Int, _ node: NodeProcess, _ target: String) throws
            -> [HTTPClient]
        {
            let request = HTTPRequest.get(target)
            let clients = try (0..<count).map { _ in try node.connect() }
            for client in clients { try client.send(request) }
            guard try node.holds(count, within: 30) else { throw Failure("not all are held") }
            return clients
        }

        @Test(arguments: [1, 2])
        func `two thousand polls are woken by one register with equal bytes`(_ loops: Int) throws {
            OpenFiles.raiseLimit()
            let node = try NodeProcess(loops: loops)
            #expect(try node.register("a").code == 0)
            let count = 2000
            let clients = try park(count, node, polls([("demo.app", try latest(node))]))
            if loops == 2 {
                // The kernel spreads connections over both; each has its share of waiters.
                for loop in ["0", "1"] {
                    #expect(
                        try eventually {
                            try node.metric("discovery_connections", ["loop": loop]) > 100
                        })
                }
            }
            #expect(try node.register("b").code == 0)
            let first = try clients[0].reply()
            #expect(try first.json["data"]["demo.app"].hostnames == ["a", "b"])
            for client in clients.dropFirst() { #expect(try client.reply().body == first.body) }
            #expect(try node.metric("discovery_pollers") == 0)
            #expect(try node.metric("discovery_poll_wake_total", ["reason": "change"]) == count)
            let counted = try node.metric(
                "discovery_requests_total", ["route": "polls", "code": "0"])
            #expect(counted == count)
            for client in clients { #expect(client.isSilent(for: 0)) }
        }

        @Test(arguments: ["close", "reset", "half-close"])
        func `polls whose clients hang up are forgotten at once`(_ how: String) throws {
            let node = try NodeProcess()
            var clients = try park(200, node, polls([("nope", 0)]))
            #expect(try node.metric("discovery_apps_known") == 2)
            for client in clients {
                switch how {
                case "close": client.close()
                case "reset": client.reset()
                default: client.endSending()
                }
            }
            let took = try seconds {
                let areGone = try node.holds(0, within: 2)
                #expect(areGone)
            }
            #expect(took < 0.5, "\(took) s")
            clients = []
            #expect(try node.metric("discovery_poll_wake_total", ["reason": "closed"]) == 200)
            // What was kept for them only is gone too.
            #expect(try node.metric("discovery_apps_known") == 1)
            #expect(try node.register("a", [("appid", "nope")]).code == 0)
            #expect(try eventually { try node.metric("discovery_connections") == 2 })
        }

        @Test func `pollers of one hostname hear each of their own apps and zones`() throws {
            let node = try NodeProcess()
            for (app, zone) in [("x", "sh001"), ("x", "sh002"), ("y", "sh001"), ("z", "sh001")] {
                #expect(try node.register("a", [("appid", app), ("zone", zone)]).code == 0)
            }
            let times = try ["x", "y", "z"].map { (($0), try latest(node, $0)) }
            let (x, y, z) = (times[0], times[1], times[2])
            let first = try park(1, node, polls([x, y], "&zone=sh001"))[0]
            let second = try node.connect()
            try second.send(HTTPRequest.get(polls([y, z])))
            let third = try node.connect()
            try third.send(HTTPRequest.get(polls([x], "&zone=sh002")))
            #expect(try node.holds(3))

            #expect(try node.register("b", [("appid", "z")]).code == 0)
            #expect(try second.reply().json["data"].keys == ["z"])
            #expect(first.isSilent(for: 0.05) && third.isSilent(for: 0))
            let other = [("appid", "x"), ("zone", "sh002")]
            #expect(try node.register("b", other).code == 0)
            let zones = try third.reply().json["data"]["x"]["instances"]
            #expect(try zones.keys == ["sh002"])
            #expect(first.isSilent(for: 0.05))
            #expect(try node.register("b", [("appid", "y")]).code == 0)
            #expect(try first.reply().json["data"].keys == ["y"])
        }

        @Test func `a request behind a held poll is answered after it`() throws {
            let node = try NodeProcess()
            #expect(try node.register("a").code == 0)
            let client = try node.connect()
            try client.send(
                HTTPRequest.get(polls([("demo.app", try latest(node))]))
                    + HTTPRequest.post("/discovery/renew", Form.key("a"))
                    + HTTPRequest.get("/nowhere"))
            #expect(try node.holds(1))
            #expect(client.isSilent(for: 0.05))
            #expect(try node.register("b").code == 0)
            #expect(try client.reply().json["data"]["demo.app"].hostnames == ["a", "b"])
            #expect(try client.reply().json["data"]["hostname"].string == "a")
            #expect(try client.reply().status == 404)
        }

        @Test func `a client's own time limit ends its poll 20 ms earlier`() throws {
            let node = try NodeProcess()
            for route in ["poll", "polls"] {
                #expect(try node.register("a").code == 0)
                let target = polls([("demo.app", try latest(node))])
                    .replacing("polls", with: route)
                let took = try seconds {
                    let reply = try node.get(target, ["x1-bmspy-timeout: 520"])
                    #expect(try reply.code == -304)
                }
                #expect(took > 0.49 && took < 1.5, "\(route): \(took) s")
            }
            let ended = try node.metric("discovery_poll_wake_total", ["reason": "timeout"])
            #expect(ended == 2)
        }

        @Test func `a change of many instances at once is told as a few`() throws {
            let node = try NodeProcess("[polls]\ncoalesce_milliseconds = 200\n")
            #expect(try node.register("a").code == 0)
            var consumer = try Consumer(node)
            _ = try consumer.next()
            try consumer.hang()
            let registers = (0..<50).map {
                HTTPRequest.post("/discovery/register", Form.register("h\($0)"))
            }
            let client = try node.connect()
            try client.send(registers.joined())
            for _ in registers { #expect(try client.reply().code == 0) }
            var answers = 0
            while try consumer.next().count < 51 {
                answers += 1
                try #require(answers < 10, "told of every single one")
            }
        }
    }
}
