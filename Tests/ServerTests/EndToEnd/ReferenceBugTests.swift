import Testing

extension EndToEndTests {
    /// What the reference was observed to get wrong on a single node, and this one must not.
    @Suite struct ReferenceBugTests {
        let node: NodeProcess

        init() throws { node = try NodeProcess("[polls]\nhold_seconds = 2\n") }

        private func polls(_ apps: String, _ latest: Int...) -> String {
            HTTPRequest.get(
                "/discovery/polls?env=dev&hostname=h&appid=\(apps)"
                    + latest.map { "&latest_timestamp=\($0)" }.joined())
        }

        private func latest(_ app: String = "demo.app") throws -> Int {
            let reply = try node.get("/discovery/fetch?env=dev&status=3&appid=\(app)")
            return try reply.json["data"]["latest_timestamp"].int
        }

        private func poll(_ apps: String, _ latest: Int...) throws -> HTTPClient {
            let before = try node.metric("discovery_pollers")
            let client = try node.connect()
            try client.send(
                HTTPRequest.get(
                    "/discovery/polls?env=dev&hostname=h&appid=\(apps)"
                        + latest.map { "&latest_timestamp=\($0)" }.joined()))
            guard try node.holds(before + 1) else { throw Failure("not held") }
            return client
        }

        @Test func `addrs that a node joined by commas are kept apart`() throws {
            let relayed = [
                ("addrs", "http://1.1.1.1:80,grpc://1.1.1.1:90"), ("replication", "true"),
                ("from_zone", "true"), ("dirty_timestamp", "1700000000000000000"),
            ]
            #expect(try node.register("a", relayed).code == 0)
            let instance = try node.post("/discovery/renew", Form.key("a")).json["data"]
            #expect(try instance["addrs"].list.count == 2)
            #expect(try instance["dirty_timestamp"].int == 1_700_000_000_000_000_000)
        }

        @Test func `an app whose instances are all set waiting lets no poller spin`() throws {
            #expect(try node.register("a").code == 0)
            let before = try latest()
            let form = Form.key("a", [("status", "2")])
            #expect(try node.post("/discovery/set", form).code == 0)
            // Older and empty: held, not answered with an empty list again and again.
            let client = try poll("demo.app", before)
            #expect(client.isSilent(for: 0.1))
            #expect(try node.register("b").code == 0)
            #expect(try client.reply().json["data"]["demo.app"].hostnames == ["b"])
        }

        @Test func `set is seen by a poll that comes after it`() throws {
            #expect(try node.register("a").code == 0)
            let before = try latest()
            let form = Form.key("a", [("metadata", #"{"weight":"7"}"#)])
            #expect(try node.post("/discovery/set", form).code == 0)
            let app = try node.connect().exchange(polls("demo.app", before)).json["data"]
            let instance = try app["demo.app"]["instances"]["sh001"][0]
            #expect(try instance["metadata"]["weight"].string == "7")
            #expect(try app["demo.app"]["latest_timestamp"].int > before)
        }

        @Test func `set changes all hosts or none`() throws {
            for host in ["a", "b"] { #expect(try node.register(host).code == 0) }
            let before = try latest()
            let key = "region=sh&zone=sh001&env=dev&appid=demo.app"
            for bad in [
                "hostname=a&hostname=nope&status=2&status=2", "hostname=a&hostname=b&status=2",
                "hostname=a&hostname=b&status=2&status=9",
                "hostname=a&hostname=b&status=2&status=2&metadata={}&metadata=[]",
                "hostname=a&hostname=b&metadata={}", "status=2",
            ] {
                #expect(try node.post("/discovery/set", "\(key)&\(bad)").code == -400, "\(bad)")
            }
            #expect(try latest() == before)
            let up = "/discovery/fetch?env=dev&status=1&appid=demo.app"
            #expect(try node.get(up).json["data"].hostnames == ["a", "b"])
            let good = "\(key)&hostname=a,b&status=2,1"
            #expect(try node.post("/discovery/set", good).code == 0)
            #expect(try node.get(up).json["data"].hostnames == ["b"])
        }

        @Test func `a poll that was left behind takes no news from the next one`() throws {
            for app in ["x", "y"] { #expect(try node.register("a", [("appid", app)]).code == 0) }
            let (x, y) = (try latest("x"), try latest("y"))
            let abandoned = try poll("x", x)
            let next = try poll("y&appid=x", y, x)
            abandoned.close()
            #expect(try node.register("b", [("appid", "x")]).code == 0)
            #expect(try next.reply(within: 1).json["data"].keys == ["x"])
        }

        @Test func `polls of a missing app leave nothing behind`() throws {
            for _ in 0..<40 {
                #expect(try node.get("/discovery/poll?env=dev&hostname=h&appid=nope").code == -404)
            }
            #expect(try node.metric("discovery_pollers") == 0)
            let took = try seconds {
                let reply = try node.register("a", [("appid", "nope")])
                #expect(try reply.code == 0)
            }
            #expect(took < 0.5)
        }

        @Test func `the last cancel wakes who waits`() throws {
            #expect(try node.register("a").code == 0)
            let client = try poll("demo.app", try latest())
            #expect(try node.post("/discovery/cancel", Form.key("a")).code == 0)
            let app = try client.reply(within: 1).json["data"]["demo.app"]
            #expect(try app.hostnames == [])
            #expect(try app["latest_timestamp"].int > 0)
        }

        @Test func `a change in another zone loses no poller of this one`() throws {
            #expect(try node.register("a", [("zone", "sh002")]).code == 0)
            let client = try poll("demo.app&zone=sh002", try latest())
            #expect(try node.register("b").code == 0)
            #expect(client.isSilent(for: 0.05))
            #expect(try node.register("c", [("zone", "sh002")]).code == 0)
            let app = try client.reply(within: 1).json["data"]["demo.app"]
            #expect(try app.hostnames == ["a", "c"])
            #expect(try app["instances"].keys == ["sh002"])
        }

        @Test func `names that look alike when joined are not confused`() throws {
            #expect(try node.register("a", [("appid", "a-b"), ("env", "c")]).code == 0)
            #expect(try node.get("/discovery/fetch?appid=a&env=b-c&status=1").code == -404)
            let waiting = try node.connect()
            try waiting.send(
                HTTPRequest.get("/discovery/polls?env=a.b&appid=c&latest_timestamp=0"))
            #expect(try node.holds(1))
            #expect(try node.register("a", [("appid", "b.c"), ("env", "a")]).code == 0)
            #expect(waiting.isSilent(for: 0.05))
        }

        @Test func `a client's register always takes effect`() throws {
            let ahead = [
                ("replication", "true"),
                ("dirty_timestamp", "\(try latestWall() + 3_600_000_000_000)"),
            ]
            #expect(try node.register("a", ahead).code == 0)
            let client = try poll("demo.app", try latest())
            #expect(try node.register("a", [("addrs", "http://2.2.2.2:80")]).code == 0)
            let instance = try client.reply(within: 1)
                .json["data"]["demo.app"]["instances"]["sh001"][0]
            #expect(try instance["addrs"][0].string == "http://2.2.2.2:80")
        }

        /// A timestamp of the node's clock.
        private func latestWall() throws -> Int { try latest("infra.discovery") }

        @Test func `a late cancel of a node does not remove what was registered after it`() throws {
            #expect(try node.register("a").code == 0)
            let stale = [("replication", "true"), ("from_zone", "true"), ("dirty_timestamp", "1")]
            #expect(try node.post("/discovery/cancel", Form.key("a", stale)).code == 0)
            #expect(try node.post("/discovery/renew", Form.key("a")).code == 0)
            // The reference sends no version: that one counts.
            let plain = [("replication", "true"), ("from_zone", "true"), ("latest_timestamp", "0")]
            #expect(try node.post("/discovery/cancel", Form.key("a", plain)).code == 0)
            #expect(try node.post("/discovery/renew", Form.key("a")).code == -404)
        }

        @Test func `timestamps of an app rise over its end and its return`() throws {
            var known = 0
            for _ in 0..<5 {
                #expect(try node.register("a").code == 0)
                let now = try latest()
                #expect(now > known)
                known = now
                #expect(try node.post("/discovery/cancel", Form.key("a")).code == 0)
            }
        }

        @Test func `register answers every wrong status with a body`() throws {
            for status in ["3", "9"] {
                let reply = try node.register("a", [("status", status)])
                #expect(try reply.code == -400)
                #expect(reply.header("Content-Type") == "application/json; charset=utf-8")
            }
        }

        @Test func `nothing wraps answers and nothing else is served on the public port`() throws {
            #expect(try node.get("/discovery/nodes?callback=cb").json["code"].int == 0)
            for path in ["/metrics", "/metadata", "/debug/pprof/", "/livez", "/readyz", "/"] {
                #expect(try node.get(path).status == 404)
            }
        }
    }
}
