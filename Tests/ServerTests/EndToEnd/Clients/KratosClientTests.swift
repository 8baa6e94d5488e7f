import Foundation
import Testing

extension EndToEndTests {
    /// kratos v2 and v3: all parameters in the query, POSTs without a body.
    @Suite struct KratosClientTests {
        let node: NodeProcess

        init() throws { node = try NodeProcess("[polls]\nhold_seconds = 1\n") }

        static let headers = [
            "User-Agent: go-resty/2.9.1 (https://github.com/go-resty/resty)",
            "Accept-Encoding: gzip",
        ]
        static let key = "appid=helloworld&env=dev&hostname=host1&region=sh&zone=sh001"

        /// It reads the body only if status and type are right, and else takes all for a success.
        private func post(_ path: String, _ query: String) throws -> HTTPReply {
            let request =
                HTTPRequest.head("POST", "/discovery/\(path)?\(query)", Self.headers)
                + "Content-Length: 0\r\n\r\n"
            let reply = try node.connect().exchange(request)
            let type = try #require(reply.header("Content-Type"))
            #expect(type.contains(/(application|text)\/(.*json.*)/))
            #expect(reply.status == 200)
            return reply
        }

        static let registration =
            key + "&addrs=grpc%3A%2F%2F10.0.0.1%3A9000&addrs=http%3A%2F%2F10.0.0.1%3A8000"
            + "&metadata=%7B%22kratos.v2.serviceinstance.id%22%3A%22id1%22%7D&status=1&version=v1"

        @Test func `an instance lives from register to cancel in queries alone`() throws {
            #expect(try post("renew", Self.key).code == -404)
            #expect(try post("register", Self.registration).code == 0)
            #expect(try post("renew", Self.key).code == 0)
            let query =
                "/discovery/polls?appid=infra.discovery&appid=helloworld&env=dev&hostname=host1"
                + "&latest_timestamp=0&latest_timestamp=0"
            let answer = try GoClientTests.decode(node.get(query, Self.headers))
            let mine = try #require(answer.data?["helloworld"]?.instances["sh001"]?.first)
            #expect(mine.metadata == ["kratos.v2.serviceinstance.id": "id1"])
            #expect(mine.addrs == ["grpc://10.0.0.1:9000", "http://10.0.0.1:8000"])
            #expect(answer.data?["infra.discovery"]?.instances["sh001"]?.isEmpty == false)
            #expect(try post("cancel", Self.key).code == 0)
            #expect(try post("cancel", Self.key).code == -404)
        }

        @Test func `every failure is JSON in a 200`() throws {
            #expect(try post("register", "env=dev").code == -400)
            let wrong = Self.registration.replacing("status=1", with: "status=3")
            #expect(try post("register", wrong).code == -400)
            #expect(try post("set", Self.key).code == -400)
        }

        @Test func `a poll without news is held, never answered at once`() throws {
            let client = try node.connect()
            // Missing, so nothing would be in the answer: it would ask again without a pause.
            let query =
                "/discovery/polls?appid=helloworld&env=dev&hostname=host1&latest_timestamp=0"
            let took = try seconds {
                let reply = try client.exchange(HTTPRequest.get(query, Self.headers))
                #expect(try reply.code == -304)
            }
            #expect(took > 0.9)
        }
    }
}
