import DiscoveryHTTP
import DiscoveryWire
import Logging
import Testing

@testable import Discovery
@testable import DiscoveryCore

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

    /// Zones are named by whoever asks, and by whoever registers: not each may cost a body.
    @Test func `an answer about balance is made once, for as many zones as may be`() throws {
        let key = try #require(AppKey(env: Array("dev".utf8), appid: Array("a".utf8)))
        func zone(_ number: Int) -> [UInt8] { Array("z\(number)".utf8) }
        let rules = (0...64).map { ZoneSchedule.Rule(caller: zone($0), shares: []) }
        let view = AppView(
            app: key, latest: 1, zones: [], env: nil,
            schedule: ZoneSchedule(rules: rules, remark: [], shape: .object), filter: nil,
            statuses: 1, made: 0)
        // Kept, so that no other one can take its place in memory.
        var bodies: [SharedBody] = []
        func answer(_ zone: [UInt8]) throws -> ObjectIdentifier {
            var (composed, exchanges) = (ComposedBodies(), LivingBodies())
            var turn = Turn(loop: 0, loopCount: 1)
            encoder.encode(
                .balanced(view, zone: zone), to: RequestID(1), in: &turn, composed: &composed,
                exchanges: &exchanges)
            guard case .shared(let body) = try #require(turn.replies.first).body else {
                throw Failure("an answer about balance is copied")
            }
            bodies.append(body)
            return ObjectIdentifier(body)
        }
        // Without a rule or an instance all zones are the same.
        let other = try answer(Array("made up".utf8))
        #expect(try answer(Array("another".utf8)) == other)
        let first = try (0..<63).map { try answer(zone($0)) }
        #expect(Set(first).count == 63)
        for number in 0..<63 { #expect(try answer(zone(number)) == first[number]) }
        // One more than are kept: the one that was used the longest time ago goes.
        _ = try answer(zone(63))
        #expect(try answer(zone(0)) == first[0])
        #expect(try answer(Array("made up".utf8)) != other)
    }
}
