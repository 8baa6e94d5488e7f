import Foundation
import Testing

extension EndToEndTests {
    /// The cluster of config/cluster: three nodes in sh001, two in sh002.
    @Suite struct FiveNodesTests {
        private static let folder = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "config/cluster")

        /// By the files themselves, but for the ports.
        private func start(loops: Int = 1) throws -> NodeGroup {
            let zones = ["sh001", "sh001", "sh001", "sh002", "sh002"]
            let seats = try zones.indices.map { index in
                let port = try ReservedPort()
                return NodeGroup.Seat(
                    name: "node\(index + 1)", zone: zones[index], port: port,
                    address: port.address)
            }
            let group = try NodeGroup(seats, loops: loops) { seat in
                let file = Self.folder.appending(path: "\(seat.name).toml")
                let text = try String(contentsOf: file, encoding: .utf8)
                return seats.indices.reduce(text) { text, index in
                    text.replacing(
                        "\"127.0.0.1:\(7171 + 2 * index)\"", with: "\"\(seats[index].address)\"")
                }
            }
            try group.waitUntilMet()
            return group
        }

        /// Hangs a poll on every node, writes, and checks that all of them are answered.
        private func expectAllWoken(
            _ group: NodeGroup, hosts: [String], by write: () throws -> HTTPReply
        ) throws {
            let latest = try group.nodes.map { node in
                try node.hostnames().isEmpty ? 0 : try node.latest()
            }
            let polls = try zip(group.nodes, latest).map { try $0.hold(latest: $1) }
            for node in group.nodes { #expect(try node.holds(1)) }
            #expect(try write().code == 0)
            for poll in polls {
                let reply = try poll.reply(within: 5)
                #expect(try reply.code == 0)
                #expect(try reply.json["data"]["demo.app"].hostnames == hosts)
            }
            // Equal contents, equal timestamps, equal bytes.
            #expect(try Set(group.nodes.map { try $0.state() }).count == 1)
        }

        @Test(arguments: [1, 2])
        func `a write on any node is told to the polls on all nodes`(_ loops: Int) throws {
            let group = try start(loops: loops)
            try expectAllWoken(group, hosts: ["a"]) { try group[0].register("a") }
            try expectAllWoken(group, hosts: ["a", "b"]) { try group[3].register("b") }
            try expectAllWoken(group, hosts: ["a", "b"]) {
                let change = [("metadata", #"{"weight":"20"}"#)]
                return try group[4].post("/discovery/set", Form.key("a", change))
            }
            for node in group.nodes { #expect(try node.state().contains(#""weight":"20""#)) }
            try expectAllWoken(group, hosts: ["b"]) { try group[2].cancel("a") }
            // Every node answers a renewal of what was registered on another.
            for node in group.nodes { #expect(try node.renew("b").code == 0) }
        }

        @Test func `nodes are shown as they are reached, and never as they listen`() throws {
            let group = try start()
            for (node, seat) in zip(group.nodes, group.seats) {
                let zone = group.seats.filter { $0.zone == seat.zone }
                let expected = Dictionary(
                    uniqueKeysWithValues: zone.map { ($0.address, 0) })
                #expect(try node.statuses() == expected)
                let infra = try node.get(NodeProcess.fetch("infra.discovery"))
                for seat in group.seats { #expect(infra.text.contains("http://\(seat.address)")) }
                // In every env, and to polls as well.
                let polled = try node.get(
                    "/discovery/polls?env=prod&appid=infra.discovery&latest_timestamp=0")
                let app = try polled.json["data"]["infra.discovery"]
                #expect(try app.hostnames == group.seats.map(\.name))
            }
            // Nothing left to tell, nobody diverges, and the timestamps are equal, at the latest
            // behind the next comparison.
            #expect(
                try eventually(within: 15) {
                    try Set(group.nodes.map { try $0.latest("infra.discovery") }).count == 1
                })
            for node in group.nodes {
                #expect(try eventually { try node.metric("discovery_peer_queue") == 0 })
                #expect(try node.metric("discovery_peer_calls_failed_total") < 20)
            }
        }

        @Test func `what listens everywhere advertises an address`() throws {
            let group = try NodeGroup(["sh001", "sh001"], starts: false)
            let seats = group.seats
            let listening = try NodeGroup(seats, starts: false) { seat in
                NodeGroup.settings(of: seat, among: seats)
            }
            let node = try NodeProcess(
                NodeGroup.settings(of: seats[0], among: seats),
                flags: ["--listen", "0.0.0.0:\(seats[0].port.number)"], identity: [],
                waits: false)
            defer { _ = node.stop(SIGKILL) }
            let other = try listening.start(1)
            let names = ["node1", "node2"]
            #expect(try eventually { try other.hostnames("infra.discovery") == names })
            let text = try other.get(NodeProcess.fetch("infra.discovery")).text
            #expect(text.contains("http://\(seats[0].address)"))
            #expect(!text.contains("0.0.0.0"))
            #expect(try other.statuses() == [seats[0].address: 0, seats[1].address: 0])
        }
    }
}
