import Foundation
import Testing

extension EndToEndTests {
    /// Who may write as a node does, over the wire.
    @Suite struct AdmissionTests {
        private static let token = "0123456789abcdef"
        private static let closed = "[cluster]\ntoken = \"\(token)\"\n"
        private static let form = "Content-Type: application/x-www-form-urlencoded"
        private static let right = [form, "discovery-token: \(token)"]
        private static let infra = [("appid", "infra.discovery")]

        private func post(
            _ node: NodeProcess, _ route: String, _ form: String, _ headers: [String] = [Self.form]
        ) throws -> HTTPReply {
            try node.post("/discovery/\(route)", form, headers)
        }

        /// What the node holds, without times.
        private func state(_ node: NodeProcess) throws -> String {
            try ["demo.app", "infra.discovery"].map { appid in
                try node.get("/discovery/fetch?env=dev&appid=\(appid)&status=3").textWithoutTimes
            }.joined()
        }

        private static let replication = [("replication", "true")]
        private static let fromZone = [("replication", "false"), ("from_zone", "true")]

        /// Requests of nodes, for an instance `a` and a node `n`.
        private static let requests: [(route: String, form: String)] = [
            ("register", Form.register("b", replication)),
            ("register", Form.register("b", fromZone)),
            ("register", Form.register("a", replication + [("version", "v2")])),
            ("renew", Form.key("a", replication)), ("renew", Form.key("a", fromZone)),
            ("set", Form.key("a", replication + [("status", "2")])),
            ("cancel", Form.key("a", replication)), ("cancel", Form.key("a", fromZone)),
            ("register", Form.register("n", infra)),
            ("register", Form.register("n", infra + [("env", "prod")])),
            ("set", Form.key("n", infra + [("status", "2")])), ("cancel", Form.key("n", infra)),
        ]

        @Test func `without the token nothing of a node's is taken, and nothing changes`() throws {
            let node = try NodeProcess(Self.closed)
            #expect(try node.register("a").code == 0)
            #expect(
                try post(node, "register", Form.register("n", Self.infra), Self.right).code == 0)
            let before = try state(node)
            let wrong = [
                [Self.form], [Self.form, "Discovery-Token: "],
                [Self.form, "Discovery-Token: 0123456789abcdeF"],
                [Self.form, "X-Discovery-Token: \(Self.token)"],
            ]
            var refused = 0
            for headers in wrong {
                for request in Self.requests {
                    let reply = try post(node, request.route, request.form, headers)
                    #expect(reply.status == 200)
                    #expect(try reply.code == -403, "\(request)")
                    #expect(try reply.message.contains("cluster.token"))
                    #expect(try reply.message.contains("cluster.allow"))
                    #expect(reply.header("Kratos-Status-Code") == "-403")
                    refused += 1
                }
            }
            #expect(try state(node) == before)
            #expect(try node.metric("discovery_requests_total", ["code": "-403"]) == refused)
            #expect(try node.metric("discovery_writes_total") == 2)
        }

        @Test func `with the token all of it is taken`() throws {
            let node = try NodeProcess(Self.closed)
            #expect(try node.register("a").code == 0)
            #expect(
                try post(node, "register", Form.register("n", Self.infra), Self.right).code == 0)
            for request in Self.requests {
                let code = try post(node, request.route, request.form, Self.right).code
                #expect(code != -403 && code != -400, "\(request): \(code)")
            }
        }

        @Test func `a client notices nothing`() throws {
            let node = try NodeProcess(Self.closed)
            #expect(try node.register("a").code == 0)
            #expect(try post(node, "renew", Form.key("a")).code == 0)
            #expect(try post(node, "set", Form.key("a", [("status", "2")])).code == 0)
            #expect(try node.get("/discovery/fetch/all").code == 0)
            #expect(try node.get("/discovery/nodes").code == 0)
            let infra = "/discovery/fetch?env=dev&appid=infra.discovery&status=1"
            #expect(try node.get(infra).json["data"].hostnames == [NodeProcess.host])
            #expect(try post(node, "cancel", Form.key("a")).code == 0)
        }

        @Test func `what is refused leaves the requests beside it alone`() throws {
            let node = try NodeProcess(Self.closed)
            let client = try node.connect()
            let forms = [
                ("register", Form.register("a")), ("renew", Form.key("a", Self.replication)),
                ("renew", Form.key("a")), ("cancel", Form.key("a", Self.replication)),
                ("register", Form.register("n", Self.infra)), ("cancel", Form.key("a")),
            ]
            let text = forms.map { HTTPRequest.post("/discovery/\($0.0)", $0.1) }.joined()
            try client.send(text)
            let codes = try forms.map { _ in try client.reply().code }
            #expect(codes == [0, -403, 0, -403, -403, 0])
        }

        @Test(arguments: [("127.0.0.1", 0), ("127.0.0.0/8", 0), ("127.0.0.2", -403), ("::1", -403)])
        func `an address is admitted by the list`(_ row: (allow: String, code: Int)) throws {
            let node = try NodeProcess("[cluster]\nallow = [\"\(row.allow)\"]\n")
            #expect(try node.register("a", Self.replication).code == row.code)
            #expect(try post(node, "register", Form.register("n", Self.infra)).code == row.code)
            #expect(try node.register("b").code == 0)
        }

        @Test func `a node that anyone can join says so once, and only then`() throws {
            let sentence = "WARNING anyone who reaches this port can join the cluster"
            for (settings, count) in [
                ("nodes = [\"127.0.0.1:1\"]\n", 1),
                ("zones.sh002 = [\"127.0.0.1:1\"]\n", 1),
                ("nodes = [\"127.0.0.1:1\"]\n" + Self.closed, 0),
                ("log.level = \"info\"\n", 0),
            ] {
                let node = try NodeProcess(settings)
                let lines = node.child.errors.lines.filter { $0.contains(sentence) }
                #expect(lines.count == count, "\(settings)")
                #expect(!node.child.errors.text.contains(Self.token))
            }
        }
    }
}
