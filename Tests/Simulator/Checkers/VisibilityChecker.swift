import DiscoveryCore

/// In a whole network a write is on every node within a second: it is told, not found by a
/// comparison.
final class VisibilityChecker: Checker {
    let name = "visibility"
    let seesSteps = true
    private static let bound = Duration.second
    /// By then all nodes have started and found each other.
    private static let quiet = 15 * Duration.second

    /// What leaves the network whole.
    private static let harmless: Set<FaultKind> = [
        .skew, .drift, .wallSteps, .clientLoss, .tightLimits, .startupProtection,
    ]

    /// In the order of their time.
    private var awaited: [SourceWrite] = []
    private var first = 0
    private var evicted: [InstanceKey: Int64] = [:]

    func see(_ sight: Sight, _ world: World) -> String? {
        switch sight {
        case .wrote(let write):
            let isExpected = world.now > VisibilityChecker.quiet && isWhole(world)
            if isExpected { awaited.append(write) }
        case .noted(_, .evicted(let key, _)): evicted[key] = world.now
        case .stepped:
            while first < awaited.count,
                awaited[first].time + VisibilityChecker.bound < world.now
            {
                first += 1
                if let what = judge(awaited[first - 1], world) { return what }
            }
        default: break
        }
        return nil
    }

    private func isWhole(_ world: World) -> Bool {
        // What an outbox has no room for is found by a comparison.
        world.options.goNodes.isEmpty && world.options.script.isEmpty
            && world.options.outboxMax == nil
            && world.options.faults.isSubset(of: VisibilityChecker.harmless)
    }

    private func judge(_ write: SourceWrite, _ world: World) -> String? {
        // A later word took its place, or one as new, or it was dead already when it
        // was changed.
        let others = world.oracle.writes(of: write.key).filter { $0.number != write.number }
        if others.contains(where: { $0.version >= write.version }) { return nil }
        if evicted[write.key] ?? .min >= write.time { return nil }
        for host in world.hosts {
            let held = world.instance(write.key, on: host)
            let isThere =
                write.kind == .cancel ? held == nil : (held?.dirty ?? .min) >= write.version
            if isThere { continue }
            return "\(host.name) has not heard of \(write.kind) of \(Names.text(write.key)) "
                + "\(Trace.version(write.version)) at n\(write.host) "
                + "\(Trace.text(world.now - write.time)) s ago"
        }
        return nil
    }
}
