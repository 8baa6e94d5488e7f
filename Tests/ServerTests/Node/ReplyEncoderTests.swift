import DiscoveryCore
import DiscoveryHTTP
import DiscoveryWire
import Logging
import Testing

@testable import Discovery

@Suite struct `Encoding replies` {
    private let encoder = ReplyEncoder(
        log: NodeLog(logger: Logger(label: "test")), shape: .byZone,
        bulk: BulkEncoder(handles: LoopHandles(), heads: ReplyHeads(node: NodeID(1))),
        heads: ReplyHeads(node: NodeID(1)))

    private func turn(nodes count: Int) -> Turn {
        var turn = Turn(loop: 0, loopCount: 1)
        let nodes = (0..<count).map {
            NodeEntry(address: "10.0.0.\($0):7171", status: 0, zone: "sh001")
        }
        var composed = ComposedBodies()
        encoder.encode(.nodes(nodes), to: RequestID(1), in: &turn, composed: &composed)
        return turn
    }

    @Test func `a turn kept the memory of all the large answers it had ever given`() throws {
        let turn = turn(nodes: 10_000)
        #expect(turn.bytes.isEmpty)
        let reply = try #require(turn.replies.first)
        guard case .shared(let body) = reply.body else {
            Issue.record("a large answer is copied to its socket")
            return
        }
        #expect(body.count > 10_000 * 50)
    }

    @Test func `a small answer stays in the turn`() throws {
        let turn = turn(nodes: 3)
        guard case .bytes(let range) = try #require(turn.replies.first).body else {
            Issue.record("a small answer has an allocation of its own")
            return
        }
        #expect(range == 0..<turn.bytes.count)
        #expect(turn.bytes.starts(with: Array(#"{"code":0,"#.utf8)))
    }
}
