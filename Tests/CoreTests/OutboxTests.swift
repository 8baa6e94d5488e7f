import DiscoveryCore
import Testing

/// What waits for another node, and what of it is sent.
struct OutboxTests {
    private func register(_ node: TestNode, _ host: String, version: String = "1") {
        _ = node.send { id, _ in
            .registered(
                id, Registration(key: key(host), content: content(version: version), status: .up))
        }
    }

    @Test func `of a hundred writes that a node missed it is told the newest, once`() {
        let cluster = TestCluster()
        let first = cluster.start("d1", seeds: ["d2"])
        let second = cluster.start("d2", seeds: ["d1"])
        cluster.wait(5 * Duration.second)
        cluster.cut("d1", "d2")
        cluster.wait(12 * Duration.second)
        for version in 1...100 { register(first, "h1", version: "\(version)") }
        #expect(first.node.peerReports(at: first.now).map(\.writesQueued) == [1])
        let before = cluster.traffic.count
        cluster.cuts = []
        cluster.wait(5 * Duration.second)
        #expect(second.fetch()?.view?.instances.map(\.content) == [content(version: "100")])
        let told = cluster.traffic[before...].flatMap { call in
            guard case .exchange(.changes(let changes)) = call.request else { return [Record]() }
            return changes.records.filter { $0.key == key("h1") }
        }
        #expect(told.count == 1)
    }

    /// What fits into one message, and how many writes are in each: the first leaves at once.
    @Test(arguments: [(1_024, [1, 999]), (400, [1, 400, 400, 199])])
    func `writes that come while a call is out go with the next one`(
        countMax: Int, counts: [Int]
    ) {
        let cluster = TestCluster()
        let peer = cluster.record("d2")
        peer.id = NodeID(77)
        func answer(_ request: PeerRequest) -> PeerReply.Outcome {
            switch request {
            case .exchange(.changes): .exchanged(.changes(wanted: [], newer: []))
            case .exchange(.pull):
                .exchanged(.page(Page(records: [], stamps: [], next: nil, isProtected: false)))
            case .exchange: .exchanged(.same(isProtected: false))
            default: .answered(code: 0, nil)
            }
        }
        peer.answer = answer
        let node = cluster.start("d1", seeds: ["d2"]) {
            $0.cluster.batchCountMax = countMax
            // So that the count alone ends a batch: 64 KiB hold some 700 of these writes.
            $0.cluster.batchBytesMax = 1 << 20
        }
        cluster.wait(Duration.second)
        peer.calls = []
        peer.answer = { _ in nil }
        for host in 0..<1_000 {
            register(node, "h\(host)")
            cluster.settle()
        }
        #expect(peer.writes.count == 1)
        peer.answer = answer
        cluster.answerLate("d2")
        let batches = peer.writes.map { write in
            guard case .exchange(.changes(let changes)) = write else { return [InstanceKey]() }
            return changes.records.map(\.key)
        }
        #expect(batches.map(\.count) == counts)
        #expect(Set(batches.joined()).count == 1_000)
    }

    // MARK: Refused batches

    /// Takes no batch with a record of this host.
    private func pickyPeer(_ cluster: TestCluster, without host: String) -> TestCluster.Recorder {
        let peer = cluster.recordOwn("d2")
        let taken = peer.answer
        peer.answer = { request in
            if case .exchange(.changes(let changes)) = request,
                changes.records.contains(where: { $0.key == key(host) })
            {
                return .refused("answered with HTTP status 400")
            }
            return taken(request)
        }
        return peer
    }

    private func told(_ peer: TestCluster.Recorder) -> Set<InstanceKey> {
        var told: Set<InstanceKey> = []
        for case .exchange(.changes(let changes)) in peer.calls
        where !changes.records.contains(where: { $0.key == key("bad") }) {
            told.formUnion(changes.records.map(\.key))
        }
        return told
    }

    @Test func `the one write that is not taken is found while others go on`() {
        let cluster = TestCluster()
        let peer = pickyPeer(cluster, without: "bad")
        let node = cluster.start("d1", seeds: ["d2"])
        cluster.wait(Duration.second)
        let picky = peer.answer
        var count = 0
        func register(_ name: String) {
            _ = node.register(name)
            count += 1
        }
        peer.answer = { _ in nil }
        for host in 0..<50 { register("first\(host)") }
        register("bad")
        for round in 0..<40 {
            peer.answer = { _ in nil }
            for host in 0..<4 { register("h\(round)-\(host)") }
            cluster.settle()
            peer.answer = picky
            cluster.answerLate("d2")
        }
        let named = node.notes.compactMap { note -> InstanceKey? in
            if case .relayRefused(let key, _, _) = note { key } else { nil }
        }
        #expect(named == [key("bad")])
        #expect(told(peer).count == count - 1 + 1, "all others, and the node itself")
        #expect(node.node.peerReports(at: node.now).first?.writesQueued == 0)
        #expect(node.node.peerReports(at: node.now).first?.statistics.refused == 1)
    }

    @Test func `a peer that refuses once is sent whole batches again`() {
        let cluster = TestCluster()
        let peer = cluster.recordOwn("d2")
        let node = cluster.start("d1", seeds: ["d2"])
        cluster.wait(Duration.second)
        let taken = peer.answer
        var refusals = 0
        peer.answer = { request in
            guard case .exchange(.changes) = request, refusals == 0 else { return taken(request) }
            refusals += 1
            return .refused("answered with HTTP status 413")
        }
        func register(_ hosts: Range<Int>) {
            var batch = Batch()
            for host in hosts {
                batch.inputs.append(
                    .registered(
                        RequestID(UInt64(10_000 + host)),
                        Registration(key: key("h\(host)"), content: content(), status: .up)))
            }
            peer.calls = []
            node.step(batch)
            cluster.settle()
        }
        register(0..<2)
        #expect(refusals == 1)
        #expect(peer.writes.count == 3, "both, then each alone")
        register(2..<502)
        #expect(peer.writes.count == 1)
    }
}
