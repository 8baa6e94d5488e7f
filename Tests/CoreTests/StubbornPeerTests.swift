import DiscoveryCore
import Testing

/// Nodes that answer slowly, wrongly, or not to everything: what it costs the others, and what it
/// does not.
struct StubbornPeerTests {
    private let seeds = ["d1", "d2"]

    private func register(_ node: TestNode, _ host: String) -> RequestID {
        node.send { id, _ in
            .registered(id, Registration(key: key(host), content: content(), status: .up))
        }
    }

    private func losses(_ node: TestNode) -> Int {
        node.notes.count { if case .peerLost = $0 { true } else { false } }
    }

    private func registers(_ recorder: TestCluster.Recorder, of host: String) -> Int {
        recorder.calls.count {
            if case .relay(let relay) = $0 { relay.key == key(host) } else { false }
        }
    }

    private func state(silence: Int64 = 0) -> Record.State {
        .registered(
            Record.Registered(
                content: content(), status: .up, registered: 1, up: 1, silence: silence))
    }

    // MARK: Comparisons

    @Test func `what cannot be taken over is not asked for again and again`() {
        let cluster = TestCluster()
        func change(_ settings: inout NodeSettings) {
            settings.cluster.pageBytesMax = 400
        }
        let full = cluster.start("d1", seeds: seeds) {
            change(&$0)
            $0.instancesMax = 5
        }
        let other = cluster.start("d2", seeds: seeds, change)
        for host in 0..<60 { _ = register(other, "h\(host)") }
        cluster.wait(Duration.minute)
        #expect(full.node.instanceCount == 5)
        let asked = cluster.traffic.count {
            if $0.from == "d1", case .exchange(.entries) = $0.request { true } else { false }
        }
        #expect((1...100).contains(asked), "\(asked) times in a minute")
    }

    @Test func `a leaf that is too large is left out, and said so`() {
        let cluster = TestCluster()
        func change(_ settings: inout NodeSettings) {
            // All keys fall together.
            settings.cluster.digestRows = 1
            settings.cluster.digestLeavesPerRow = 1
            settings.cluster.entriesBytesMax = 400
            settings.cluster.pageBytesMax = 1_000
        }
        let first = cluster.start("d1", seeds: seeds, change)
        for host in 0..<200 { _ = register(first, "h\(host)") }
        cluster.settle()
        let second = cluster.start("d2", seeds: seeds, change)
        // One page of at most four times its size, and the record that filled it.
        #expect((10..<60).contains(second.node.instanceCount))
        cluster.wait(Duration.minute)
        let notes = first.notes.count { if case .leafTooLarge = $0 { true } else { false } }
        #expect((1...2).contains(notes))
        #expect(first.node.instanceCount == 202)
    }

    @Test func `what differed from a node that is gone is not told for ever`() {
        let cluster = TestCluster()
        let other = cluster.record("go")
        other.answer = { request in
            if request != .fetchAll { return .answered(code: 0, nil) }
            return .all([Record(key: key("h1"), version: 1, state: state())], skipped: 0)
        }
        let node = cluster.start("d1", seeds: ["go"])
        func divergent() -> Int? {
            node.node.peerReports(at: node.now).first?.statistics.divergent
        }
        cluster.wait(Duration.second)
        #expect(divergent() == 1)
        other.answer = { _ in .failed("reset") }
        _ = register(node, "h2")
        cluster.wait(Duration.second)
        #expect(divergent() == 0)
    }

    @Test func `a node that is slow to tell everything is not lost for it`() {
        let cluster = TestCluster()
        let slow = cluster.record("go")
        slow.answer = { $0 == .fetchAll ? nil : .answered(code: 0, nil) }
        let node = cluster.start("d1", seeds: ["go"]) {
            $0.cluster.comparisonInterval = 20 * Duration.second
        }
        cluster.wait(3 * Duration.minute)
        #expect(losses(node) == 0)
        #expect(node.node.nodes.first { $0.address == "go" }?.status == 0)
        #expect(slow.calls.count { $0 == .fetchAll } > 3, "it is asked all the same")
    }

    @Test func `instances of another node that are none are counted and told of`() {
        let cluster = TestCluster()
        let other = cluster.record("go")
        other.answer = { $0 == .fetchAll ? .all([], skipped: 3) : .answered(code: 0, nil) }
        let node = cluster.start("d1", seeds: ["go"])
        let told = node.notes.compactMap {
            if case .recordsSkipped("go", let count) = $0 { count } else { nil }
        }
        #expect(told == [3])
        #expect(node.node.peerReports(at: node.now).first?.statistics.skipped == 3)
    }

    /// Until that clock has caught up it holds the dead for alive.
    @Test func `what lapsed does not come back from a node whose clock was set back`() {
        let cluster = TestCluster()
        let other = cluster.record("go")
        var silence: Int64 = 0
        other.answer = { request in
            guard request == .fetchAll else { return .answered(code: 0, nil) }
            let record = Record(key: key("h1"), version: 1, state: state(silence: silence))
            return .all([record], skipped: 0)
        }
        let node = cluster.start("d1", seeds: ["go"]) {
            $0.cluster.comparisonInterval = 20 * Duration.second
        }
        #expect(node.hosts() == ["h1"])
        silence = -Duration.hour
        cluster.wait(100 * Duration.second)
        for _ in 0..<10 {
            #expect(node.hosts() == [])
            cluster.wait(20 * Duration.second)
        }
        silence = Duration.second
        cluster.wait(30 * Duration.second)
        #expect(node.hosts() == ["h1"], "it has renewed there")
    }

    // MARK: Writes

    @Test func `a write that a node of the reference cannot take is given up, the others arrive`() {
        let cluster = TestCluster()
        let broken = cluster.record("go")
        let node = cluster.start("d1", seeds: ["go"])
        cluster.wait(Duration.second)
        broken.answer = { request in
            if case .relay(let relay) = request, relay.key == key("bad") {
                return .unable("answered with HTTP status 500")
            }
            return request == .fetchAll ? .all([], skipped: 0) : .answered(code: 0, nil)
        }
        _ = register(node, "bad")
        _ = register(node, "good")
        cluster.wait(20 * Duration.second)
        #expect(registers(broken, of: "good") >= 1)
        #expect(registers(broken, of: "bad") == 5)
        #expect(node.node.peerReports(at: node.now).first?.statistics.refused == 1)
        #expect(node.node.nodes.first { $0.address == "go" }?.status == 0)
    }

    @Test func `a renewal that a node of the reference cannot take is not sent again and again`() {
        let cluster = TestCluster()
        let broken = cluster.record("go")
        let node = cluster.start("d1", seeds: ["go"])
        _ = register(node, "h1")
        cluster.wait(Duration.second)
        broken.answer = { request in
            if case .relay(let relay) = request, relay.write == .renew {
                return .unable("answered with HTTP status 500")
            }
            return request == .fetchAll ? .all([], skipped: 0) : .answered(code: 0, nil)
        }
        _ = node.renew("h1")
        cluster.wait(20 * Duration.second)
        let renewals = broken.calls.count {
            if case .relay(let relay) = $0 {
                relay.write == .renew && relay.key == key("h1")
            } else {
                false
            }
        }
        #expect(renewals == 1)
    }

    @Test func `a node that could not tell everything is asked again in half a minute`() {
        let cluster = TestCluster()
        let slow = cluster.record("go")
        let node = cluster.start("d1", seeds: ["go"])
        cluster.wait(Duration.minute)
        slow.answer = { $0 == .fetchAll ? .failed("reset") : .answered(code: 0, nil) }
        cluster.wait(5 * Duration.minute)
        slow.calls = []
        cluster.wait(2 * Duration.minute)
        #expect((2...5).contains(slow.calls.count { $0 == .fetchAll }))
        #expect(losses(node) == 0)
    }

    @Test func `what is passed on is bounded like what clients write`() {
        let cluster = TestCluster()
        let node = cluster.start("d1", seeds: seeds) { $0.cluster.outboxMax = 10 }
        cluster.start("d2", seeds: seeds)
        cluster.wait(5 * Duration.second)
        cluster.kill("d2")
        cluster.wait(15 * Duration.second)
        var changes = Changes(isSameZone: false)
        changes.records = (0..<100).map {
            Record(key: key("h\($0)"), version: node.now.wall, state: state())
        }
        _ = node.send { id, _ in .exchanged(id, .changes(changes)) }
        let report = node.node.peerReports(at: node.now).first
        #expect(report?.overflows == 1)
        #expect(report?.writesQueued == 0)
    }

    @Test func `a write that makes an outbox overflow waits for nobody`() {
        let cluster = TestCluster()
        let silent = cluster.record("go")
        let node = cluster.start("d1", seeds: ["go"]) {
            $0.cluster.outboxMax = 20
            $0.cluster.relaysMax = 8
        }
        cluster.wait(Duration.second)
        silent.answer = { _ in nil }
        let requests = (0..<29).map { register(node, "h\($0)") }
        cluster.settle()
        #expect(requests[..<8].allSatisfy { node.take($0) == nil }, "on their way")
        #expect(requests[8...].allSatisfy { node.take($0)?.code == 0 })
    }

    @Test func `a set that asks others does not lose them, and a thousand of them are too many`() {
        let cluster = TestCluster()
        let slow = cluster.record("go")
        let node = cluster.start("d1", seeds: ["go"])
        cluster.wait(Duration.second)
        slow.answer = { if case .set = $0 { nil } else { .answered(code: 0, nil) } }
        let change = Setting.Change(key: key("elsewhere"), status: .waiting)
        let requests = (0..<1_000).map { _ in
            node.send { id, _ in .set(id, Setting(changes: [change])) }
        }
        cluster.settle()
        #expect(requests.count { node.take($0)?.code == -503 } == 1_000 - 64)
        #expect(slow.calls.count { if case .set = $0 { true } else { false } } == 64)
        cluster.wait(3 * Duration.second)
        #expect(requests.count { node.take($0)?.code == -400 } == 64)
        #expect(losses(node) == 0)
    }

    // MARK: Answers to others

    @Test func `an answer does not grow with how often a node tells the same`() {
        let node = TestNode { $0.cluster.pageBytesMax = 1_000 }
        _ = node.register("h1")
        var changes = Changes(isSameZone: true)
        let old = Record(key: key("h1"), version: 1, state: state())
        changes.records = Array(repeating: old, count: 1_000)
        let request = node.send { id, _ in .exchanged(id, .changes(changes)) }
        guard case .exchanged(.changes(_, let newer))? = node.take(request) else {
            Issue.record("no answer")
            return
        }
        #expect((1..<50).contains(newer.count))
    }

    @Test func `differences are told until the answer is full`() {
        let node = TestNode {
            $0.cluster.digestRows = 4
            $0.cluster.digestLeavesPerRow = 4
            $0.cluster.pageBytesMax = 1_000
        }
        for app in 0..<200 { _ = node.register("h", app: "app.\(app)") }
        let all = Entries(
            instanceLeaves: Array(0..<16), appLeaves: Array(0..<16), instances: [], apps: [])
        let request = node.send { id, _ in .exchanged(id, .entries(all)) }
        guard case .exchanged(.entries(let differences))? = node.take(request) else {
            Issue.record("no answer")
            return
        }
        #expect(differences.isPartial)
        #expect((1..<30).contains(differences.records.count))
        #expect(differences.stamps.isEmpty)
    }

    @Test(arguments: [true, false])
    func `a timestamp is taken over with the content it was told under, or not at all`(
        isEqual: Bool
    ) {
        let node = TestNode {
            $0.cluster.digestRows = 1
            $0.cluster.digestLeavesPerRow = 1
        }
        _ = node.register("h1")
        guard let view = node.fetch()?.view, let instance = view.instances.first else { return }
        let stamp = AppStamp(
            app: appKey("a.b"), latest: view.latest + Duration.minute,
            content: isEqual ? instance.digest : 7)
        let entries = Entries(instanceLeaves: [], appLeaves: [0], instances: [], apps: [stamp])
        _ = node.send { id, _ in .exchanged(id, .entries(entries)) }
        #expect(node.fetch()?.view?.latest == (isEqual ? stamp.latest : view.latest))
    }

    @Test func `a renewal that arrives late does not take renew_timestamp back`() {
        let node = TestNode()
        _ = node.register("h1")
        guard let dirty = node.fetch()?.view?.instances.first?.dirty else { return }
        node.wait(10 * Duration.second)
        _ = node.renew("h1")
        let renewed = node.fetch()?.view?.zones.first?.rows.first?.renewed
        var changes = Changes(isSameZone: true)
        let range = ByteRange(start: 0, count: key("h1").packed.count)
        changes.bytes = key("h1").packed
        changes.renewals = [
            Changes.Renewed(key: range, version: dirty, silence: 5 * Duration.second)
        ]
        _ = node.send { id, _ in .exchanged(id, .changes(changes)) }
        node.wait(2 * Duration.second)
        #expect(node.fetch()?.view?.zones.first?.rows.first?.renewed == renewed)
    }

    @Test func `a cancel that is passed on is remembered no longer than where it was made`() {
        let node = TestNode()
        _ = node.register("h1")
        _ = node.cancel("h1")
        let age = node.node.settings.tombstoneAge - 10 * Duration.second
        var changes = Changes(isSameZone: true)
        let version = node.now.wall
        changes.records = [Record(key: key("h2"), version: version, state: .cancelled(age: age))]
        _ = node.send { id, _ in .exchanged(id, .changes(changes)) }
        changes.records = [Record(key: key("h2"), version: version - 1, state: state())]
        _ = node.send { id, _ in .exchanged(id, .changes(changes)) }
        #expect(node.hosts() == [])
        node.wait(11 * Duration.second)
        _ = node.send { id, _ in .exchanged(id, .changes(changes)) }
        #expect(node.hosts() == ["h2"])
    }
}
