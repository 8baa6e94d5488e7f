import Foundation
import Testing

extension EndToEndTests {
    /// How a node ends, in order and not, and comes back.
    @Suite struct StopTests {
        static let polls = HTTPRequest.get(
            "/discovery/polls?env=dev&appid=nope&latest_timestamp=0")

        @Test(arguments: [SIGTERM, SIGINT])
        func `a signal answers who waits, drains and exits with 0`(_ signal: Int32) throws {
            let node = try NodeProcess(loops: 2)
            #expect(try node.register("a").code == 0)
            let pollers = try (0..<20).map { _ in try node.connect() }
            for poller in pollers { try poller.send(Self.polls) }
            #expect(try node.holds(20))
            let ready = try HTTPClient(port: node.adminPort)
            #expect(try ready.exchange(HTTPRequest.get("/readyz")).status == 200)
            let took = try seconds {
                node.child.send(signal)
                for poller in pollers {
                    let reply = try poller.reply(within: 1)
                    #expect(try reply.code == -503)
                    #expect(reply.status == 200)
                }
                // It goes on serving for a moment, and says that it is about to go.
                let answer = try ready.exchange(HTTPRequest.get("/readyz"))
                #expect(answer.status == 503)
                #expect(answer.text == "not ready: about to stop\n")
                #expect(try node.post("/discovery/renew", Form.key("a")).code == 0)
                #expect(try pollers[0].exchange(Self.polls).code == -503)
                let woken = ["reason": "shutdown"]
                #expect(try node.metric("discovery_poll_wake_total", woken) == 20)
                #expect(try node.metric("discovery_protected", ["state": "draining"]) == 1)
                #expect(node.child.waitForEnd(within: 5) == .exited(0))
            }
            #expect(took < 3, "\(took) s")
            for poller in pollers { #expect(try poller.remainder() == "") }
            #expect(throws: Failure.self) { try node.connect() }
            let name = signal == SIGINT ? "SIGINT" : "SIGTERM"
            let lines = node.child.errors.lines
            #expect(lines.contains { $0.hasSuffix("NOTICE stopping signal=\(name)") })
            #expect(lines.last?.hasSuffix("NOTICE stopped") == true)
        }

        @Test func `a second signal makes no difference`() throws {
            let node = try NodeProcess()
            for _ in 0..<3 { node.child.send(SIGTERM) }
            #expect(node.stop(SIGINT) == .exited(0))
        }

        @Test func `requests under way when the node stops are answered or closed`() throws {
            let node = try NodeProcess()
            let half = try node.connect()
            try half.send(
                "POST /discovery/register HTTP/1.1\r\nHost: node\r\nContent-Length: 9\r\n\r\nab")
            let reader = try node.connect()
            for _ in 0..<100 { try reader.send(HTTPRequest.get("/discovery/fetch/all")) }
            #expect(node.stop() == .exited(0))
            #expect(try half.remainder() == "")
            var answers = 0
            while answers < 100, try reader.reply().code == 0 { answers += 1 }
            #expect(answers == 100)
        }

        @Test func `after kill -9 clients register again with the node in its place`() throws {
            let first = try NodeProcess()
            #expect(try first.register("a").code == 0)
            let fetch = "/discovery/fetch?env=dev&appid=demo.app&status=1"
            let before = try first.get(fetch).json["data"]["latest_timestamp"].int
            let poller = try first.connect()
            try poller.send(Self.polls)
            #expect(try first.holds(1))
            #expect(first.stop(SIGKILL) == .killed(signal: SIGKILL))
            #expect(try poller.remainder() == "")

            // At once, on the same port.
            let second = try NodeProcess(flags: ["--listen", "127.0.0.1:\(first.port)"])
            #expect(second.port == first.port)
            #expect(try second.post("/discovery/renew", Form.key("a")).code == -404)
            #expect(try second.register("a").code == 0)
            #expect(try second.post("/discovery/renew", Form.key("a")).code == 0)
            // A consumer that knows the old timestamp misses nothing.
            #expect(try second.get(fetch).json["data"]["latest_timestamp"].int > before)
        }
    }
}
