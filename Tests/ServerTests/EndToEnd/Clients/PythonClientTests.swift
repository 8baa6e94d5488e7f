import Testing

extension EndToEndTests {
    /// The Python client: lists joined by commas, its own zone only, and its memory of all apps
    /// replaced by whatever the last answer held.
    @Suite struct PythonClientTests {
        let node: NodeProcess

        init() throws { node = try NodeProcess("[polls]\nhold_seconds = 1\n") }

        private func register(_ app: String, _ version: String = "") throws {
            let key = "appid=\(app)&env=dev&hostname=host1"
            let body =
                "addrs=grpc%3A%2F%2F10.0.0.1%3A90%2Chttp%3A%2F%2F10.0.0.1%3A80&\(key)"
                + "&metadata=%7B%22v%22%3A%22\(version)%22%7D&region=sh&status=1&zone=sh001"
            let renewal = "\(key)&region=sh&zone=sh001"
            #expect(try node.post("/discovery/register", body).code == 0)
            let instance = try node.post("/discovery/renew", renewal).json["data"]
            #expect(try instance["addrs"].list.count == 2)
        }

        /// One poll as it sends it: an app it does not remember is asked for from 0.
        private func poll(_ apps: [String], _ memory: [String: Int]) -> String {
            let times = apps.map { "\(memory[$0] ?? 0)" }
            return HTTPRequest.get(
                "/discovery/polls?appid=\(apps.joined(separator: "%2C"))&env=dev&hostname=host1"
                    + "&latest_timestamp=\(times.joined(separator: "%2C"))&region=sh&zone=sh001",
                ["Accept-Encoding: identity", "User-Agent: Python-urllib/3.6"])
        }

        /// `self._apps = data`: what the answer does not hold is forgotten.
        private func memory(_ reply: HTTPReply) throws -> [String: Int] {
            #expect(try reply.code == 0)
            let data = try reply.json["data"]
            var memory: [String: Int] = [:]
            for app in try data.keys {
                _ = try data[app]["instances"].keys
                memory[app] = try data[app]["latest_timestamp"].int
            }
            return memory
        }

        @Test(arguments: [["app.a"], ["app.a", "app.b", "app.c"]])
        func `every change comes once, and between changes a poll is held`(_ apps: [String]) throws
        {
            for app in apps { try register(app) }
            let client = try node.connect()
            var memory = try memory(client.exchange(poll(apps, [:])))
            #expect(memory.keys.sorted() == apps)
            for round in 1...3 {
                // No ping-pong: with everything in memory there is nothing to be told.
                try client.send(poll(apps, memory))
                #expect(try node.holds(1))
                #expect(client.isSilent(for: 0.05))
                let before = memory
                try register(apps[round % apps.count], "\(round)")
                memory = try self.memory(client.reply(within: 0.9))
                #expect(memory.keys.sorted() == apps)
                #expect(apps.count { memory[$0] != before[$0] } == 1)
            }
        }

        @Test func `a missing app keeps nobody from the others`() throws {
            try register("app.a")
            let client = try node.connect()
            var memory = try memory(client.exchange(poll(["app.a", "nope"], [:])))
            #expect(memory.keys.sorted() == ["app.a"])
            let reply = try client.exchange(poll(["app.a", "nope"], memory))
            #expect(try reply.code == -304)
            // It raises what stands here.
            #expect(try reply.message == "-304")
            try client.send(poll(["app.a", "nope"], memory))
            #expect(try node.holds(1))
            try register("nope")
            memory = try self.memory(client.reply(within: 0.9))
            #expect(memory.keys.sorted() == ["app.a", "nope"])
        }

        @Test func `fetch has the instances of its zone`() throws {
            try register("app.a")
            let reply = try node.get(
                "/discovery/fetch?appid=app.a&env=dev&hostname=host1&region=sh&status=1&zone=sh001")
            #expect(try reply.json["data"].hostnames == ["host1"])
        }
    }
}
