import Foundation
import Testing

extension EndToEndTests {
    /// Nodes whose ways to each other are disturbed.
    @Suite struct PartitionTests {
        /// One node in each zone, each reached through a proxy only.
        private func start(
            _ zones: [String], cluster: String = NodeGroup.allowed
        ) throws -> (NodeGroup, [TCPProxy]) {
            let ports = try zones.map { _ in try ReservedPort() }
            let proxies = try ports.map { try TCPProxy(to: $0.number) }
            let group = try NodeGroup(zones, cluster: cluster, proxies: proxies, ports: ports)
            try group.waitUntilMet()
            return (group, proxies)
        }

        /// Until all nodes hold these hosts and say the same of the app.
        private func expectHealed(_ group: NodeGroup, _ hosts: [String]) throws {
            let isHealed = try eventually(within: 20) {
                try group.nodes.allSatisfy { try $0.hostnames() == hosts }
                    && Set(group.nodes.map { try $0.latest() }).count == 1
            }
            let found = try group.nodes.map { try $0.hostnames() }
            #expect(isHealed, "\(found)")
        }

        @Test(arguments: [TCPProxy.Mode.stalled, .broken])
        func `what happened on both sides of a partition of zones is there when it heals`(
            _ mode: TCPProxy.Mode
        ) throws {
            let (group, proxies) = try start(["sh001", "sh002"])
            for host in ["a", "b"] { #expect(try group[0].register(host).code == 0) }
            #expect(try eventually { try group[1].hostnames() == ["a", "b"] })
            for proxy in proxies { proxy.set(mode) }
            #expect(try group[0].cancel("a").code == 0)
            #expect(try group[0].register("left").code == 0)
            #expect(try group[1].register("right", [("zone", "sh002")]).code == 0)
            for (node, other) in [(0, 1), (1, 0)] {
                #expect(
                    try eventually(within: 14) {
                        try group[node].peerMetric("up", group.seats[other]) == 0
                    })
            }
            #expect(try group[0].hostnames() == ["b", "left"])
            #expect(try group[1].hostnames() == ["a", "b", "right"])
            for proxy in proxies { proxy.set(.open) }
            try expectHealed(group, ["b", "left", "right"])
        }

        @Test func `a slow way holds no write up and is not taken for a broken one`() throws {
            let settings = NodeGroup.allowed + "\ndigest_seconds = 1"
            let (group, proxies) = try start(["sh001", "sh001"], cluster: settings)
            let (seat, failed) = (group.seats[1], "calls_failed_total")
            let before = try group[0].peerMetric(failed, seat)
            for proxy in proxies { proxy.set(.slow(milliseconds: 600)) }
            var hosts: [String] = []
            for place in 0..<20 {
                hosts.append("host\(100 + place)")
                let took = try seconds { _ = try group[place % 2].register(hosts[place]) }
                #expect(took < 0.9, "\(took) s")
            }
            try expectHealed(group, hosts)
            #expect(try group[0].peerMetric("up", seat) == 1)
            #expect(try group[0].peerMetric(failed, seat) == before)
            #expect(try eventually { try group[0].peerMetric("queue", seat, "write") == 0 })
        }

        @Test func `a way on which only the answers get lost loses nothing`() throws {
            let (group, proxies) = try start(["sh001", "sh001"])
            #expect(try group[0].register("a").code == 0)
            proxies[1].set(.oneWay)
            let took = try seconds { _ = try group[0].register("b") }
            #expect(took < 0.5, "\(took) s")
            #expect(try eventually { try group[1].hostnames() == ["a", "b"] })
            #expect(try group[1].cancel("a").code == 0)
            #expect(try group[0].hostnames() == ["b"])
            #expect(
                try eventually(within: 8) {
                    try group[0].statuses()[group.seats[1].address] == 1
                })
            #expect(try group[0].cancel("b").code == 0)
            #expect(try group[1].register("c").code == 0)
            proxies[1].set(.open)
            try expectHealed(group, ["c"])
        }

        @Test
        func `what a node is missing, and what is done about it, is counted for each other one`()
            throws
        {
            let settings = NodeGroup.allowed + "\ndigest_seconds = 1"
            let (group, proxies) = try start(["sh001", "sh001"], cluster: settings)
            let (seats, writer, reader) = try (group.seats, group[0], group[1])
            #expect(try writer.register("first").code == 0)
            #expect(try eventually { try reader.peerMetric("divergent", seats[0]) == 0 })
            let (compared, repaired) = try (
                reader.peerMetric("comparisons_total", seats[0]),
                reader.peerMetric("repairs_total", seats[0])
            )
            // What the writer sends does not arrive; what the reader asks is answered.
            proxies[1].set(.stalled)
            var count = 0
            let isDivergent = try eventually {
                count += 1
                #expect(try writer.register("host\(100 + count)").code == 0)
                return try reader.peerMetric("divergent", seats[0]) > 0
            }
            #expect(isDivergent)
            #expect(try eventually { try reader.hostnames().count == 1 + count })
            #expect(try reader.peerMetric("repairs_total", seats[0]) >= repaired + count)
            #expect(try reader.peerMetric("comparisons_total", seats[0]) > compared)
            #expect(try eventually { try reader.peerMetric("divergent", seats[0]) == 0 })

            #expect(try eventually { try writer.peerMetric("up", seats[1]) == 0 })
            #expect(try writer.peerMetric("retries_total", seats[1]) > 0)
            #expect(try writer.peerMetric("calls_failed_total", seats[1]) > 0)
            #expect(try writer.peerMetric("queue", seats[1], "write") == count)
            #expect(try writer.peerMetric("lag_milliseconds", seats[1]) > 0)
            proxies[1].set(.open)
            #expect(try eventually { try writer.peerMetric("queue", seats[1], "write") == 0 })
            #expect(try writer.peerMetric("up", seats[1]) == 1)
            #expect(try writer.peerMetric("lag_milliseconds", seats[1]) == 0)
        }

        @Test func `a way that breaks again and again loses nothing`() throws {
            let (group, proxies) = try start(["sh001", "sh001"])
            var hosts: Set<String> = []
            for round in 0..<10 {
                for proxy in proxies { proxy.set(round % 2 == 0 ? .broken : .open) }
                for node in 0..<2 {
                    for place in 0..<5 {
                        let host = "host\(100 + round * 10 + node * 5 + place)"
                        let took = try seconds { _ = try group[node].register(host) }
                        #expect(took < 0.5, "\(took) s")
                        hosts.insert(host)
                    }
                    if let gone = hosts.min(), try group[node].cancel(gone).code == 0 {
                        hosts.remove(gone)
                    }
                }
            }
            for proxy in proxies { proxy.set(.open) }
            try expectHealed(group, hosts.sorted())
        }
    }
}
