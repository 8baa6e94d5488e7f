import Foundation
import Testing

extension EndToEndTests {
    /// Nodes that end in order.
    @Suite struct LeavingTests {
        @Test func `a node takes its leave before it ends, and what it accepted stays`() throws {
            let group = try NodeGroup(["sh001", "sh001", "sh002"])
            try group.waitUntilMet()
            let leaving = try group[1]
            let poll = try leaving.hold("nope")
            #expect(try leaving.holds(1))
            let requests = (0..<30).map {
                HTTPRequest.post("/discovery/register", Form.register("host\(100 + $0)"))
            }
            let client = try leaving.connect()
            try client.send(requests.joined())
            // The last answers are still to come.
            #expect(try client.reply().code == 0)
            leaving.child.send(SIGTERM)
            #expect(try poll.reply(within: 2).code == -503)
            var accepted = 1
            while accepted < 30, try client.reply().code == 0 { accepted += 1 }
            let left = ["node1", "node3"]
            for node in [try group[0], try group[2]] {
                #expect(
                    try eventually(within: 2) {
                        try node.hostnames("infra.discovery") == left
                    })
            }
            #expect(leaving.child.waitForEnd(within: 0) == .none, "it is there to the last")
            #expect(leaving.child.waitForEnd(within: 5) == .exited(0))
            for node in [try group[0], try group[2]] {
                #expect(try eventually { try node.hostnames().count == accepted })
                #expect(try node.metric("discovery_evicted_total") == 0)
            }
            #expect(accepted == 30)
            // A seed is never forgotten: it is shown as what it is.
            #expect(
                try eventually(within: 14) {
                    try group[0].statuses()[group.seats[1].address] == 1
                })
        }

        /// Longer than it serves clients for. A register is under way, the cancel of the node
        /// itself waits behind it.
        @Test func `a node stays until what it has to say has been said`() throws {
            let ports = try (0..<2).map { _ in try ReservedPort() }
            let proxy = try TCPProxy(to: ports[1].number)
            let group = try NodeGroup(
                ["sh001", "sh001"], proxies: [nil, proxy], ports: ports)
            try group.waitUntilMet()
            let leaving = try group[0]
            #expect(try eventually { try leaving.metric("discovery_peer_queue") == 0 })
            proxy.set(.slow(milliseconds: 600))
            #expect(try leaving.register("a").code == 0)
            #expect(leaving.stop() == .exited(0))
            let isTold = try eventually(within: 3) {
                try group[1].hostnames("infra.discovery") == ["node2"]
            }
            #expect(isTold)
            #expect(try group[1].hostnames() == ["a"])
        }

        @Test func `a node that nobody has as a seed is known while it is there`() throws {
            let group = try NodeGroup(["sh001", "sh001"])
            try group.waitUntilMet()
            let guest = try NodeProcess(
                flags: group.seats.flatMap { ["--node", $0.address] } + ["--host", "guest"])
            let address = "127.0.0.1:\(guest.port)"
            for node in group.nodes {
                #expect(try eventually { try node.statuses()[address] == 0 })
            }
            #expect(try group[0].register("a").code == 0)
            #expect(try guest.hostnames() == ["a"])
            #expect(guest.stop() == .exited(0))
            for node in group.nodes {
                #expect(try eventually { try node.statuses()[address] == nil })
                #expect(
                    try node.metrics().samples.allSatisfy { $0.labels["peer"] != address })
            }
        }
    }
}
