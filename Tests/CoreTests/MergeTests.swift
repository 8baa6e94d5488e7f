import DiscoveryCore
import Testing

/// Replicated writes reach nodes in any order and more than once.
@Suite struct MergeTests {
    enum Write: Sendable {
        case register(dirty: Int64, version: String, status: InstanceStatus)
        case cancel(dirty: Int64)
    }

    private func write(_ random: inout some RandomNumberGenerator, base: Int64) -> Write {
        // Few versions and contents, so that ties are frequent.
        let dirty = base + Int64.random(in: 0..<4, using: &random)
        if Int.random(in: 0..<3, using: &random) == 0 { return .cancel(dirty: dirty) }
        return .register(
            dirty: dirty, version: ["a", "b", "c"].randomElement(using: &random) ?? "a",
            status: Bool.random(using: &random) ? .up : .waiting)
    }

    private func apply(_ writes: [Write]) -> String {
        let test = TestNode()
        for write in writes {
            switch write {
            case .register(let dirty, let version, let status):
                _ = test.register(
                    "h1", status: status, version: version, origin: .peer, dirty: dirty)
            case .cancel(let dirty): _ = test.cancel("h1", origin: .peer, dirty: dirty)
            }
        }
        guard let instance = test.fetch(statuses: 3)?.view?.instances.first else { return "gone" }
        let version = String(decoding: instance.content.unpacked.version, as: UTF8.self)
        return "\(instance.dirty) \(version) \(instance.status)"
    }

    @Test func `merging is commutative, associative and idempotent`() {
        let seed = Seed("CORE_SEED")
        var random = seed.generator
        let base = TestNode.start.wall - Duration.hour
        for round in 0..<3_000 {
            let writes = (0..<Int.random(in: 2...5, using: &random)).map { _ in
                write(&random, base: base)
            }
            let expected = apply(writes)
            var again = writes
            again.append(contentsOf: writes)
            again.shuffle(using: &random)
            #expect(apply(again) == expected, "seed \(seed), round \(round): \(writes)")
            if apply(again) != expected { return }
        }
    }
}
