import DiscoveryCore
import Testing

/// A node that starts learns from the others what they hold, call by call.
struct LearningTests {
    /// What the node asks, one call after the other, and answers as they come.
    private final class Start {
        let node: TestNode
        var calls: [PeerCall] = []

        init(_ seeds: [(address: String, zone: String)]) {
            node = TestNode { settings in
                settings.cluster.seeds = seeds.map { .init(address: $0.address, zone: $0.zone) }
            }
            var batch = Batch()
            batch.inputs.append(.started)
            node.step(batch)
            calls = node.takeCalls()
        }

        /// Answers the oldest call to this address.
        func answer(_ address: String, _ outcome: PeerReply.Outcome, node id: UInt64? = nil) {
            guard let index = calls.firstIndex(where: { $0.address == address }) else {
                Issue.record("nothing was asked of \(address)")
                return
            }
            let call = calls.remove(at: index)
            var batch = Batch()
            batch.inputs.append(
                .peerReplied(call.id, PeerReply(node: id.map { NodeID($0) }, outcome: outcome)))
            node.step(batch)
            calls += node.takeCalls()
        }

        func wait(_ duration: Int64) {
            node.wait(duration)
            calls += node.takeCalls()
        }

        func count(_ address: String, _ request: PeerRequest) -> Int {
            calls.count { $0.address == address && $0.request == request }
        }
    }

    private let alive = PeerReply.Outcome.answered(code: 0, nil)

    @Test func `a second node of a zone that answers late is not waited for`() {
        let start = Start([("e1", "sh002"), ("e2", "sh002")])
        start.answer("e1", alive)
        start.answer("e1", .all([], skipped: 0))
        #expect(!start.node.takeJoined())
        start.answer("e2", alive)
        #expect(start.node.takeJoined())
    }

    @Test func `who cannot tell what it holds is asked once while another one is waited for`() {
        let start = Start([("d2", "sh001"), ("d3", "sh001")])
        start.answer("d2", alive, node: 2)
        #expect(start.count("d2", .exchange(.pull(leaf: 0))) == 1)
        start.answer("d2", .unable("answered code -503"), node: 2)
        for _ in 0..<20 {
            start.wait(Duration.second / 2)
            #expect(start.count("d2", .exchange(.pull(leaf: 0))) == 0)
            while start.count("d2", .probe) > 0 { start.answer("d2", alive, node: 2) }
        }
        #expect(!start.node.takeJoined())
        start.wait(6 * Duration.second)
        #expect(start.node.takeJoined(), "at the deadline")
    }

    /// Whoever runs the node looks at what every step says, not at those of its clock only.
    @Test func `a schedule that comes as the joining ends may be what ends it`() {
        let start = Start([("d2", "sh001")])
        start.node.now.wall += Duration.minute
        start.node.now.monotonic += Duration.minute
        start.node.send { _, _ in .scheduled([]) }
        #expect(start.node.takeJoined())
    }

    /// Where the first node stops telling: at the beginning, or behind its first page.
    @Test(arguments: [false, true])
    func `where one node fails to tell what it holds, the next is asked for all of it`(
        afterPage: Bool
    ) {
        let start = Start([("d2", "sh001"), ("d3", "sh001")])
        #expect(start.calls.map(\.address) == ["d2", "d3"], "both at once")
        let settings = start.node.node.settings.cluster
        for call in start.calls {
            #expect(call.request == .probe)
            #expect(call.timeout == settings.callTimeout)
        }
        start.answer("d2", alive, node: 2)
        start.answer("d3", alive, node: 3)
        #expect(start.count("d2", .exchange(.pull(leaf: 0))) == 1)
        #expect(start.calls.map(\.timeout) == [settings.pullTimeout], "d3 waits for its turn")
        if afterPage {
            let page = Page(records: [], stamps: [], next: 7, isProtected: false)
            start.answer("d2", .exchanged(.page(page)), node: 2)
            #expect(start.count("d2", .exchange(.pull(leaf: 7))) == 1)
        }
        start.answer("d2", .failed("timed out"))
        #expect(start.count("d3", .exchange(.pull(leaf: 0))) == 1)
        #expect(!start.node.takeJoined())
        let last = Page(records: [], stamps: [], next: nil, isProtected: false)
        start.answer("d3", .exchanged(.page(last)), node: 3)
        #expect(start.node.takeJoined())
    }

    @Test func `pages that do not go on end the transfer`() {
        let start = Start([("d2", "sh001")])
        start.answer("d2", alive, node: 2)
        let page = Page(records: [], stamps: [], next: 7, isProtected: false)
        start.answer("d2", .exchanged(.page(page)), node: 2)
        #expect(start.count("d2", .exchange(.pull(leaf: 7))) == 1)
        start.answer("d2", .exchanged(.page(page)), node: 2)
        #expect(start.calls.isEmpty)
        #expect(start.node.takeJoined())
    }

    @Test(arguments: [true, false])
    func `nodes give one timestamp to one content only`(isEqual: Bool) {
        func latest(_ detour: Bool, _ first: String) -> Int64? {
            let node = TestNode()
            let record = { (host: String, after: Int64) in
                Record(
                    key: key(host), version: TestNode.start.wall + after,
                    state: .registered(
                        Record.Registered(
                            content: content(), status: .up, registered: 1, up: 1,
                            latest: TestNode.start.wall + after, silence: 0)))
            }
            var changes = Changes(isSameZone: true)
            changes.records = [record(first, 1)]
            if detour {
                changes.records += [
                    record("gone", 2),
                    Record(
                        key: key("gone"), version: TestNode.start.wall + 3,
                        state: .cancelled(age: 0)),
                ]
            }
            changes.records.append(record("last", Duration.second))
            _ = node.send { id, _ in .exchanged(id, .changes(changes)) }
            return node.fetch()?.view?.latest
        }
        // The last change is the same one, with the same stamp.
        #expect((latest(false, "h1") == latest(true, isEqual ? "h1" : "h2")) == isEqual)
    }
}
