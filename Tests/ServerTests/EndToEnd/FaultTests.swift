import Testing

extension EndToEndTests {
    /// Faults of this node that these tests found, each named after what was wrong.
    @Suite struct FaultTests {
        @Test func `zones that look alike to people do not end the node`() throws {
            let node = try NodeProcess()
            // One letter, and a letter with an accent behind it.
            for zone in ["caf\u{E9}", "cafe\u{301}"] {
                #expect(try node.register("a", [("zone", zone)]).code == 0)
            }
            let zones = try node.metrics().samples.filter { $0.name == "discovery_instances" }
            #expect(zones.count == 6)
            #expect(node.stop() == .exited(0))
        }

        @Test func `thousands of zones make no page of thousands of lines`() throws {
            let node = try NodeProcess()
            let client = try node.connect()
            for start in stride(from: 0, to: 3000, by: 100) {
                let requests = (start..<start + 100).map {
                    HTTPRequest.post(
                        "/discovery/register", Form.register("a", [("zone", "z\($0)")]))
                }
                try client.send(requests.joined())
                for _ in requests { #expect(try client.reply().code == 0) }
            }
            let metrics = try node.metrics()
            #expect(metrics.samples.count { $0.name == "discovery_instances" } == 2 * 1000)
            let listed = try metrics.sum("discovery_instances")
            #expect(try listed + metrics.sum("discovery_instances_unlisted") == 3001)
        }

        @Test func `fetch all is counted among the requests`() throws {
            let node = try NodeProcess()
            #expect(try node.get("/discovery/fetch/all").code == 0)
            let labels = ["route": "fetch/all", "code": "0"]
            #expect(try node.metric("discovery_requests_total", labels) == 1)
        }

        @Test func `set cannot gather more metadata than register may bring`() throws {
            let node = try NodeProcess("[registry]\nmetadata_bytes_max = 300\n")
            #expect(try node.register("a", [("metadata", "{}")]).code == 0)
            let value = String(repeating: "x", count: 200)
            func set(_ name: String) throws -> HTTPReply {
                let metadata = ("metadata", #"{"\#(name)":"\#(value)"}"#)
                return try node.post("/discovery/set", Form.key("a", [metadata]))
            }
            #expect(try set("one").code == 0)
            let second = try set("two")
            #expect(try second.code == -400)
            #expect(try second.message.contains("300"))
            // In the place of what is there it fits.
            #expect(try set("one").code == 0)
        }

        @Test func `a node without a descriptor left does not say that none is open`() throws {
            OpenFiles.raiseLimit()
            let node = try NodeProcess(files: 24)
            #expect(try node.adminPage("/livez").status == 200)
            let clients = try (0..<40).map { _ in try node.connect() }
            let pauses = ["reason": "descriptors"]
            #expect(
                try eventually {
                    try node.metric("discovery_accept_pauses_total", pauses) > 0
                })
            #expect(try node.metric("process_open_fds") == 24)
            for client in clients { client.close() }
        }

        @Test func `no client sets the node's own instance waiting`() throws {
            let node = try NodeProcess()
            let key = [("appid", "infra.discovery"), ("status", "2")]
            for path in ["register", "set", "cancel"] {
                let form = Form.register(NodeProcess.host, key)
                #expect(try node.post("/discovery/\(path)", form).code == -400, "\(path)")
            }
            // Else New of the Go clients would wait for ever.
            let polls = "/discovery/polls?env=pre&appid=infra.discovery&latest_timestamp=0"
            let app = try node.get(polls).json["data"]["infra.discovery"]
            #expect(try app.hostnames == [NodeProcess.host])
        }

        @Test func `a base URL that ends in a slash is served`() throws {
            let node = try NodeProcess()
            #expect(try node.get("//discovery/nodes").code == 0)
            #expect(try node.post("//discovery/register", Form.register("a")).code == 0)
        }

        @Test func `the operator gets in when all connections are taken`() throws {
            let node = try NodeProcess("[limits]\nconnections_max = 4\n")
            let served = try (0..<4).map { _ in try node.connect() }
            for client in served {
                #expect(try client.exchange(HTTPRequest.get("/discovery/nodes")).code == 0)
            }
            let waiting = try node.connect()
            try waiting.send(HTTPRequest.get("/discovery/nodes"))
            #expect(waiting.isSilent(for: 0.2))
            #expect(try node.adminPage("/livez").status == 200)
            #expect(try node.metric("discovery_connections", ["loop": "0"]) >= 4)
        }

        @Test func `polls that another loop answers are counted by their own route`() throws {
            let node = try NodeProcess(loops: 2)
            #expect(try node.register("a").code == 0)
            let request = HTTPRequest.get(
                "/discovery/poll?env=dev&appid=demo.app&latest_timestamp=9223372036854775807")
            let held = try (0..<40).map { _ in try node.connect() }
            for client in held { try client.send(request) }
            #expect(try node.holds(40))
            #expect(try node.register("b").code == 0)
            for client in held { #expect(try client.reply().code == 0) }
            let polls = ["route": "poll", "code": "0"]
            #expect(try eventually { try node.metric("discovery_requests_total", polls) == 40 })
            #expect(try node.metric("discovery_requests_total", ["route": "polls"]) == 0)
        }

        @Test func `waiters that also wait for missing applications share one answer`() throws {
            let node = try NodeProcess(loops: 2)
            #expect(try node.register("a").code == 0)
            let view = try node.get("/discovery/fetch?env=dev&appid=demo.app&status=1")
            let latest = try view.json["data"]["latest_timestamp"].int
            let target =
                "/discovery/polls?env=dev&appid=demo.app&latest_timestamp=\(latest)"
                + "&appid=nope&latest_timestamp=0"
            let held = try (0..<20).map { _ in try node.connect() }
            for client in held { try client.send(HTTPRequest.get(target)) }
            #expect(try node.holds(20))
            #expect(try node.register("b").code == 0)
            let bodies = Set(try held.map { try $0.reply().text })
            #expect(bodies.count == 1)
            #expect(bodies.first?.hasSuffix(#""error":{"-404":["nope"]},"message":"0"}"#) == true)
        }

        @Test func `a log that nobody reads stops no request`() throws {
            let node = try NodeProcess(
                """
                [registry]
                lease_seconds = 1
                eviction_percent_per_minute = 100
                self_preservation_percent = 100

                """)
            node.child.errors.stopReading()
            let client = try node.connect()
            for start in stride(from: 0, to: 2_000, by: 100) {
                let requests = (start..<start + 100).map {
                    HTTPRequest.post("/discovery/register", Form.register("host\($0)"))
                }
                try client.send(requests.joined())
                for _ in requests { #expect(try client.reply().code == 0) }
            }
            #expect(try eventually { try node.metric("discovery_evicted_total") == 2_000 })
            #expect(try node.get("/discovery/nodes").code == 0)
        }
    }
}
