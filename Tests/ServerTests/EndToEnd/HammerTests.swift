import Foundation
import Synchronization
import Testing

extension EndToEndTests {
    /// Many clients at once, doing everything, right and wrong.
    @Suite struct HammerTests {
        static let threads = 8
        static let seconds = 3.0

        @Test(arguments: [1, 2])
        func `a node under a storm of requests keeps count`(_ loops: Int) throws {
            let node = try NodeProcess(loops: loops)
            var seeds = SeededGenerator.fromEnvironment()
            let generators = (0..<Self.threads).map { _ in SeededGenerator(seed: seeds.next()) }
            let port = node.port
            let tally = Mutex(Tally())
            let done = DispatchGroup()
            for (index, generator) in generators.enumerated() {
                done.enter()
                Thread.detachNewThread {
                    var worker = Worker(index: index, port: port, generator: generator)
                    let found = worker.run(for: Self.seconds / Double(loops))
                    tally.withLock { $0.add(found) }
                    done.leave()
                }
            }
            #expect(done.wait(timeout: .now() + 30) == .success)
            let total = tally.withLock { $0 }
            #expect(total.failures == [])
            #expect(total.answered > 500, "\(total.answered)")
            // The polls that were left behind are forgotten.
            #expect(try node.holds(0))
            #expect(try eventually { try node.metric("discovery_connections") == 1 })
            // Polls are counted apart: some of those that were left behind never arrived.
            let metrics = try node.metrics()
            let all = try metrics.sum("discovery_requests_total")
            let polled = try ["poll", "polls"].reduce(0) {
                try $0 + metrics.sum("discovery_requests_total", ["route": $1])
            }
            let closed = try metrics.sum("discovery_poll_wake_total", ["reason": "closed"])
            #expect(all - polled == total.answered - total.polled)
            #expect(polled + closed >= total.polled)
            #expect(polled + closed <= total.polled + total.abandoned)
            // A view of everything is shared for a second.
            #expect(
                try eventually(within: 3) {
                    let apps = try node.get("/discovery/fetch/all").json["data"]
                    let stored = try apps.keys.reduce(0) { try $0 + apps[$1].list.count }
                    return try node.metric("discovery_instances") == stored
                })
            #expect(node.stop() == .exited(0), "\(node.child.errors.text)")
        }
    }

    /// What the workers saw.
    struct Tally: Sendable {
        var answered = 0
        /// Those of them that may have been held.
        var polled = 0
        /// Polls whose connection was closed before their answer was read.
        var abandoned = 0
        var failures: [String] = []

        mutating func add(_ other: Tally) {
            answered += other.answered
            polled += other.polled
            abandoned += other.abandoned
            failures += other.failures
        }
    }

    /// One client. Its requests come from its generator alone.
    struct Worker {
        let index: Int
        let port: UInt16
        var generator: SeededGenerator
        private var client: HTTPClient?
        private var tally = Tally()

        init(index: Int, port: UInt16, generator: SeededGenerator) {
            self.index = index
            self.port = port
            self.generator = generator
        }

        mutating func run(for seconds: Double) -> Tally {
            let end = DispatchTime.now() + seconds
            do {
                while DispatchTime.now() < end { try step() }
                client = nil
            } catch {
                tally.failures.append("worker \(index): \(error)")
            }
            return tally
        }

        private mutating func step() throws {
            switch Int.random(in: 0..<100, using: &generator) {
            case 0..<30: try exchange(write())
            case 30..<55: try exchange(read())
            case 55..<70: try exchange(nonsense())
            case 70..<80: try pipeline()
            case 80..<95: try abandonPoll()
            default: client = nil
            }
        }

        private mutating func connected() throws -> HTTPClient {
            let client = try self.client ?? HTTPClient(port: port)
            self.client = client
            return client
        }

        private mutating func exchange(_ request: String) throws {
            let reply = try connected().exchange(request)
            if request.contains("/discovery/poll") { tally.polled += 1 }
            try check(reply)
        }

        private mutating func check(_ reply: HTTPReply) throws {
            tally.answered += 1
            guard [200, 404, 405].contains(reply.status) else { throw Failure(reply.head) }
            guard reply.status == 200 else { return }
            let codes = [0, -304, -400, -404, -409, -503]
            guard codes.contains(try reply.code) else { throw Failure(reply.text) }
        }

        private mutating func pipeline() throws {
            let requests = (0..<Int.random(in: 2...20, using: &generator)).map { _ in write() }
            let client = try connected()
            try client.send(requests.joined())
            for _ in requests { try check(client.reply()) }
        }

        /// Sends a poll and goes, at once or after a moment.
        private mutating func abandonPoll() throws {
            let client = try HTTPClient(port: port)
            try client.send(
                HTTPRequest.get(
                    "/discovery/polls?env=dev&appid=\(app())&latest_timestamp=\(Int.max)"))
            if Bool.random(using: &generator) { _ = client.isSilent(for: 0.002) }
            if Bool.random(using: &generator) { client.reset() }
            tally.abandoned += 1
        }

        private mutating func app() -> String { "app\(Int.random(in: 0..<5, using: &generator))" }

        private mutating func write() -> String {
            let route =
                ["register", "register", "renew", "renew", "set", "cancel"]
                .randomElement(using: &generator) ?? "renew"
            let changes = [
                ("appid", app()), ("zone", Bool.random(using: &generator) ? "sh001" : "sh002"),
                ("status", "\(Int.random(in: 1...3, using: &generator))"),
                ("version", "\(Int.random(in: 0..<4, using: &generator))"),
            ]
            let host = "h\(Int.random(in: 0..<10, using: &generator))"
            return HTTPRequest.post("/discovery/\(route)", Form.register(host, changes))
        }

        private mutating func read() -> String {
            let query = "env=dev&appid=\(app())&appid=\(app())&status=1&latest_timestamp=0"
            let route =
                ["fetch", "fetchs", "fetch/all", "poll", "polls", "nodes"]
                .randomElement(using: &generator) ?? "nodes"
            return HTTPRequest.get(
                "/discovery/\(route)?\(query)&latest_timestamp=0", ["x1-bmspy-timeout: 1"])
        }

        private mutating func nonsense() -> String {
            let count = Int.random(in: 0..<300, using: &generator)
            let bytes = (0..<count).map { _ in UInt8.random(in: 0...127, using: &generator) }
            let text = String(decoding: bytes, as: UTF8.self)
            let route =
                ["register", "renew", "set", "polls", "nowhere"]
                .randomElement(using: &generator) ?? "set"
            let type = ["application/json", "text/xml", "x"].randomElement(using: &generator) ?? ""
            return HTTPRequest.post("/discovery/\(route)", text, ["Content-Type: \(type)"])
        }
    }
}
