import DiscoveryCore

/// A cluster with its network, its machines and its clients, in one thread and from one seed.
///
/// Time is a number that jumps from event to event. Everything that could differ between two runs
/// is drawn from the seed, and nothing iterates a dictionary on the way to an event.
package final class World {
    enum Phase { case faults, healed, settled }

    let options: Options
    var queue = EventQueue()
    /// Nanoseconds since the world began; no machine's clock.
    private(set) var now: Int64 = 0
    var phase = Phase.faults
    var hosts: [Host] = []
    var network: Network
    var providers: [Provider] = []
    var watchers: [Watcher] = []
    var oracle = Oracle()
    var trace: Trace
    /// When the faults ended, and when something was written, evicted or started last.
    private(set) var healedAt: Int64 = 0
    var lastChange: Int64 = 0
    var nextRequest: UInt64 = 1
    var pending: [UInt64: PendingRequest] = [:]
    /// The poll that a node holds for each watcher.
    var heldPolls: [HeldPoll?] = []
    var nodeRandom: SplitMix64
    let checkers: [any Checker]
    private let stepCheckers: [any Checker]
    private(set) var failure: Failure?
    private(set) var eventCount = 0
    var stepCount = 0
    /// The write that a node is taking right now.
    var writing: Writing?

    package struct Failure: Error, Sendable {
        package let check: String
        package let what: String
        /// Of the world, nanoseconds.
        package let time: Int64
    }

    package convenience init(_ options: Options, linesMax: Int = 0) {
        self.init(options, linesMax: linesMax, watchedBy: [])
    }

    /// `others`: checkers besides those of every world.
    init(_ options: Options, linesMax: Int = 0, watchedBy others: [any Checker]) {
        self.options = options
        trace = Trace(linesMax: linesMax)
        network = Network(options, hostCount: options.nodes.reduce(0, +))
        nodeRandom = SplitMix64(seed: options.seed, stream: 2)
        checkers =
            [
                AnswerChecker(), TimestampChecker(), LeaseChecker(), LoopChecker(),
                ResurrectionChecker(), AckChecker(), BoundChecker(), ConvergenceChecker(),
                WatcherChecker(), WakeChecker(), SignChecker(), VisibilityChecker(),
                ReferenceChecker(), ProtectionChecker(),
            ] + others
        stepCheckers = checkers.filter(\.seesSteps)
        makeHosts()
        makeClients()
        let end = Int64(options.seconds) * Duration.second
        for (time, fault) in FaultPlan(options, hosts: hosts).faults {
            queue.push(.fault(fault), at: time)
        }
        queue.push(.healed, at: end + 1)
    }

    /// Runs to the end, or to the first violation.
    package func run() -> Failure? {
        while failure == nil, let next = queue.pop() {
            now = next.time
            eventCount += 1
            if case .ended = next.event {
                see(.ended)
                break
            }
            if eventCount > 5_000_000 { fail("world", "it never comes to rest") }
            handle(next.event)
        }
        return failure
    }

    package var digest: UInt64 { trace.digest }
    package var lines: [String] { Array(trace.lastLines) }

    func handle(_ event: Event) {
        switch event {
        case .ticked(let host): ticked(hosts[host])
        case .arrived(let host, let message): arrived(hosts[host], message)
        case .replied(let host, let incarnation, let call, let reply):
            replied(hosts[host], incarnation, call, reply)
        case .timedOut(let host, let incarnation, let call):
            let reply = PeerReply(node: nil, outcome: .failed("no answer in time"))
            replied(hosts[host], incarnation, call, reply)
        case .listened(let host, let incarnation): listened(hosts[host], incarnation)
        case .goTicked(let host, let incarnation): goTicked(hosts[host], incarnation)
        case .provider(let index, let serial): providerWoke(index, serial)
        case .providerAnswered(let index, let serial, let answer):
            providerAnswered(index, serial, answer)
        case .watcher(let index, let serial): watcherWoke(index, serial)
        case .watcherAnswered(let index, let serial, let answer):
            watcherAnswered(index, serial, answer)
        case .fileChanged(let host, let app): readSchedule(of: app, on: hosts[host])
        case .fault(let fault): apply(fault)
        case .healed: heal()
        case .mustHaveConverged: demandConvergence()
        case .ended: break
        }
    }

    // MARK: Phases

    private func heal() {
        phase = .healed
        healedAt = now
        trace.add(now, "", "heal", "all faults end")
        network.heal()
        for host in hosts {
            host.isHalfOpen = false
            host.extraDelay = 0
            if host.isPaused { apply(.pause(host.index, isPaused: false)) }
            if !host.isRunning { start(host) }
        }
        see(.healed)
        queue.push(.mustHaveConverged, at: now + options.convergenceBound)
    }

    /// The bound counts from the last change: what providers still do after the heal, or nodes that
    /// find out that an instance is dead, needs its time too.
    private func demandConvergence() {
        // What is due in this very moment is done first.
        for host in hosts {
            var batch = Batch()
            batch.inputs.append(.ticked)
            step(host, batch)
        }
        let due = max(healedAt, lastChange) + options.convergenceBound
        if now < due { return queue.push(.mustHaveConverged, at: due) }
        phase = .settled
        see(.mustHaveConverged)
        // A poll that nobody took is given up, and the one after it may be held once more.
        var end = now + 2 * options.pollHold + 5 * Duration.second
        // Consumers of a protected node have still to see everything.
        if hosts.contains(where: { $0.own?.node.isProtectedAtStart == true }) {
            end += options.startupProtection
        }
        // And a node that protects what it holds has to hear that it renews again.
        if hosts.contains(where: { $0.own?.node.isSelfPreserving == true }) {
            end = max(end, now + options.lease / 3 + 15 * Duration.second)
        }
        queue.push(.ended, at: end)
    }

    // MARK: Checkers

    func see(_ sight: Sight) { see(sight, checkers) }

    func seeStep(_ sight: Sight) { see(sight, stepCheckers) }

    private func see(_ sight: Sight, _ checkers: [any Checker]) {
        for checker in checkers where failure == nil {
            if let what = checker.see(sight, self) { fail(checker.name, what) }
        }
    }

    func fail(_ check: String, _ what: String) {
        guard failure == nil else { return }
        failure = Failure(check: check, what: what, time: now)
        trace.add(now, "", "FAILED", "\(check): \(what)")
    }

    // MARK: Making

    private func makeHosts() {
        var random = SplitMix64(seed: options.seed, stream: 4)
        for (zone, count) in options.nodes.enumerated() {
            for _ in 0..<count {
                let index = hosts.count
                var clock = HostClock(
                    monotonicStart: Int64(random.number(1...100_000)) * Duration.second)
                let offset = random.time(-Duration.hour...Duration.hour)
                let drift = Int64(random.number(-500...500))
                if options.faults.contains(.skew) { clock.wallOffset = offset }
                if options.faults.contains(.drift) { clock.drift = drift }
                hosts.append(
                    Host(
                        index: index, zone: zone, isGo: options.goNodes.contains(index),
                        clock: clock))
            }
        }
        for host in hosts {
            let isLate = options.faults.contains(.lateStarts) && random.chance(500)
            let latest = isLate ? Int64(options.seconds) * Duration.second : Duration.second
            queue.push(.fault(.start(host.index)), at: random.time(0...latest))
        }
    }
}
