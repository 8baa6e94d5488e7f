import DiscoveryCore

/// The kinds of faults a seed may have; their names are arguments of `simulate --without`.
package enum FaultKind: String, CaseIterable, Sendable {
    /// Nodes of the reference's kind among ours: no fault, but as good as one.
    case goNodes = "go"
    case loss
    case duplication
    case delays
    case partitions
    case oneWay = "one-way"
    case zoneCuts = "zone-cuts"
    case flapping
    case crashes
    case stops
    case pauses
    case halfOpen = "half-open"
    case slowNodes = "slow"
    case skew
    case drift
    case wallSteps = "wall-steps"
    /// Some nodes start long after the others.
    case lateStarts = "late-starts"
    /// Requests of clients get lost too, and answers to them.
    case clientLoss = "client-loss"
    /// Something in between answers instead of the node: with an error, or with nonsense.
    case garbage
    /// Only the first node is known to the others from the start: through it they find each other.
    case fewSeeds = "few-seeds"
    /// Batches, pages and steps that hold one or two things, so that little needs many of them.
    case tightLimits = "tight-limits"
    /// Nodes that have just started refuse reads, until another one has told them everything.
    case startupProtection = "startup-protection"
    /// An operator rolls new scheduler files out, to one node after the other. No fault either.
    case schedules

    /// Those that a seed has with a certain chance each. What came later is drawn apart from them,
    /// so that the worlds of all seeds remain what they were otherwise.
    static let drawnTogether = allCases.filter { $0 != .startupProtection && $0 != .schedules }
}

/// One change of the world.
enum Fault {
    /// Messages from one host to another are lost, or no longer.
    case cut(from: Int, to: Int, isCut: Bool)
    /// Likewise between two zones.
    case cutZone(from: Int, to: Int, isCut: Bool)
    case crash(Int)
    case stop(Int)
    case start(Int)
    case pause(Int, isPaused: Bool)
    /// Takes connections and requests, and does nothing with them.
    case halfOpen(Int, isHalfOpen: Bool)
    case slow(Int, delay: Int64)
    case stepWall(Int, by: Int64)
    /// The operator's file for an application is there, in this revision.
    case schedule(Int, app: Int, revision: Int)
    /// A provider does something now; for scripts.
    case act(provider: Int, Action)

    enum Action { case register, change, cancel, set, die, move(to: Int) }
}

/// Draws the faults of a seed. Each kind has its own stream of random numbers.
struct FaultPlan {
    private let options: Options
    private let hosts: [Host]
    private var revision = 0
    private(set) var faults: [(at: Int64, fault: Fault)] = []

    init(_ options: Options, hosts: [Host]) {
        self.options = options
        self.hosts = hosts
        faults = options.script
        for (index, kind) in FaultKind.allCases.enumerated() where options.faults.contains(kind) {
            var random = SplitMix64(seed: options.seed, stream: 100 + UInt64(index))
            for _ in 0..<options.faultsEach { draw(kind, &random) }
        }
    }

    private mutating func draw(_ kind: FaultKind, _ random: inout SplitMix64) {
        let end = Int64(options.seconds) * Duration.second
        let from = random.time(Duration.second...end)
        let length = random.time(Duration.second / 2...max(Duration.second, end / 2))
        let until = min(from + length, end)
        let host = random.number(0...hosts.count - 1)
        let other = random.number(0...hosts.count - 1)
        let isBoth = kind != .oneWay
        switch kind {
        case .partitions, .oneWay: cut(host, other, from, until, isBoth: isBoth)
        case .zoneCuts:
            let zones = (hosts[host].zone, hosts[other].zone)
            guard zones.0 != zones.1 else { return }
            for (time, isCut) in [(from, true), (until, false)] {
                add(time, .cutZone(from: zones.0, to: zones.1, isCut: isCut))
                if random.chance(700) {
                    add(time, .cutZone(from: zones.1, to: zones.0, isCut: isCut))
                }
            }
        case .flapping:
            var time = from
            while time < until {
                let next = time + random.time(Duration.second / 10...5 * Duration.second)
                cut(host, other, time, min(next, until), isBoth: true)
                time = next + random.time(Duration.second / 10...5 * Duration.second)
            }
        case .crashes:
            add(from, .crash(host))
            add(until, .start(host))
        case .stops:
            add(from, .stop(host))
            add(until, .start(host))
        case .pauses:
            add(from, .pause(host, isPaused: true))
            add(until, .pause(host, isPaused: false))
        case .halfOpen:
            add(from, .halfOpen(host, isHalfOpen: true))
            add(until, .halfOpen(host, isHalfOpen: false))
        case .slowNodes:
            add(from, .slow(host, delay: random.time(0...3 * Duration.second)))
            add(until, .slow(host, delay: 0))
        case .wallSteps:
            let step = random.time(-10 * Duration.minute...10 * Duration.minute)
            add(from, .stepWall(host, by: step))
        case .schedules:
            revision += 1
            let app = random.number(0...options.apps - 1)
            for host in hosts.indices {
                let time = min(end, from + random.time(0...10 * Duration.second))
                add(time, .schedule(host, app: app, revision: revision))
            }
        case .goNodes, .loss, .duplication, .delays, .skew, .drift, .lateStarts, .clientLoss,
            .garbage, .fewSeeds, .tightLimits, .startupProtection:
            break
        }
    }

    /// Cuts one host off from another, or from all if it is drawn against itself.
    private mutating func cut(
        _ host: Int, _ other: Int, _ from: Int64, _ until: Int64, isBoth: Bool
    ) {
        let others = host == other ? Array(hosts.indices) : [other]
        for other in others where other != host {
            for (time, isCut) in [(from, true), (until, false)] {
                add(time, .cut(from: host, to: other, isCut: isCut))
                if isBoth { add(time, .cut(from: other, to: host, isCut: isCut)) }
            }
        }
    }

    private mutating func add(_ time: Int64, _ fault: Fault) { faults.append((time, fault)) }
}
