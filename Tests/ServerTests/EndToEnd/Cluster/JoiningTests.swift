import Foundation
import Testing

extension EndToEndTests {
    /// Starts, with the others there, absent, and neither.
    @Suite struct JoiningTests {
        @Test func `a node whose seeds are all down serves, and finds them when they come`() throws
        {
            let group = try NodeGroup(["sh001", "sh001", "sh002"], starts: false)
            let took = try seconds { try group.start(0) }
            #expect(took < 2, "\(took) s")
            #expect(try group[0].adminPage("/readyz").status == 200)
            #expect(try group[0].register("a").code == 0)
            #expect(try group[0].statuses()[group.seats[1].address] == 1)
            let log = try group[0].child.errors.text
            #expect(log.contains("joined the cluster instances_told=0 nodes_heard=0"))
            for index in 1...2 { try group.start(index, waits: false) }
            for index in 1...2 {
                try group[index].waitUntilListening()
                #expect(try group[index].hostnames() == ["a"])
            }
            try group.waitUntilMet(within: 5)
        }

        /// Starts the first node until it is seen while it joins, which lasts a second: on a busy
        /// machine that may be over before anybody asks.
        private func startCaughtJoining(_ group: NodeGroup) throws -> NodeProcess {
            let joining = "not ready: asking the other nodes what they hold\n"
            for _ in 0..<10 {
                let node = try group.start(0, waits: false)
                var isRefused = false
                if try node.adminPage("/readyz").text == joining {
                    do {
                        _ = try HTTPClient(port: group.seats[0].port.number)
                    } catch {
                        isRefused = true
                    }
                    // Still joining, so it was joining when it was called.
                    if try node.adminPage("/readyz").text == joining {
                        #expect(isRefused, "its port is open before it has joined")
                        return node
                    }
                }
                try group.kill(0)
            }
            throw Failure("no start was caught while it joined")
        }

        @Test func `a peer that accepts and says nothing holds up neither start nor writes`() throws
        {
            let port = try ReservedPort()
            let proxy = try TCPProxy(to: port.number)
            proxy.set(.stalled)
            let group = try NodeGroup(
                ["sh001", "sh001"], cluster: "join_seconds = 1", proxies: [nil, proxy],
                ports: [try ReservedPort(), port], starts: false)
            var node = try startCaughtJoining(group)
            let took = try seconds { try node.waitUntilListening() }
            #expect(took < 2, "\(took) s")
            let written = try seconds { _ = try node.register("a") }
            #expect(written < 0.3, "\(written) s")
            #expect(try eventually { try node.statuses()[proxy.address] == 1 })
            #expect(try node.adminPage("/readyz").status == 200)

            // It comes to life.
            try group.start(1)
            proxy.set(.open)
            #expect(try eventually { try group[1].hostnames() == ["a"] })
            // And half dies, while the first one starts anew.
            proxy.set(.stalled)
            try group.kill(0)
            node = try group.start(0)
            #expect(try node.register("b").code == 0)
            proxy.set(.open)
            let both = ["a", "b"]
            let isHealed = try eventually(within: 20) {
                try node.hostnames() == both && group[1].hostnames() == both
            }
            #expect(isHealed)
        }

        @Test func `a node that is told to stop while it joins stops`() throws {
            let port = try ReservedPort()
            let proxy = try TCPProxy(to: port.number)
            proxy.set(.stalled)
            let group = try NodeGroup(
                ["sh001", "sh001"], proxies: [nil, proxy], ports: [try ReservedPort(), port],
                starts: false)
            let node = try group.start(0, waits: false)
            #expect(try node.adminPage("/readyz").status == 503)
            #expect(node.stop(within: 5) == .exited(0))
            #expect(!node.child.errors.text.contains("listening on"))
        }
    }
}
