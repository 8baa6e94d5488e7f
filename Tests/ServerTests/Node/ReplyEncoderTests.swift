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
        var (composed, exchanges) = (ComposedBodies(), LivingBodies())
        encoder.encode(
            .nodes(nodes), to: RequestID(1), in: &turn, composed: &composed,
            exchanges: &exchanges)
        return turn
    }

    @Test func `large answers to other nodes are bounded together, whoever asks`() throws {
        var (composed, exchanges) = (ComposedBodies(), LivingBodies(bytesMax: 250_000))
        let leaves = ExchangeReply.leaves(
            instances: Array(repeating: 7, count: 12_000), apps: [])
        func reply(_ turn: inout Turn) throws -> Turn.Reply {
            encoder.encode(
                .exchanged(leaves), to: RequestID(1), in: &turn, composed: &composed,
                exchanges: &exchanges)
            return try #require(turn.replies.last)
        }
        var turn = Turn(loop: 0, loopCount: 1)
        #expect(try reply(&turn).code == .exchanged)
        #expect(try reply(&turn).code == .exchanged)
        let refused = try reply(&turn)
        #expect(refused.code == .overloaded)
        guard case .shared(let body) = refused.body else {
            Issue.record("one refusal serves all")
            return
        }
        #expect(body.count < 200)
        // They were sent, or their asker went away.
        turn.removeAll()
        #expect(try reply(&turn).code == .exchanged)
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
