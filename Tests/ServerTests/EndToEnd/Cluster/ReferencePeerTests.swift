import Foundation
import Synchronization
import Testing

extension EndToEndTests {
    /// A cluster with nodes of the reference in it: they are spoken to as they speak.
    @Suite struct ReferencePeerTests {
        /// A node with a peer of the reference in its zone and one in another.
        private struct Mixed {
            let near: ReferencePeer
            let far: ReferencePeer
            let node: NodeProcess

            init(_ cluster: String = NodeGroup.allowed, all: String? = nil) throws {
                near = try all.map { try ReferencePeer(all: $0) } ?? ReferencePeer()
                far = try ReferencePeer()
                node = try NodeProcess(
                    """
                    nodes = ["\(near.address)"]
                    [zones]
                    sh002 = ["\(far.address)"]
                    [cluster]
                    \(cluster)

                    """)
            }
        }

        private static let values = [
            ("addrs", "http://10.0.0.1:80"), ("addrs", "grpc://10.0.0.1:9"),
        ]

        private func dirty(_ node: NodeProcess, _ host: String) throws -> String {
            let zone = try node.get(NodeProcess.fetch("demo.app")).json["data"]["instances"][
                "sh001"]
            for instance in try zone.list where try instance["hostname"].string == host {
                return try "\(instance["dirty_timestamp"].int)"
            }
            throw Failure("no \(host)")
        }

        @Test func `each write is relayed once, in the reference's words`() throws {
            let mixed = try Mixed()
            let node = mixed.node
            #expect(try node.register("a", Self.values).code == 0)
            let first = try dirty(node, "a")
            #expect(try node.renew("a").code == 0)
            let peers = [(mixed.near, "true"), (mixed.far, "false")]
            for (peer, _) in peers { #expect(eventually { peer.writes().count == 2 }) }
            let change = [("status", "2"), ("metadata", #"{"weight":"20"}"#)]
            #expect(try node.post("/discovery/set", Form.key("a", change)).code == 0)
            let second = try dirty(node, "a")
            for (peer, _) in peers { #expect(eventually { peer.writes().count == 3 }) }
            #expect(try node.cancel("a").code == 0)
            #expect(try node.renew("a").code == -404)
            #expect(try node.cancel("a").code == -404)
            for (peer, replication) in peers {
                #expect(eventually { peer.writes().count == 4 })
                let writes = peer.writes()
                #expect(writes.map(\.route) == ["register", "renew", "set", "cancel"])
                for write in writes {
                    #expect(write["replication"] == [replication])
                    #expect(write["from_zone"] == ["true"])
                    #expect(write["hostname"] == ["a"] && write["zone"] == ["sh001"])
                    let names = write.form.map(\.name)
                    #expect(names == names.sorted())
                    #expect(write.head.contains("application/x-www-form-urlencoded"))
                }
                #expect(writes[0]["addrs"] == Self.values.map(\.1))
                #expect(writes[0]["metadata"] == [#"{"weight":"10"}"#])
                #expect(writes[0]["status"] == ["1"] && writes[0]["version"] == ["v1"])
                #expect(writes[0]["dirty_timestamp"] == [first])
                #expect(writes[1]["dirty_timestamp"] == [first])
                #expect(writes[2]["set_timestamp"] == [second])
                #expect(writes[2]["status"] == ["2"])
                let names = Set(writes[1].form.map(\.name))
                #expect(names.isDisjoint(with: ["addrs", "metadata", "status"]))
            }
            // It announces itself as well, and is no exchange's business.
            for (peer, _) in peers {
                #expect(peer.writes("infra.discovery").first?.route == "register")
                #expect(!peer.requests.contains { $0.route == "exchange" })
            }
            #expect(
                try node.metric("discovery_peer_up", ["kind": "reference"]) == 2)
        }

        @Test func `a renewal of what it does not hold brings a register`() throws {
            let mixed = try Mixed()
            #expect(try mixed.node.register("a").code == 0)
            mixed.near.answer { request in
                request.route == "renew" ? #"{"code":-404,"message":"-404","ttl":1}"# : nil
            }
            #expect(try mixed.node.renew("a").code == 0)
            #expect(eventually { mixed.near.writes().count == 3 })
            #expect(mixed.near.writes().map(\.route) == ["register", "renew", "register"])
            #expect(mixed.near.writes()[2]["dirty_timestamp"] == [try dirty(mixed.node, "a")])
        }

        @Test func `what it holds newer is adopted, and passed on to nobody`() throws {
            let mixed = try Mixed()
            #expect(try mixed.node.register("a").code == 0)
            let poll = try mixed.node.hold(latest: try mixed.node.latest())
            #expect(try mixed.node.holds(1))
            let newer = try "\((Int(dirty(mixed.node, "a")) ?? 0) + 1_000_000)"
            mixed.near.answer { request in
                guard request.route == "renew" else { return nil }
                return
                    #"{"code":-409,"message":"-409","ttl":1,"data":\#(Self.instance("a", newer))}"#
            }
            #expect(try mixed.node.renew("a").code == 0)
            let answer = try poll.reply(within: 5)
            #expect(answer.text.contains("http://10.0.0.9:80"))
            #expect(try dirty(mixed.node, "a") == newer)
            // Whoever told it has told the others of the zone, and its contacts, too. Behind the
            // next register nothing is to come any more.
            #expect(try mixed.node.register("b").code == 0)
            for peer in [mixed.near, mixed.far] {
                #expect(eventually { peer.writes().contains { $0["hostname"] == ["b"] } })
                let writes = peer.writes().filter { $0["hostname"] == ["a"] }
                #expect(writes.map(\.route) == ["register", "renew"])
            }
        }

        @Test func `what it writes is stored, taken apart and not relayed`() throws {
            let mixed = try Mixed()
            let node = mixed.node
            let joined = "http://10.0.0.1:80,grpc://10.0.0.1:9"
            let stamp = "1700000000000000001"
            let replicated = [
                ("from_zone", "true"), ("replication", "true"), ("dirty_timestamp", stamp),
                ("latest_timestamp", stamp),
            ]
            #expect(
                try node.register("a", replicated + [("addrs", joined), ("metadata", "null")]).code
                    == 0)
            #expect(
                try node.state().contains(#""addrs":["http://10.0.0.1:80","grpc://10.0.0.1:9"]"#))
            #expect(try dirty(node, "a") == stamp)
            #expect(try node.renew("a", replicated).code == 0)
            let older = replicated.dropLast(2) + [("dirty_timestamp", "1")]
            let conflict = try node.renew("a", Array(older))
            #expect(try conflict.code == -409)
            #expect(try conflict.json["data"]["hostname"].string == "a")
            #expect(try node.register("b", replicated).code == 0)
            let cancel = [
                ("from_zone", "true"), ("replication", "true"), ("latest_timestamp", "0"),
            ]
            #expect(try node.cancel("b", cancel).code == 0)
            #expect(try node.hostnames() == ["a"])

            // From another zone: for the own zone only. Behind it nothing else has come.
            let far = [("from_zone", "true"), ("replication", "false"), ("dirty_timestamp", stamp)]
            #expect(try node.register("c", far + [("zone", "sh002")]).code == 0)
            #expect(eventually { mixed.near.writes().count == 1 })
            #expect(mixed.near.writes()[0]["hostname"] == ["c"])
            #expect(mixed.near.writes()[0]["replication"] == ["true"])
            #expect(try node.register("d").code == 0)
            #expect(eventually { mixed.far.writes().count == 1 })
            #expect(mixed.far.writes()[0]["hostname"] == ["d"])
        }

        @Test func `what it holds at the start is taken over, or asked for again`() throws {
            let stamp = "1700000000000000001"
            let held = Self.instance("a", stamp)
            let all = #"{"code":0,"message":"0","ttl":1,"data":{"demo.app":[\#(held)]}}"#
            let mixed = try Mixed(all: all)
            #expect(try mixed.node.hostnames() == ["a"])
            let protected = try Mixed(all: #"{"code":-500,"message":"-500","ttl":1}"#)
            #expect(try protected.node.statuses()[protected.near.address] == 0)
            #expect(!protected.node.child.errors.text.contains("is lost"))
        }

        @Test func `it is told that the node is there when the node can be called`() throws {
            let answers = Mutex<[Bool]>([])
            let peer = try ReferencePeer()
            peer.answer { request in
                guard request.route == "register", request["appid"] == ["infra.discovery"],
                    let port = request["addrs"].first.flatMap(URL.init)?.port
                else { return nil }
                let isServing = Self.isServing(UInt16(clamping: port))
                answers.withLock { $0.append(isServing) }
                return nil
            }
            let node = try NodeProcess(flags: ["--node", peer.address])
            #expect(try eventually { try node.hostnames("infra.discovery") == ["node1"] })
            #expect(eventually { answers.withLock { !$0.isEmpty } })
            #expect(answers.withLock { $0.allSatisfy { $0 } })
        }

        private static func isServing(_ port: UInt16) -> Bool {
            do {
                _ = try HTTPClient(port: port)
                return true
            } catch {
                return false
            }
        }

        @Test func `an address in the allow list needs no token, and gets one nevertheless`() throws
        {
            let token = "0123456789abcdef"
            let closed = try Mixed("token = \"\(token)\"")
            let replicated = [("from_zone", "true"), ("replication", "true")]
            #expect(try closed.node.register("a", replicated).code == -403)
            #expect(try closed.node.hostnames() == [])
            #expect(eventually { !closed.near.requests.isEmpty })
            #expect(closed.near.requests[0].head.contains("Discovery-Token: \(token)"))
            let open = try Mixed("token = \"\(token)\"\nallow = [\"127.0.0.1\"]")
            #expect(try open.node.register("a", replicated).code == 0)
            #expect(try open.node.hostnames() == ["a"])
        }

        private static func instance(_ host: String, _ dirty: String) -> String {
            let now = UInt64(Date().timeIntervalSince1970) * 1_000_000_000
            return
                #"{"region":"sh","zone":"sh001","env":"dev","appid":"demo.app","#
                + #""hostname":"\#(host)","#
                + #""addrs":["http://10.0.0.9:80"],"version":"v9","metadata":{},"status":1,"#
                + #""reg_timestamp":\#(dirty),"up_timestamp":\#(dirty),"renew_timestamp":\#(now),"#
                + #""dirty_timestamp":\#(dirty),"latest_timestamp":\#(dirty)}"#
        }
    }
}
