import Foundation
import Testing

extension EndToEndTests {
    /// Who is let into a cluster, as the nodes see it.
    @Suite struct ClusterGuardTests {
        private static let token = "token = \"0123456789abcdef\""
        private static let other = "token = \"fedcba9876543210\""

        @Test func `nodes of one token join, and one of another is told, and tells its operator`()
            throws
        {
            let all = try NodeGroup(["sh001", "sh001", "sh001"], starts: false)
            let group = try NodeGroup(all.seats, starts: false) { seat in
                NodeGroup.settings(
                    of: seat, among: all.seats,
                    (seat.name == "node3" ? Self.other : Self.token) + "\ndigest_seconds = 1")
            }
            for index in 0..<2 { try group.start(index, waits: false) }
            for index in 0..<2 { try group[index].waitUntilListening() }
            #expect(try group[0].register("a").code == 0)
            #expect(try eventually { try group[1].hostnames() == ["a"] })

            let stranger = try group.start(2)
            #expect(try stranger.hostnames() == [])
            let took = try seconds { _ = try stranger.register("b") }
            #expect(took < 0.5, "\(took) s")
            #expect(try group[0].register("c").code == 0)
            func complaints(_ node: NodeProcess) -> [String] {
                node.child.errors.lines.filter { $0.contains("for none of its cluster") }
            }
            #expect(eventually { complaints(stranger).count == 2 })
            for line in complaints(stranger) {
                #expect(line.contains("ERROR"))
                #expect(line.contains("cluster.token") && line.contains("cluster.allow"))
                #expect(line.contains("code -403"))
            }
            // They do not count as fine, however often they answer probes.
            let looks = try stranger.metric("discovery_peer_calls_total")
            #expect(
                try eventually(within: 15) {
                    try stranger.metric("discovery_peer_calls_total") >= looks + 6
                })
            #expect(complaints(stranger).count == 2)
            #expect(!stranger.child.errors.text.contains("answers again"))
            for seat in group.seats.prefix(2) {
                #expect(try stranger.statuses()[seat.address] == 1)
                #expect(try stranger.peerMetric("up", seat) == 0)
            }
            for index in 0..<2 {
                #expect(try group[index].hostnames() == ["a", "c"])
                #expect(try group[index].hostnames("infra.discovery") == ["node1", "node2"])
            }
            #expect(try stranger.hostnames() == ["b"])

            // With the right token it joins, and what it took meanwhile is there.
            try group.kill(2)
            let joined = try NodeProcess(
                NodeGroup.settings(of: group.seats[2], among: group.seats, Self.token),
                flags: ["--listen", group.seats[2].address], identity: [])
            #expect(try joined.hostnames() == ["a", "c"])
            #expect(
                try eventually { try group[0].statuses()[group.seats[2].address] == 0 })
        }
    }
}
