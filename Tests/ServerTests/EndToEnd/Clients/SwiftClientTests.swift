import DiscoveryClient
import Foundation
import Testing

extension EndToEndTests {
    /// The Swift SDK against real nodes that come, go and cannot be reached.
    @Suite struct SwiftClientTests {
        private static let appID = "demo.app"

        private func makeClient(
            _ nodes: [String], host: String = "me",
            _ change: (inout ClientConfiguration) -> Void = { _ in }
        ) throws -> DiscoveryClient {
            var configuration = ClientConfiguration(
                nodes: nodes, env: NodeProcess.env, zone: NodeProcess.zone, hostname: host)
            configuration.renewInterval = .milliseconds(200)
            configuration.requestTimeout = .seconds(1)
            configuration.drainTime = .zero
            change(&configuration)
            return try DiscoveryClient(configuration)
        }

        private func running(
            _ clients: [DiscoveryClient], _ body: () async throws -> Void
        ) async throws {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for client in clients { group.addTask { await client.run() } }
                try await body()
                group.cancelAll()
            }
        }

        /// Leaves the thread to others meanwhile: the clients need it.
        private func eventually(
            within seconds: Double = 10, _ condition: () async throws -> Bool
        ) async throws -> Bool {
            let end = ContinuousClock.now + .seconds(seconds)
            while ContinuousClock.now < end {
                if try await condition() { return true }
                try await Task.sleep(for: .milliseconds(10))
            }
            return try await condition()
        }

        private func hosts(_ client: DiscoveryClient) async -> [String] {
            await client.snapshot(of: Self.appID)?.instances.map(\.hostname) ?? []
        }

        private func registration(_ port: Int = 80) -> Registration {
            Registration(appID: Self.appID, addresses: ["http://127.0.0.1:\(port)"])
        }

        @Test func `a provider is seen by a consumer, renewed, changed, and cancelled at the end`()
            async throws
        {
            let node = try NodeProcess()
            let address = "127.0.0.1:\(node.port)"
            let consumer = try makeClient([address], host: "c")
            try await running([consumer]) {
                let provider = try makeClient([address])
                try await running([provider]) {
                    let picker = await consumer.picker(for: Self.appID)
                    try await provider.register(registration())
                    #expect(try await eventually { picker.pick()?.url == "http://127.0.0.1:80" })
                    #expect(
                        try await eventually {
                            try node.metric("discovery_writes_total", ["kind": "renew"]) > 2
                        })
                    try await provider.set(Self.appID, metadata: ["weight": "7"])
                    #expect(
                        try await eventually {
                            await consumer.snapshot(of: Self.appID)?.instances.first?
                                .metadata["weight"] == "7"
                        })
                }
                #expect(try node.hostnames() == [])
                // Nobody else is there: the last one known stays.
                #expect(await hosts(consumer) == ["me"])
            }
        }

        @Test
        func `a registry that was killed gets its registrations back, and consumers keep them`()
            async throws
        {
            let group = try NodeGroup(["sh001"])
            let consumer = try makeClient([group.seats[0].address], host: "c")
            let provider = try makeClient([group.seats[0].address])
            try await running([consumer, provider]) {
                try await provider.register(registration())
                _ = await consumer.picker(for: Self.appID)
                #expect(try await eventually { await hosts(consumer) == ["me"] })
                try group.kill(0)
                try await Task.sleep(for: .milliseconds(500))
                #expect(await hosts(consumer) == ["me"])
                let node = try group.start(0)
                #expect(try await eventually(within: 15) { try node.hostnames() == ["me"] })
                #expect(try node.register("other").code == 0)
                #expect(
                    try await eventually(within: 15) { await hosts(consumer) == ["me", "other"] })
            }
        }

        @Test func `a node that cannot be reached any more is left for another one`() async throws {
            let ports = try [ReservedPort(), ReservedPort()]
            let proxies = try ports.map { try TCPProxy(to: $0.number) }
            let group = try NodeGroup(["sh001", "sh001"], proxies: proxies, ports: ports)
            try group.waitUntilMet()
            let consumer = try makeClient([group.seats[0].address], host: "c") {
                $0.pollTimeout = .seconds(2)
            }
            let provider = try makeClient([group.seats[0].address])
            try await running([consumer, provider]) {
                try await provider.register(registration())
                _ = await consumer.picker(for: Self.appID)
                #expect(try await eventually { await hosts(consumer) == ["me"] })
                // Either of the two may be the one it polls by now.
                for lost in 0..<2 {
                    proxies[lost].set(.stalled)
                    #expect(try group[1 - lost].register("h\(lost)").code == 0)
                    #expect(
                        try await eventually(within: 15) {
                            await hosts(consumer).contains("h\(lost)")
                        })
                    proxies[lost].set(.open)
                }
                #expect(try await eventually { try group[0].hostnames().contains("me") })
            }
        }

        @Test func `the program of the README registers, follows and leaves`() async throws {
            let node = try NodeProcess()
            let program = try ChildProcess(
                try ChildProcess.discovery().replacing(/discovery$/, with: "client-example"), [],
                environment: [
                    "DISCOVERY_NODES": "127.0.0.1:\(node.port)", "DEPLOY_ENV": NodeProcess.env,
                    "ZONE": NodeProcess.zone, "HOSTNAME": "me",
                ])
            #expect(try await eventually { try node.hostnames("shop") == ["me"] })
            #expect(try node.holds(1))
            #expect(try node.register("h", [("appid", "stock")]).code == 0)
            // The list of nodes, and that of stock.
            let polls = ["route": "polls", "code": "0"]
            #expect(
                try await eventually { try node.metric("discovery_requests_total", polls) >= 2 })
            program.send(SIGTERM)
            #expect(program.waitForEnd(within: 10) == .exited(0))
            #expect(program.output.text.contains("1 of stock, next is http://"))
            #expect(try node.hostnames("shop") == [])
        }

        @Test func `an app that nobody has registered costs one poll at a time`() async throws {
            let node = try NodeProcess()
            let consumer = try makeClient(["127.0.0.1:\(node.port)"])
            try await running([consumer]) {
                let picker = await consumer.picker(for: Self.appID)
                #expect(
                    try await eventually { try node.metric("discovery_pollers") == 1 })
                try await Task.sleep(for: .seconds(1))
                #expect(
                    try node.metric("discovery_requests_total", ["route": "polls"]) <= 4)
                #expect(picker.pick() == nil)
                #expect(try node.register("h").code == 0)
                #expect(try await eventually { picker.pick() != nil })
            }
        }
    }
}
