import DiscoveryCore
import Testing

/// What it takes to find out what differs.
struct RepairCostTests {
    private func keys(_ request: PeerRequest) -> Int {
        switch request {
        case .exchange(.entries(let entries)): entries.instances.count + entries.apps.count
        case .exchange(.changes(let changes)): changes.records.count + changes.renewals.count
        case .relay: 1
        case .set(let sets, _, _): sets.count
        case .probe, .fetchAll, .exchange: 0
        }
    }

    private func keys(_ reply: ExchangeReply) -> Int {
        switch reply {
        case .entries(let told): told.wanted.count + told.records.count + told.stamps.count
        case .changes(let wanted, let newer): wanted.count + newer.count
        case .page(let page): page.records.count + page.stamps.count
        case .same, .rows, .leaves: 0
        }
    }

    @Test func `one instance that differs among 5,000 costs one leaf, not 5,000`() {
        let cluster = TestCluster()
        func change(_ settings: inout NodeSettings) {
            // Some twenty instances in each leaf.
            settings.cluster.digestRows = 16
            settings.cluster.digestLeavesPerRow = 16
        }
        let nodes = ["d1", "d2"].map { cluster.start($0, seeds: ["d1", "d2"], change) }
        cluster.wait(5 * Duration.second)
        var batch = Batch()
        for host in 0..<5_000 {
            batch.inputs.append(
                .registered(
                    RequestID(UInt64(1_000_000 + host)),
                    Registration(key: key("h\(host)"), content: content(), status: .up)))
        }
        nodes[0].step(batch)
        cluster.wait(15 * Duration.second)
        #expect(nodes.map { $0.node.instanceCount } == [5_002, 5_002])

        let (sent, answered) = (cluster.traffic.count, cluster.replies.count)
        // As if told by a third node: d1 passes it on to nobody.
        let code = nodes[0].register(
            "h7", version: "2", origin: .peer, dirty: nodes[0].now.wall
        )?.code
        #expect(code == 0)
        cluster.wait(11 * Duration.second)
        let views = nodes.compactMap { $0.fetch()?.view }
        #expect(Set(views.map(\.latest)).count == 1)
        for view in views {
            let changed = view.instances.filter { $0.content == content(version: "2") }
            #expect(changed.map(\.host) == ["h7"])
        }
        let requests = cluster.traffic[sent...].map(\.request)
        let told =
            requests.reduce(0) { $0 + keys($1) }
            + cluster.replies[answered...].reduce(0) { $0 + keys($1) }
        #expect((1...40).contains(told), "\(told) keys")
        let rows = requests.reduce(0) { rows, request in
            guard case .exchange(.leaves(let instances, _)) = request else { return rows }
            return rows + instances.count
        }
        #expect(rows == 1)
    }
}
