import DiscoveryCore
import Testing

@Suite struct LeaseTests {
    private func evicted(_ test: TestNode) -> [(host: String, silence: Int64)] {
        test.notes.compactMap {
            guard case .evicted(let key, let silence) = $0 else { return nil }
            return (String(decoding: key.packed[key.hostname.range], as: UTF8.self), silence)
        }
    }

    /// Lets time pass while these hosts go on renewing every 30 s.
    private func live(_ test: TestNode, _ hosts: [String], for duration: Int64) {
        var left = duration
        while left > 0 {
            let step = min(left, 30 * Duration.second)
            test.wait(step)
            for host in hosts { _ = test.renew(host) }
            left -= step
        }
    }

    @Test func `an instance that stops renewing is gone within a second of its 90 s`() throws {
        let test = TestNode()
        let living = (0..<20).map { "live\($0)" }
        for host in living + ["dead"] { _ = test.register(host) }
        let id = test.poll([("a.b", test.fetch()?.view?.latest ?? 0)], hold: 30 * Duration.second)
        live(test, living, for: 120 * Duration.second)
        #expect(test.take(id)?.code == -304)
        let gone = evicted(test)
        #expect(gone.map(\.host) == ["dead"])
        let silence = try #require(gone.first?.silence)
        #expect(silence >= 90 * Duration.second && silence < 91 * Duration.second)
        #expect(test.hosts().count == 20)
    }

    @Test func `an eviction wakes who waits`() {
        let test = TestNode()
        let living = (0..<20).map { "live\($0)" }
        for host in living + ["dead"] { _ = test.register(host) }
        live(test, living, for: 75 * Duration.second)
        let id = test.poll([("a.b", test.fetch()?.view?.latest ?? 0)])
        live(test, living, for: 20 * Duration.second)
        #expect(test.take(id)?.view?.hosts.contains("dead") == false)
    }

    @Test func `what another node heard of long ago is late again in time`() {
        let test = TestNode()
        _ = test.register("h1")
        test.wait(61 * Duration.second)
        #expect(test.node.overdueCount == 1)
        let known = key("h1")
        var changes = Changes(isSameZone: true)
        changes.bytes = known.packed
        changes.renewals = [
            Changes.Renewed(
                key: ByteRange(start: 0, count: known.packed.count),
                version: test.node.held(known)?.dirty ?? 0, silence: 50 * Duration.second)
        ]
        _ = test.send { id, _ in .exchanged(id, .changes(changes)) }
        #expect(test.node.overdueCount == 0)
        test.wait(11 * Duration.second)
        #expect(test.node.overdueCount == 1)
    }

    @Test func `a renewal at the last moment saves the instance`() {
        let test = TestNode()
        _ = test.register("h1")
        for _ in 0..<10 {
            test.wait(89 * Duration.second + 900 * Duration.millisecond)
            #expect(test.renew("h1")?.code == 0)
        }
        #expect(evicted(test).isEmpty)
    }

    @Test func `wall clock jumps neither shorten nor prolong a lease`() {
        let test = TestNode()
        let living = (0..<20).map { "live\($0)" }
        for host in living + ["dead"] { _ = test.register(host) }
        test.now.wall += 3 * Duration.hour
        live(test, living, for: 60 * Duration.second)
        #expect(evicted(test).isEmpty)
        test.now.wall -= 6 * Duration.hour
        live(test, living, for: 60 * Duration.second)
        #expect(evicted(test).map(\.host) == ["dead"])
    }

    @Test func `when all fall silent nobody is evicted for an hour, then at 15 % a minute`() {
        let test = TestNode()
        for host in 0..<100 { _ = test.register("h\(host)") }
        test.wait(59 * Duration.minute)
        #expect(evicted(test).isEmpty && test.isSelfPreserving)
        let entered = test.notes.filter { if case .protectionEntered = $0 { true } else { false } }
        #expect(entered.count == 2, "overall and sh001, once each")
        test.wait(62 * Duration.second)
        #expect(evicted(test).count == 15)
        test.wait(30 * Duration.minute)
        #expect(test.node.instanceCount == 0)
    }

    @Test func `at most 15 % go within any minute, but never none`() {
        let test = TestNode {
            $0.overduePercentMax = 100
        }
        for host in 0..<40 { _ = test.register("h\(host)") }
        test.wait(60 * Duration.second)
        var times: [Int64] = []
        while test.node.instanceCount > 0 {
            let before = test.node.instanceCount
            test.wait(Duration.second)
            for _ in 0..<before - test.node.instanceCount { times.append(test.now.monotonic) }
            if times.count > 40 { break }
        }
        for (index, time) in times.enumerated() {
            let within = times[index...].filter { $0 - time < 59 * Duration.second }.count
            // Of those that were there at the beginning of that minute.
            #expect(within <= max(1, (40 - index) * 15 / 100))
        }
        #expect(times.count == 40)
    }

    @Test func `a small registry is not locked by one death`() {
        let test = TestNode()
        for host in ["h1", "h2"] { _ = test.register(host) }
        live(test, ["h1"], for: 120 * Duration.second)
        #expect(evicted(test).map(\.host) == ["h2"])
        #expect(!test.isSelfPreserving)
    }

    @Test func `a zone that is cut off is kept while another loses a dead instance`() {
        let test = TestNode()
        for host in 0..<50 { _ = test.register("a\(host)", zone: "sh001") }
        for host in 0..<5 { _ = test.register("b\(host)", zone: "sh002") }
        for _ in 0..<10 {
            test.wait(30 * Duration.second)
            for host in 1..<50 { _ = test.renew("a\(host)", zone: "sh001") }
        }
        #expect(evicted(test).map(\.host) == ["a0"])
        #expect(test.hosts(zone: "sh002").count == 5 && test.isSelfPreserving)
        for host in 0..<5 { _ = test.renew("b\(host)", zone: "sh002") }
        for host in 1..<50 { _ = test.renew("a\(host)", zone: "sh001") }
        test.wait(2 * Duration.second)
        #expect(!test.isSelfPreserving)
        let left = test.notes.filter { if case .protectionLeft = $0 { true } else { false } }
        #expect(!left.isEmpty)
    }

    @Test func `protection ends when the silent ones renew again`() {
        let test = TestNode()
        let hosts = (0..<20).map { "h\($0)" }
        for host in hosts { _ = test.register(host) }
        test.wait(10 * Duration.minute)
        #expect(test.isSelfPreserving && test.node.overdueCount == 20)
        live(test, hosts, for: 90 * Duration.second)
        #expect(!test.isSelfPreserving && test.node.overdueCount == 0)
        #expect(evicted(test).isEmpty)
    }

    @Test func `an evicted instance may come back by a peer that still hears of it`() {
        let test = TestNode()
        let hosts = (0..<20).map { "h\($0)" }
        let dirty = test.now.wall
        for host in hosts + ["dead"] { _ = test.register(host, origin: .peer, dirty: dirty) }
        live(test, hosts, for: 120 * Duration.second)
        #expect(!test.hosts().contains("dead"))
        #expect(test.register("dead", origin: .peer, dirty: dirty)?.code == 0)
        #expect(test.hosts().contains("dead"))
    }

    @Test func `a node's renewal of an old version does not keep the lease`() {
        let test = TestNode()
        let living = (0..<20).map { "live\($0)" }
        for host in living + ["h1"] { _ = test.register(host) }
        for _ in 0..<4 {
            test.wait(30 * Duration.second)
            for host in living { _ = test.renew(host) }
            _ = test.renew("h1", origin: .peer, dirty: 1)
        }
        #expect(!test.hosts().contains("h1"))
    }

    @Test func `many evictions are spread over steps and zones, none is late`() {
        let test = TestNode {
            $0.evictionPercentMax = 100
            $0.overduePercentMax = 100
            $0.evictionsPerStepMax = 7
        }
        for host in 0..<300 { _ = test.register("h\(host)", zone: "z\(host % 40)") }
        test.wait(89 * Duration.second)
        #expect(evicted(test).isEmpty)
        test.now.monotonic += 2 * Duration.second
        test.now.wall += 2 * Duration.second
        test.tick()
        #expect(evicted(test).count == 7)
        test.tick()
        #expect(evicted(test).count == 14)
        test.wait(0)
        #expect(evicted(test).count == 300)
        #expect(Set(evicted(test).map(\.host)).count == 300)
    }
}
