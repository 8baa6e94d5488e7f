import Foundation
import Testing

extension EndToEndTests {
    /// The Go clients: `naming` of the reference and the fork of it in kratos v0. Whole exchanges,
    /// as they send them; keys sorted, because Go sorts them.
    @Suite struct GoClientTests {
        let node: NodeProcess

        init() throws { node = try NodeProcess("[polls]\nhold_seconds = 1\n") }

        static let headers = [
            "User-Agent: blademaster/1.11 host1 main.arch.demo", "x1-bmspy-timeout: 40000",
            "x1-bmspy-user: ", "Accept-Encoding: gzip",
        ]
        static let formHeaders =
            headers + ["Content-Type: application/x-www-form-urlencoded"]

        /// What json.Unmarshal reads; any other type loses the whole answer.
        struct Polls: Decodable {
            struct App: Decodable {
                var instances: [String: [Instance]]
                var latestTimestamp: Int64

                enum CodingKeys: String, CodingKey {
                    case instances
                    case latestTimestamp = "latest_timestamp"
                }
            }
            var code: Int
            var data: [String: App]?
        }

        struct Instance: Decodable {
            var region: String
            var zone: String
            var env: String
            var appid: String
            var hostname: String
            var addrs: [String]
            var version: String
            var metadata: [String: String]
            var status: Int
        }

        static func decode(_ reply: HTTPReply) throws -> Polls {
            #expect(reply.header("Content-Type")?.contains("json") == true)
            return try JSONDecoder().decode(Polls.self, from: Data(reply.body))
        }

        private func polls(_ query: String) -> String {
            HTTPRequest.get("/discovery/polls?\(query)", Self.headers)
        }

        private func post(_ path: String, _ body: String) throws -> HTTPReply {
            try node.post("/discovery/\(path)", body, Self.formHeaders)
        }

        static let key = "appid=main.arch.demo&env=pre&hostname=host1&region=sh&zone=sh001"
        static let registration =
            "addrs=grpc%3A%2F%2F172.1.1.1%3A9000&addrs=http%3A%2F%2F172.1.1.1%3A8000"
            + "&appid=main.arch.demo&env=pre&hostname=host1&metadata=%7B%22weight%22%3A%2210%22%7D"
            + "&region=sh&status=1&version=1.0&zone=sh001"

        @Test(arguments: ["dev", "pre", "prod"])
        func `New finds the nodes at once in every env`(_ env: String) throws {
            let client = try node.connect()
            let start = "appid=infra.discovery&env=\(env)&hostname=host1&latest_timestamp="
            // It blocks the application until there is an answer.
            let took = try seconds {
                let app = try #require(
                    try Self.decode(client.exchange(polls(start + "0"))).data?["infra.discovery"])
                let own = try #require(app.instances["sh001"]?.first)
                #expect(own.addrs == ["http://127.0.0.1:\(node.port)"])
                #expect(own.env == env)
                #expect(app.latestTimestamp > 0)
                // Nothing new: held, and then -304, which it takes without a word.
                try client.send(polls(start + "\(app.latestTimestamp)"))
            }
            #expect(took < 0.5)
            #expect(try Self.decode(client.reply()).code == -304)
        }

        @Test func `an instance lives from register to cancel`() throws {
            #expect(try post("renew", Self.key).code == -404)
            #expect(try post("register", Self.registration).code == 0)
            #expect(try post("renew", Self.key).code == 0)
            let set = "\(Self.key)&metadata=%7B%22weight%22%3A%2220%22%7D&status=1&version=1.0"
            #expect(try post("set", set).code == 0)
            let reply = try node.get(
                "/discovery/polls?appid=main.arch.demo&env=pre&hostname=host1&latest_timestamp=0",
                Self.headers)
            let app = try #require(try Self.decode(reply).data?["main.arch.demo"])
            let instance = try #require(app.instances["sh001"]?.first)
            #expect(instance.addrs == ["grpc://172.1.1.1:9000", "http://172.1.1.1:8000"])
            #expect(instance.metadata == ["weight": "20"])
            #expect((instance.region, instance.status) == ("sh", 1))
            #expect(try post("cancel", Self.key).code == 0)
            // Cancelled: the renewals that are still under way ask for a register.
            #expect(try post("renew", Self.key).code == -404)
        }

        @Test func `metadata that Go leaves empty comes back as an object`() throws {
            let body = Self.registration.replacing("%7B%22weight%22%3A%2210%22%7D", with: "")
            #expect(try post("register", body).code == 0)
            let reply = try post("renew", Self.key)
            #expect(try reply.json["data"]["metadata"].keys == [])
        }

        @Test func `Build closes the running poll and asks for more with a new one`() throws {
            let first = try node.connect()
            let own = "appid=infra.discovery&env=pre&hostname=host1&latest_timestamp="
            let nodes = try Self.decode(first.exchange(polls(own + "0")))
            let latest = try #require(nodes.data?["infra.discovery"]?.latestTimestamp)
            try first.send(polls(own + "\(latest)"))
            #expect(try node.holds(1))
            first.close()

            // In whatever order Go's map gives.
            let second = try node.connect()
            try second.send(
                polls(
                    "appid=main.arch.demo&appid=infra.discovery&env=pre&hostname=host1"
                        + "&latest_timestamp=0&latest_timestamp=\(latest)"))
            // This client and the one of the admin pages.
            #expect(try eventually { try node.metric("discovery_connections") == 2 })
            #expect(try node.holds(1))
            #expect(try post("register", Self.registration).code == 0)
            let answer = try Self.decode(second.reply(within: 0.9))
            #expect(answer.code == 0)
            #expect(answer.data?.keys.sorted() == ["main.arch.demo"])
            #expect(try node.metric("discovery_poll_wake_total", ["reason": "closed"]) == 1)
        }

        @Test func `a client that starts over after a switch of nodes gets everything`() throws {
            #expect(try post("register", Self.registration).code == 0)
            let query =
                "appid=infra.discovery&appid=main.arch.demo&env=pre&hostname=host1"
                + "&latest_timestamp=0&latest_timestamp=0"
            let answer = try Self.decode(node.get("/discovery/polls?\(query)", Self.headers))
            #expect(answer.data?.keys.sorted() == ["infra.discovery", "main.arch.demo"])
        }

        @Test func `naming 1.0 joins addrs by commas and knows no time limit`() throws {
            let body = Self.registration.replacing("9000&addrs=http", with: "9000%2Chttp")
            let form = ["Content-Type: application/x-www-form-urlencoded"]
            #expect(try node.post("/discovery/register", body, form).code == 0)
            let client = try node.connect()
            let query = "/discovery/polls?appid=main.arch.demo&env=pre&hostname=host1"
            let app = try #require(
                try Self.decode(
                    client.exchange(HTTPRequest.get(query + "&latest_timestamp=0"))
                ).data?["main.arch.demo"])
            #expect(
                app.instances["sh001"]?.first?.addrs
                    == ["grpc://172.1.1.1:9000", "http://172.1.1.1:8000"])
            let next = query + "&latest_timestamp=\(app.latestTimestamp)"
            #expect(try Self.decode(client.exchange(HTTPRequest.get(next))).code == -304)
        }

        @Test func `naming 1.1 joins apps by commas and hears of all when one changes`() throws {
            #expect(try post("register", Self.registration).code == 0)
            let other = Self.registration.replacing("arch.demo", with: "arch.other")
            #expect(try post("register", other).code == 0)
            let query =
                "/discovery/polls?appid=main.arch.demo%2Cmain.arch.other&env=pre&hostname=host1"
                + "&latest_timestamp="
            let all = try Self.decode(node.get(query + "0%2C0", Self.headers)).data ?? [:]
            #expect(all.count == 2)
            let times = all.sorted { $0.key < $1.key }.map { "\($0.value.latestTimestamp)" }
            let next = try node.connect()
            try next.send(
                HTTPRequest.get(query + times.joined(separator: "%2C"), Self.headers))
            #expect(try node.holds(1))
            #expect(try post("register", other.replacing("1.0", with: "1.1")).code == 0)
            #expect(try Self.decode(next.reply(within: 0.9)).data?.count == 2)
        }
    }
}
