import DiscoveryCore
import Testing

/// What nodes of the reference's kind are told and asked, and when.
struct ReferencePeerTests {
    private func relays(to recorder: TestCluster.Recorder, of key: InstanceKey) -> [Relay] {
        recorder.calls.compactMap {
            if case .relay(let relay) = $0, relay.key == key { relay } else { nil }
        }
    }

    @Test func `a node renews itself there every thirty seconds`() {
        let cluster = TestCluster()
        let peer = cluster.record("go")
        cluster.start("d1", seeds: ["go"])
        cluster.wait(Duration.second)
        peer.calls = []
        cluster.wait(300 * Duration.second)
        let renewals = relays(to: peer, of: key("d1", app: "infra.discovery")).count {
            $0.write == .renew
        }
        #expect((9...11).contains(renewals), "\(renewals) renewals")
    }

    @Test func `an instance whose call hangs holds up no other one`() {
        let cluster = TestCluster()
        let peer = cluster.record("go")
        let node = cluster.start("d1", seeds: ["go"])
        for host in ["h1", "h2", "h3"] { _ = node.register(host) }
        cluster.wait(Duration.second)
        peer.calls = []
        peer.answer = { _ in nil }
        for host in ["h1", "h1", "h2"] { _ = node.register(host, version: "2") }
        for host in ["h1", "h3"] { #expect(node.renew(host)?.code == 0) }
        cluster.settle()
        let called = ["h1", "h2", "h3"].map { relays(to: peer, of: key($0)).count }
        #expect(called == [1, 1, 1])
    }

    @Test func `of one instance one call is out, and behind it goes what is true by then`() {
        let cluster = TestCluster()
        let peer = cluster.record("go")
        let node = cluster.start("d1", seeds: ["go"])
        cluster.wait(Duration.second)
        let answer = peer.answer
        peer.answer = { _ in nil }
        _ = node.register("h1", version: "1")
        _ = node.cancel("h1")
        _ = node.register("h1", version: "2")
        _ = node.renew("h1")
        cluster.settle()
        #expect(relays(to: peer, of: key("h1")).count == 1)
        peer.answer = answer
        cluster.answerLate("go")
        let told = relays(to: peer, of: key("h1")).map { relay -> InstanceContent? in
            guard case .register(let state, _) = relay.write else { return nil }
            return state.content
        }
        #expect(told == [content(version: "1"), content(version: "2"), nil])
        #expect(relays(to: peer, of: key("h1")).last?.write == .renew)
    }

    @Test func `full comparisons are four to five minutes apart, and at each node at other times`()
    {
        let cluster = TestCluster()
        _ = cluster.record("go")
        for address in ["d1", "d2"] { cluster.start(address, seeds: ["go"]) }
        cluster.wait(Duration.hour)
        let times = ["d1", "d2"].map { address in
            cluster.traffic.filter { $0.from == address && $0.request == .fetchAll }.map(\.at)
        }
        // Both begin with one, because they start.
        #expect(times[0].first == times[1].first)
        #expect(Set(times[0].dropFirst()).isDisjoint(with: times[1].dropFirst()))
        // A comparison that is due begins with the next look, of which there is one in 8 to 10 s.
        let look = 10 * Duration.second
        for node in times {
            let pauses = zip(node, node.dropFirst()).map { $1 - $0 }
            #expect((11...15).contains(pauses.count))
            for pause in pauses {
                #expect((4 * Duration.minute...5 * Duration.minute + look).contains(pause))
            }
            let spread = (pauses.max() ?? 0) - (pauses.min() ?? 0)
            #expect(spread > look, "more than the looks account for")
        }
    }
}
