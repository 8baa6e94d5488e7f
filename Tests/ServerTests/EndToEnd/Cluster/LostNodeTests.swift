import Foundation
import Testing

extension EndToEndTests {
    /// Nodes that are killed, stopped and started again, and what the others make of it.
    @Suite struct LostNodeTests {
        private static let zone = ["sh001", "sh001", "sh001"]

        private func fill(_ node: NodeProcess, _ hosts: Range<Int>) throws {
            for host in hosts { #expect(try node.register("host\(100 + host)").code == 0) }
        }

        @Test func `a killed node is missed by nobody and holds everything when it is back`() throws
        {
            let group = try NodeGroup(Self.zone)
            try group.waitUntilMet()
            let lost = group.seats[2].address
            try fill(group[2], 0..<20)
            let latest = try group[0].latest()
            let polls = try [group[0], group[1]].map { try $0.hold(latest: latest) }
            for index in 0..<2 { #expect(try group[index].holds(1)) }
            try group.kill(2)

            // Its connections end, and that is looked after at once: no write and no comparison is
            // needed.
            #expect(try eventually(within: 3) { try group[0].statuses()[lost] == 1 })
            for poll in polls { #expect(poll.isSilent(for: 0)) }
            let took = try seconds { try fill(group[0], 20..<21) }
            #expect(took < 0.3, "\(took) s")
            for poll in polls { #expect(try poll.reply(within: 2).code == 0) }
            #expect(try eventually { try group[1].statuses()[lost] == 1 })
            #expect(try group[1].peerMetric("up", group.seats[2]) == 0)
            try fill(group[1], 21..<40)
            #expect(try group[0].cancel("host100").code == 0)
            #expect(try group[0].peerMetric("queue", group.seats[2], "write") == 2)

            let again = try group.start(2)
            #expect(try again.hostnames() == (1..<40).map { "host\(100 + $0)" })
            let seen = try seconds {
                for index in 0..<2 {
                    let isBack = try eventually { try group[index].statuses()[lost] == 0 }
                    #expect(isBack)
                }
            }
            #expect(seen < 2, "\(seen) s")
            for node in group.nodes {
                #expect(try eventually { try node.metric("discovery_peer_queue") == 0 })
                #expect(try node.state() == again.state())
            }
        }

        @Test func `a node of another zone that is killed is replaced as contact`() throws {
            let group = try NodeGroup(["sh001", "sh002", "sh002"], cluster: "digest_seconds = 1")
            try group.waitUntilMet()
            let contact = try group[0].peerMetric("target", group.seats[1]) == 1 ? 1 : 2
            #expect(try group[0].peerMetric("target", group.seats[3 - contact]) == 0)
            try group.kill(contact)
            try fill(group[0], 0..<5)
            let other = try group[3 - contact]
            #expect(try eventually { try other.hostnames().count == 5 })
            #expect(try group[0].peerMetric("target", group.seats[3 - contact]) == 1)
            #expect(try group[0].peerMetric("target", group.seats[contact]) == 0)
        }

        @Test func `a stopped node holds no write up, and catches up when it goes on`() throws {
            // Leases that run out while it is stopped, so that it must not believe its own clock.
            let group = try NodeGroup(Self.zone, more: "[registry]\nlease_seconds = 4\n")
            try group.waitUntilMet()
            let stopped = try group[2]
            try fill(group[0], 0..<10)
            #expect(try stopped.hostnames().count == 10)
            try stopped.pause()
            defer { stopped.child.send(SIGCONT) }

            let first = try seconds { try fill(group[0], 10..<11) }
            #expect((0.05..<0.5).contains(first), "\(first) s")
            #expect(
                try eventually(within: 8) { try group[0].peerMetric("up", group.seats[2]) == 0 })
            let second = try seconds { try fill(group[0], 11..<20) }
            #expect(second < 0.5, "\(second) s")
            #expect(try group[0].peerMetric("queue", group.seats[2], "write") == 10)
            #expect(try group[0].peerMetric("lag_milliseconds", group.seats[2]) > 1_000)
            #expect(try group[1].hostnames().count == 20)
            #expect(try group[0].cancel("host100").code == 0)
            // Clients renew while the node sleeps longer than its leases.
            let hasLapsed = try eventually(within: 15) {
                for host in 1..<20 { #expect(try group[1].renew("host\(100 + host)").code == 0) }
                return try group[0].peerMetric("silence_milliseconds", group.seats[2]) > 6_000
            }
            #expect(hasLapsed)

            stopped.child.send(SIGCONT)
            let expected = (1..<20).map { "host\(100 + $0)" }
            let isHealed = try eventually(within: 20) {
                for host in 1..<20 { _ = try group[1].renew("host\(100 + host)") }
                return try stopped.hostnames() == expected
                    && group[0].peerMetric("up", group.seats[2]) == 1
            }
            #expect(isHealed)
            for node in group.nodes {
                #expect(try node.hostnames() == expected)
                // The stopped one itself could not renew.
                let evicted = node.child.errors.lines.filter { $0.contains("instance evicted") }
                #expect(evicted.allSatisfy { $0.contains("hostname=node3 ") }, "\(evicted)")
                let names = ["node1", "node2", "node3"]
                #expect(try eventually { try node.hostnames("infra.discovery") == names })
            }
            #expect(try eventually { try group[0].metric("discovery_peer_queue") == 0 })
            #expect(try eventually { try group[0].metric("discovery_peer_lag_milliseconds") == 0 })
        }
    }
}
