import DiscoveryCore

/// A node protects its instances as soon as too many of them have missed renewals, and no longer
/// once they renew again; overall, and in each zone.
///
/// Both sides are counted from what clients did, not from what the node counts along. In between,
/// where a node may have heard of a renewal or not, it is free.
final class ProtectionChecker: Checker {
    let name = "protection"
    let seesSteps = true

    /// Whom a node protects: an empty zone is all of them.
    private struct Scope: Hashable {
        let host: Int
        let zone: String
    }

    private struct Holding {
        var zones: [InstanceKey: String] = [:]
        /// Those of the last while, because they counted among the expected until then.
        var removals: [(time: Int64, zone: String)] = []
        var nextLook: Int64 = 0
    }

    private var holdings: [Int: Holding] = [:]
    private var protected: Set<Scope> = []
    /// When a client gave a sign of life last, whether the node took it or not; and one that a node
    /// took.
    private var given: [InstanceKey: Int64] = [:]
    private var taken: [InstanceKey: Int64] = [:]
    private var started: Int64 = 0
    /// Since when few enough are late.
    private var calm: [Scope: Int64] = [:]

    private static let percentMax = NodeSettings().overduePercentMax
    private static let lookInterval = Duration.second
    /// Timers, clocks that drift, and messages under way; those that arrive twice are up to three
    /// seconds late on each way.
    private static let slack = 2 * Duration.second
    private static let slackOfCopies = 14 * Duration.second
    /// How long a renewal may take to every node of a whole network.
    private static let spreading = 5 * Duration.second
    private static let calmMax = 3 * Duration.second

    func see(_ sight: Sight, _ world: World) -> String? {
        switch sight {
        case .started(let host):
            started = world.now
            forget(host)
        case .received(_, _, let request):
            if let key = ProtectionChecker.sign(in: request) { given[key] = world.now }
        case .answered(_, _, let request, let answer):
            if Delivery.code(answer) == 0, let key = ProtectionChecker.sign(in: request) {
                taken[key] = request.arrived
            }
        case .noted(let host, let note): noted(note, host, world)
        case .stepped(let host): return judge(host, world)
        default: break
        }
        return nil
    }

    private static func sign(in request: PendingRequest) -> InstanceKey? {
        switch request.request {
        case .client(.register(let registration)): registration.key
        case .client(.renew(let key)): key
        default: nil
        }
    }

    private func forget(_ host: Host) {
        holdings[host.index] = Holding()
        protected = protected.filter { $0.host != host.index }
        calm = calm.filter { $0.key.host != host.index }
    }

    private func noted(_ note: Note, _ host: Host, _ world: World) {
        switch note {
        case .added(let instance):
            let key = instance.key
            let zone = String(decoding: key.packed[key.zone.range], as: UTF8.self)
            holdings[host.index]?.zones[key] = zone
        case .removed(let key), .evicted(let key, _):
            if let zone = holdings[host.index]?.zones.removeValue(forKey: key) {
                holdings[host.index]?.removals.append((world.now, zone))
            }
        case .protectionEntered(let scope, _, _, _): protected.insert(place(scope, host))
        case .protectionLeft(let scope, _, _, _):
            protected.remove(place(scope, host))
            calm[place(scope, host)] = nil
        default: break
        }
    }

    private func place(_ scope: ProtectionScope, _ host: Host) -> Scope {
        switch scope {
        case .overall: Scope(host: host.index, zone: "")
        case .zone(let zone): Scope(host: host.index, zone: zone)
        }
    }

    /// Whether it can be told here that a node should protect something: not where messages can
    /// make an instance younger than it is.
    private func knowsSilence(_ world: World) -> Bool {
        world.options.goNodes.isEmpty
            && world.options.faults.isDisjoint(with: FaultKind.makingYounger)
    }

    /// From when on renewals count that every node has heard of; nil: that cannot be told here.
    private func wholeSince(_ world: World) -> Int64? {
        let since = max(world.healedAt, started) + world.options.convergenceBound
        // By then nodes have renewed their own, which they do as often as clients.
        let isWhole = world.now > since + world.options.lease / 3 + ProtectionChecker.slack
        guard world.phase != .faults, isWhole, world.options.goNodes.isEmpty,
            !world.options.faults.contains(.garbage)
        else { return nil }
        return since
    }

    /// Of one scope.
    private struct Count {
        var expected = 0
        /// Silent for so long that the node must know.
        var silent = 0
        /// Perhaps late, for all that can be told.
        var perhapsLate = 0

        mutating func add(_ other: Count) {
            expected += other.expected
            silent += other.silent
            perhapsLate += other.perhapsLate
        }
    }

    private func judge(_ host: Host, _ world: World) -> String? {
        guard host.own != nil, let holding = holdings[host.index], holding.nextLook <= world.now
        else { return nil }
        holdings[host.index]?.nextLook = world.now + ProtectionChecker.lookInterval
        let whole = protected.isEmpty ? nil : wholeSince(world)
        let knowsSilence = knowsSilence(world)
        guard knowsSilence || whole != nil else { return nil }
        let missed = world.options.lease * 2 / 3
        let slack =
            world.options.faults.contains(.duplication)
            ? ProtectionChecker.slackOfCopies : ProtectionChecker.slack
        let last = world.now - missed - slack
        let newest = max(whole ?? .max, world.now - missed + ProtectionChecker.spreading)
        var counts: [String: Count] = ["": Count()]
        for (key, zone) in holding.zones {
            var count = Count(expected: 1)
            if let sign = given[key], sign < last { count.silent = 1 }
            let isNode = key.packed[key.appid.range].elementsEqual(GoNode.selfAppID)
            if !isNode, taken[key] ?? .min < newest { count.perhapsLate = 1 }
            counts["", default: Count()].add(count)
            counts[zone, default: Count()].add(count)
        }
        for zone in counts.keys.sorted() {
            guard let count = counts[zone] else { continue }
            let scope = Scope(host: host.index, zone: zone)
            if protected.contains(scope) {
                if whole != nil, let what = mustLeave(scope, count, host, world) { return what }
            } else if knowsSilence {
                if let what = mustEnter(scope, count, host, world) { return what }
            }
        }
        return nil
    }

    private static func allowed(of expected: Int) -> Int { max(1, expected * percentMax / 100) }

    /// A node looks when an instance misses renewals, and again when the lease of one ends: what
    /// was removed in between may have counted among the expected.
    private func mustEnter(
        _ scope: Scope, _ count: Count, _ host: Host, _ world: World
    ) -> String? {
        let window = world.options.lease / 3 + ProtectionChecker.slack
        holdings[host.index]?.removals.removeAll { world.now - $0.time > window }
        let removed = holdings[host.index]?.removals.count {
            scope.zone.isEmpty || $0.zone == scope.zone
        }
        let expected = count.expected + (removed ?? 0)
        guard count.silent > ProtectionChecker.allowed(of: expected) else { return nil }
        return "\(host.name) protects nothing\(text(scope)), where \(count.silent) of "
            + "\(expected) have been silent for too long"
    }

    private func mustLeave(
        _ scope: Scope, _ count: Count, _ host: Host, _ world: World
    ) -> String? {
        // Its own does not count.
        let isHome = scope.zone.isEmpty || scope.zone == host.zoneName
        let expected = max(0, count.expected - (isHome ? 1 : 0))
        guard count.perhapsLate <= ProtectionChecker.allowed(of: expected) else {
            calm[scope] = nil
            return nil
        }
        let since = calm[scope] ?? world.now
        calm[scope] = since
        guard world.now - since > ProtectionChecker.calmMax else { return nil }
        return "\(host.name) goes on protecting what it holds\(text(scope)), though at most "
            + "\(count.perhapsLate) of \(expected) have been late for "
            + "\(Trace.text(world.now - since)) s"
    }

    private func text(_ scope: Scope) -> String {
        scope.zone.isEmpty ? "" : " in \(scope.zone)"
    }
}
