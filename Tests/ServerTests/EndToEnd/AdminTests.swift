import Testing

extension EndToEndTests {
    /// The operator's pages.
    @Suite struct AdminTests {
        /// It said 503 until somebody asked it for something, which who asks this first never does.
        @Test func `a node becomes ready by itself`() throws {
            let node = try NodeProcess(
                "enableprotect = true\n[registry]\nstartup_protection_seconds = 1\n")
            #expect(try node.adminPage("/readyz").status == 503)
            #expect(try eventually(within: 10) { try node.adminPage("/readyz").status == 200 })
            #expect(node.stop() == .exited(0))
        }

        @Test func `every page answers GET and HEAD and nothing else`() throws {
            let node = try NodeProcess()
            for (path, type) in [
                ("/livez", "text/plain; charset=utf-8"), ("/readyz", "text/plain; charset=utf-8"),
                ("/metrics", "text/plain; version=0.0.4; charset=utf-8"),
            ] {
                let reply = try node.adminPage(path)
                #expect(reply.status == 200)
                #expect(reply.header("Content-Type") == type)
                #expect(path == "/metrics" || reply.text == "ok\n")
                let head = try node.adminPage(path, method: "HEAD")
                #expect((head.status, head.text) == (200, ""))
                for method in ["POST", "PUT", "DELETE"] {
                    let refused = try node.adminPage(path, method: method)
                    #expect(refused.status == 405)
                    #expect(refused.header("Allow") == "GET, HEAD")
                }
            }
            let unknown = try node.adminPage("/discovery/nodes")
            #expect(unknown.status == 404)
            #expect(unknown.text == "no such page; there are /metrics /livez /readyz\n")
            #expect(try node.adminPage("/livez?verbose=1").status == 200)
            // It is not taken for the registry's traffic.
            #expect(try node.metrics().samples.allSatisfy { $0.name != "discovery_requests_total" })
        }

        @Test func `an empty admin address serves no pages`() throws {
            let node = try NodeProcess(admin: "")
            #expect(node.adminPort == 0)
            #expect(try node.get("/discovery/nodes").code == 0)
            for path in ["/metrics", "/livez", "/readyz"] {
                #expect(try node.get(path).status == 404)
            }
            #expect(!node.child.errors.text.contains("admin on"))
            #expect(node.stop() == .exited(0))
        }

        @Test func `reads are refused in protection, and readyz tells when it is over`() throws {
            let node = try NodeProcess(
                "enableprotect = true\n[registry]\nstartup_protection_seconds = 1\n")
            let reads = [
                "fetch?env=dev&appid=a&status=1", "fetchs?env=dev&appid=a&status=1", "fetch/all",
                "poll?env=dev&appid=a", "polls?env=dev&appid=a&latest_timestamp=0",
            ]
            for read in reads {
                let reply = try node.get("/discovery/\(read)")
                #expect(try reply.code == -500)
                #expect(reply.status == 200)
            }
            #expect(try node.adminPage("/readyz").status == 503)
            #expect(try node.adminPage("/livez").status == 200)
            #expect(try node.metric("discovery_protected", ["state": "startup"]) == 1)
            #expect(try node.register("a").code == 0)
            #expect(try node.post("/discovery/renew", Form.key("a")).code == 0)
            #expect(try node.get("/discovery/nodes").code == 0)
            let nodes = "/discovery/polls?env=pre&appid=infra.discovery&latest_timestamp=0"
            #expect(try node.get(nodes).code == 0)

            #expect(try eventually(within: 3) { try node.adminPage("/readyz").status == 200 })
            #expect(try node.get("/discovery/fetch?env=dev&appid=demo.app&status=1").code == 0)
            #expect(try node.metric("discovery_protected", ["state": "startup"]) == 0)
        }

        @Test func `the metrics page is well formed and moves with what happens`() throws {
            let node = try NodeProcess(loops: 2)
            #expect(try node.register("a").code == 0)
            #expect(try node.register("w", [("status", "2"), ("zone", "sh002")]).code == 0)
            #expect(try node.post("/discovery/renew", Form.key("a")).code == 0)
            #expect(try node.post("/discovery/renew", Form.key("x")).code == -404)
            let conflict = [("replication", "true"), ("dirty_timestamp", "1")]
            #expect(try node.post("/discovery/renew", Form.key("a", conflict)).code == -409)
            #expect(
                try node.post("/discovery/set", Form.key("a", [("status", "1")])).code == 0)
            for read in [
                "fetch?env=dev&appid=demo.app&status=1", "fetchs?env=dev&appid=demo.app&status=1",
                "fetch/all", "poll?env=dev&appid=demo.app", "nodes",
                "polls?env=dev&appid=demo.app&latest_timestamp=0",
            ] {
                #expect(try node.get("/discovery/\(read)").code == 0, "\(read)")
            }
            #expect(
                try node.get(
                    "/discovery/poll?env=dev&appid=demo.app&latest_timestamp=9000000000000000000",
                    ["x1-bmspy-timeout: 1"]
                ).code == 0)
            #expect(try node.post("/discovery/cancel", Form.key("w")).code == -404)
            #expect(
                try node.post("/discovery/cancel", Form.key("w", [("zone", "sh002")])).code == 0)
            #expect(try node.get("/nowhere").status == 404)
            #expect(try node.get("/discovery/renew").status == 405)

            let metrics = try node.metrics()
            for (route, codes) in [
                ("register", ["0": 2]), ("renew", ["0": 1, "-404": 1, "-409": 1, "http-405": 1]),
                ("set", ["0": 1]), ("cancel", ["0": 1, "-404": 1]), ("fetch", ["0": 1]),
                ("fetchs", ["0": 1]), ("fetch/all", ["0": 1]), ("poll", ["0": 2]),
                ("polls", ["0": 1]), ("nodes", ["0": 1]), ("other", ["http-404": 1]),
            ] {
                for (code, count) in codes {
                    let labels = ["route": route, "code": code]
                    let found = try metrics.sum("discovery_requests_total", labels)
                    #expect(found == count, "\(route) \(code)")
                }
            }
            for (name, labels, count) in [
                ("discovery_writes_total", ["kind": "register"], 2),
                ("discovery_writes_total", ["kind": "renew"], 3),
                ("discovery_writes_total", ["kind": "set"], 1),
                ("discovery_writes_total", ["kind": "cancel"], 2),
                ("discovery_poll_wake_total", ["reason": "at_once"], 2),
                ("discovery_poll_wake_total", ["reason": "timeout"], 1),
                ("discovery_tombstones", [:], 1), ("discovery_apps_known", [:], 2),
                ("discovery_apps", [:], 2),
                ("discovery_instances", ["zone": "sh001", "env": "dev", "status": "up"], 2),
                ("discovery_instances_expected", [:], 1), ("discovery_evicted_total", [:], 0),
                ("discovery_build_info", ["version": "1.0.0", "zone": "sh001", "env": "dev"], 1),
            ] as [(String, [String: String], Int)] {
                #expect(try metrics.sum(name, labels) == count, "\(name) \(labels)")
            }
            #expect(try metrics.sum("process_open_fds") > 5)
            #expect(try metrics.sum("process_resident_memory_bytes") > 1 << 20)
            #expect(try eventually { try node.metric("discovery_connections") == 2 })
            #expect(
                Set(metrics.samples.map { "\($0.name)\($0.labels.sorted { $0 < $1 })" }).count
                    == metrics.samples.count)
            for (family, type) in metrics.types {
                #expect((type == "counter") == family.hasSuffix("_total"), "\(family)")
                #expect(metrics.helps.contains(family))
            }
        }
    }
}
