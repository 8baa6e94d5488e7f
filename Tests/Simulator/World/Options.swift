import DiscoveryCore

/// What a world is like. Drawn from the seed; then kinds of faults may be taken out and numbers
/// made smaller, which is how a failure is narrowed down.
package struct Options: Sendable {
    package var seed: UInt64
    /// Nodes of each zone, by index.
    var nodes: [Int] = [1]
    /// Nodes of the reference's kind among them, by index of the node.
    var goNodes: [Int] = []
    var providers = 10
    var watchers = 5
    var apps = 3
    /// How long faults happen, seconds.
    var seconds = 60
    var lease = 90 * Duration.second
    var pollHold = 30 * Duration.second
    var ceiling = Duration.hour
    /// Chance of a message to be lost, or delivered twice, permille.
    var loss = 0
    var duplication = 0
    /// Chance that a message takes up to `slowestDelay`, permille.
    var slowness = 0
    var slowestDelay = 5 * Duration.second
    /// Chance of an answer to be replaced by nonsense, permille.
    var garbage = 0
    /// How many faults of a kind that lasts.
    var faultsEach = 2
    var faults: Set<FaultKind> = []
    /// Faults at given times instead of drawn ones.
    var script: [(at: Int64, fault: Fault)] = []
    /// Times between two events of one provider that changes something, on the average.
    var changeInterval = 20 * Duration.second
    /// As in production where it is switched on.
    private var protection = Duration.minute
    private var isOutboxTight = false
    /// Whether providers do only what a script tells them.
    var isQuiet = false

    /// What was changed after drawing, as arguments that change it again.
    private var changes: [String] = []

    package init(seed: UInt64) {
        self.seed = seed
        var random = SplitMix64(seed: seed, stream: 1)
        // Small worlds more often than large ones: they find nearly as much in a third of the time.
        let zones = [1, 1, 1, 2, 2, 3][random.number(0...5)]
        let sizes = [[1, 2, 2, 3, 3, 3, 4, 5, 7], [1, 2, 2, 3], [1, 2]][zones - 1]
        nodes = (0..<zones).map { _ in sizes[random.number(0...sizes.count - 1)] }
        let count = nodes.reduce(0, +)
        providers = random.number(1...30)
        watchers = random.number(1...12)
        apps = random.number(1...4)
        seconds = random.number(20...(random.chance(250) ? 180 : 90))
        if random.chance(500) {
            // Not shorter: nodes renew their own every 30 s.
            lease = Int64(random.number(50...60)) * Duration.second
            seconds = min(seconds, 120)
        }
        pollHold = random.chance(300) ? 30 * Duration.second : 8 * Duration.second
        ceiling = random.chance(300) ? 3 * lease : Duration.hour
        let kinds = FaultKind.drawnTogether
        for kind in kinds where random.chance(350) { faults.insert(kind) }
        // Some seeds without any fault, and some with one kind only, are easy to understand.
        switch random.number(0...9) {
        case 0: faults = []
        case 1...2: faults = [kinds[random.number(0...kinds.count - 1)]]
        default: break
        }
        loss = random.number(1...200)
        duplication = random.number(1...100)
        slowness = random.number(1...100)
        let slowest = random.chance(100) ? Duration.minute : 8 * Duration.second
        slowestDelay = random.time(Duration.millisecond...slowest)
        garbage = random.number(1...100)
        faultsEach = random.number(1...3)
        changeInterval = Int64(random.number(3...40)) * Duration.second
        if faults.contains(.goNodes), count > 1 {
            for node in 0..<count where random.chance(400) { goNodes.append(node) }
            if goNodes.count == count { goNodes.removeLast() }
        }
        // Nodes of the reference's kind forget whom they cannot see, seeds too.
        if !goNodes.isEmpty { faults.remove(.fewSeeds) }
        drawLater()
    }

    /// From a stream of its own.
    private mutating func drawLater() {
        var random = SplitMix64(seed: seed, stream: 6)
        isOutboxTight = random.chance(400)
        let isProtected = random.chance(150)
        if random.chance(500) { protection = 10 * Duration.second }
        if !faults.isEmpty, isProtected { faults.insert(.startupProtection) }
        let isScheduled = random.chance(200)
        if !faults.isEmpty, isScheduled { faults.insert(.schedules) }
    }

    package mutating func remove(_ kind: FaultKind) {
        guard faults.remove(kind) != nil else { return }
        if kind == .goNodes { goNodes = [] }
        changes.append(kind.rawValue)
    }

    package mutating func limit(providers: Int? = nil, watchers: Int? = nil, seconds: Int? = nil) {
        if let providers { self.providers = min(self.providers, max(1, providers)) }
        if let watchers { self.watchers = min(self.watchers, max(0, watchers)) }
        if let seconds { self.seconds = min(self.seconds, max(5, seconds)) }
        limits = [
            providers.map { " --clients \($0)" }, watchers.map { " --watchers \($0)" },
            seconds.map { " --seconds \($0)" },
        ].enumerated().map { $1 ?? limits[$0] }
    }

    private var limits = ["", "", ""]

    /// What to type to run these options again.
    package var command: String {
        let arguments = self.arguments
        return arguments.isEmpty
            ? "make simulate FROM=\(seed) SEEDS=1"
            : ".build/release/simulate --from \(seed) --seeds 1\(arguments)"
    }

    package var shrinkCommand: String {
        ".build/release/simulate --shrink \(seed)\(arguments)"
    }

    /// Those that make these options of the seed's.
    private var arguments: String {
        let without = changes.isEmpty ? "" : " --without \(changes.joined(separator: ","))"
        return without + limits.joined()
    }

    package var size: (providers: Int, watchers: Int, seconds: Int) {
        (providers, watchers, seconds)
    }

    package var activeFaults: [FaultKind] { FaultKind.allCases.filter(faults.contains) }

    package var description: String {
        let kinds = activeFaults.map(\.rawValue).joined(separator: ",")
        return "seed \(seed): nodes per zone \(nodes), of the reference's kind \(goNodes), "
            + "\(providers) providers, \(watchers) watchers, \(apps) apps, "
            + "faults for \(seconds) s, "
            + "lease \(lease / Duration.second) s, ceiling \(ceiling / Duration.second) s, "
            + "polls held \(pollHold / Duration.second) s, loss \(loss) and duplication "
            + "\(duplication) and slowness \(slowness) of 1000 up to "
            + "\(slowestDelay / Duration.millisecond) ms, garbage \(garbage), "
            + "protected for \(startupProtection / Duration.second) s, "
            + "outboxes of \(outboxMax.map(String.init) ?? "any size"); "
            + (kinds.isEmpty ? "no faults" : kinds)
    }

    /// How long nodes refuse reads after a start, 0: not at all.
    var startupProtection: Int64 { faults.contains(.startupProtection) ? protection : 0 }

    /// How many instances an outbox holds; nil: more than there are.
    var outboxMax: Int? { faults.contains(.tightLimits) && isOutboxTight ? 3 : nil }

    /// How long a healthy cluster may take to agree.
    var convergenceBound: Int64 {
        // Whoever fell out of the members is found again by two comparisons, of the one and of the
        // other with the node between them, before they are compared with each other.
        let rejoining = faults.contains(.fewSeeds) ? 20 * Duration.second : 0
        if goNodes.isEmpty { return 20 * Duration.second + rejoining }
        // A node of the reference's kind that is protected tells other nodes nothing either.
        let protection = startupProtection > 0 ? GoNode.startupProtection : 0
        return 20 * Duration.second + rejoining + comparisonInterval + protection
    }

    /// Shorter than in production, so that runs are.
    let comparisonInterval = 30 * Duration.second
}
