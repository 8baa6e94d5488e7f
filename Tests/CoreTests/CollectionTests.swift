import Testing

@testable import DiscoveryCore

/// The containers of Core against naive ones that do the same.
@Suite struct CollectionTests {
    @Test func `a key table finds what a dictionary finds`() {
        let seed = Seed("CORE_SEED")
        var random = seed.generator
        // Few hash values, so that probing wraps around and deletions move entries.
        for bits in [2, 4, 32] {
            var table = KeyTable()
            var hashes: [UInt32: UInt32] = [:]
            for _ in 0..<4_000 {
                let slot = UInt32.random(in: 0..<300, using: &random)
                if let hash = hashes[slot] {
                    table.remove(slot, hash)
                    hashes[slot] = nil
                } else {
                    let hash =
                        UInt32.random(in: 0...UInt32.max, using: &random) >> UInt32(32 - bits)
                    table.insert(slot, hash)
                    hashes[slot] = hash
                }
                #expect(table.count == hashes.count)
                let probe = UInt32.random(in: 0..<300, using: &random)
                let hash = hashes[probe] ?? 1
                let found = table.find(hash) { $0 == probe }
                #expect(found == (hashes[probe] == nil ? nil : probe), "\(seed)")
            }
        }
    }

    @Test func `a timer wheel fires what a sorted list fires`() {
        let seed = Seed("CORE_SEED")
        var random = seed.generator
        var now: Int64 = 12_345
        var wheel = TimerWheel(tick: 10, buckets: 64, now: now)
        // Slot to the tick it is due at, as the wheel promises it.
        var due: [UInt32: Int64] = [:]
        for _ in 0..<20_000 {
            let slot = UInt32.random(in: 0..<50, using: &random)
            switch Int.random(in: 0..<4, using: &random) {
            case 0, 1:
                let time = now + Int64.random(in: -50...600, using: &random)
                wheel.schedule(slot, at: time)
                due[slot] = max((time + 9) / 10, now / 10)
            case 2:
                wheel.cancel(slot)
                due[slot] = nil
            default:
                now += Int64.random(in: 0...40, using: &random)
                while let fired = wheel.popDue(at: now) {
                    #expect((due[fired] ?? .max) <= now / 10, "\(seed): \(fired) fired early")
                    due[fired] = nil
                }
                #expect(!due.values.contains { $0 < now / 10 }, "\(seed): one was missed")
            }
            #expect(wheel.count == due.count)
            if let next = wheel.nextDue, let first = due.values.min() {
                #expect(next / 10 <= max(first, now / 10 + 1), "\(seed): it would fire late")
            } else {
                #expect(due.isEmpty == (wheel.nextDue == nil))
            }
        }
    }

    @Test func `what lies beyond the horizon of a wheel comes early, never late`() {
        var wheel = TimerWheel(tick: 10, buckets: 64, now: 0)
        wheel.schedule(0, at: 100_000)
        #expect(wheel.nextDue == 630)
        #expect(wheel.popDue(at: 629) == nil)
        #expect(wheel.popDue(at: 630) == 0)
    }

    @Test func `a jump of a year neither loops nor loses anything`() {
        var wheel = TimerWheel(tick: Duration.millisecond, buckets: 4096, now: 0)
        wheel.schedule(3, at: Duration.second)
        wheel.schedule(4, at: 2 * Duration.second)
        let later = 365 * Duration.day
        #expect(wheel.popDue(at: later) == 3)
        #expect(wheel.popDue(at: later) == 4)
        #expect(wheel.popDue(at: later) == nil)
        wheel.schedule(5, at: later + Duration.second)
        #expect(wheel.popDue(at: later + Duration.second / 2) == nil)
        #expect(wheel.popDue(at: later + Duration.second) == 5)
    }

    @Test func `members of a zone are read in order whatever came and went`() {
        let seed = Seed("CORE_SEED")
        var random = seed.generator
        var group = ZoneGroup(name: [], latest: 0)
        var positions: [UInt32: UInt32] = [:]
        for _ in 0..<3_000 {
            let slot = UInt32.random(in: 0..<80, using: &random)
            if let position = positions[slot] {
                group.remove(at: position)
                positions[slot] = nil
            } else {
                positions[slot] = group.append(slot)
            }
            #expect(group.count == positions.count)
            if Int.random(in: 0..<7, using: &random) == 0 {
                group.order { $0 < $1 }
                #expect(group.members == positions.keys.sorted(), "\(seed)")
                for (index, member) in group.members.enumerated() {
                    positions[member] = UInt32(index)
                }
            }
        }
    }

    @Test func `holes do not pile up in a zone that nobody reads`() {
        var group = ZoneGroup(name: [], latest: 0)
        for slot in 0..<100_000 as Range<UInt32> {
            let position = group.append(slot)
            group.remove(at: position)
        }
        #expect(group.members.count < 1_000)
    }

    @Test func `a queue is first in, first out and gives memory back`() {
        var queue = Queue<Int>()
        for number in 0..<1_000 { queue.append(number) }
        for number in 0..<1_000 {
            #expect(queue.first == number)
            #expect(queue.popFirst() == number)
        }
        #expect(queue.popFirst() == nil && queue.isEmpty)
    }

    @Test func `arithmetic on stamps holds at the ends of the range`() {
        #expect(Int64.max.addingSaturated(1) == .max)
        #expect(Int64.min.addingSaturated(-1) == .min)
        #expect((5 as Int64).addingSaturated(-7) == -2)
    }

    @Test func `equal contents have equal bytes, whatever the order of the metadata`() {
        let one = content(metadata: [("b", "2"), ("a", "1"), ("a", "3")])
        let two = content(metadata: [("a", "3"), ("b", "2")])
        #expect(one == two)
        #expect(one.isPlain && !content(metadata: [("a", "<")]).isPlain)
        #expect(
            one.unpacked.metadata.map { String(decoding: $0.value, as: UTF8.self) } == ["3", "2"])
    }

    @Test func `fields and lists that do not fit are refused, not cut`() {
        let long = Array(repeating: UInt8(ascii: "x"), count: 65_536)
        #expect(InstanceContent(region: long, version: [], addrs: [], metadata: []) == nil)
        #expect(InstanceContent(region: [], version: [], addrs: [long], metadata: []) == nil)
        #expect(InstanceKey(env: Array(long[..<256]), appid: [], zone: [], hostname: []) == nil)
        #expect(InstanceKey(env: Array(long[..<255]), appid: [], zone: [], hostname: []) != nil)
    }
}
