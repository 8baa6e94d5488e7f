import Testing

extension EndToEndTests {
    /// What the registry is for, from the first register to the last instance gone.
    @Suite struct MainJobTests {
        let node: NodeProcess

        init() throws { node = try NodeProcess("[registry]\nlease_seconds = 2\n") }

        @Test func `a consumer hears of every change while it hangs in polls`() throws {
            for host in ["a", "b"] { #expect(try node.register(host).code == 0) }
            var consumer = try Consumer(node)
            #expect(try consumer.next() == ["a", "b"])

            try consumer.hang()
            #expect(try node.register("c", [("addrs", "grpc://10.0.0.3:90")]).code == 0)
            #expect(try consumer.next() == ["a", "b", "c"])

            try consumer.hang()
            #expect(try node.post("/discovery/renew", Form.key("a")).code == 0)
            // An identical register is no news either.
            #expect(try node.register("b").code == 0)
            #expect(consumer.client.isSilent(for: 0.05))
            let form = Form.key("b", [("status", "2")])
            #expect(try node.post("/discovery/set", form).code == 0)
            #expect(try consumer.next() == ["a", "c"])

            try consumer.hang()
            #expect(try node.post("/discovery/cancel", Form.key("a")).code == 0)
            #expect(try consumer.next() == ["c"])
            let all = "/discovery/fetch?env=dev&appid=demo.app&status=3"
            #expect(try node.get(all).json["data"].hostnames == ["b", "c"])
        }

        @Test func `a provider that stops to renew is gone after its lease`() throws {
            for host in ["a", "b"] { #expect(try node.register(host).code == 0) }
            var consumer = try Consumer(node)
            #expect(try consumer.next() == ["a", "b"])
            try consumer.hang()
            var renewals = 0
            let waited = try seconds {
                while consumer.client.isSilent(for: 0.2) {
                    #expect(try node.post("/discovery/renew", Form.key("a")).code == 0)
                    renewals += 1
                    try #require(renewals < 40, "nobody was evicted")
                }
            }
            #expect(try consumer.next() == ["a"])
            #expect(waited > 1.5 && waited < 4, "\(waited) s")
            #expect(try node.post("/discovery/renew", Form.key("b")).code == -404)
            #expect(try node.metric("discovery_evicted_total") == 1)
        }

        @Test func `consumers are told when the last provider goes, and when one comes back`()
            throws
        {
            #expect(try node.register("a").code == 0)
            var consumer = try Consumer(node)
            #expect(try consumer.next() == ["a"])
            try consumer.hang()
            #expect(try node.post("/discovery/cancel", Form.key("a")).code == 0)
            #expect(try consumer.next() == [])
            try consumer.hang()
            #expect(try node.register("a").code == 0)
            #expect(try consumer.next() == ["a"])
        }
    }
}

/// Asks for demo.app over and over, as the Go clients do.
struct Consumer {
    let client: HTTPClient
    private let node: NodeProcess
    private(set) var latest = 0
    private var isHanging = false

    init(_ node: NodeProcess) throws {
        self.node = node
        client = try node.connect()
    }

    /// Sends the next poll and waits until the node holds it.
    mutating func hang() throws {
        try client.send(
            HTTPRequest.get(
                "/discovery/polls?env=dev&hostname=me&appid=demo.app&latest_timestamp=\(latest)"))
        isHanging = true
        guard try node.holds(1) else { throw Failure("the poll is not held") }
    }

    /// The hostnames of the next answer.
    mutating func next() throws -> [String] {
        if !isHanging {
            try client.send(
                HTTPRequest.get(
                    "/discovery/polls?env=dev&hostname=me&appid=demo.app"
                        + "&latest_timestamp=\(latest)"))
        }
        isHanging = false
        let reply = try client.reply(within: 5)
        guard try reply.code == 0 else { throw Failure("answered \(reply.text)") }
        let app = try reply.json["data"]["demo.app"]
        let newer = try app["latest_timestamp"].int
        guard newer > latest else { throw Failure("\(newer) is not after \(latest)") }
        latest = newer
        return try app.hostnames
    }
}
