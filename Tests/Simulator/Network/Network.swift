import DiscoveryCore

/// What messages suffer between hosts: cuts, losses, delays.
struct Network {
    private let hostCount: Int
    private var cuts: [Int]
    private var zoneCuts: [Int]
    private var random: SplitMix64
    private var loss: Int
    private var clientLoss: Int
    private var duplication: Int
    private var slowness: Int
    private var garbage: Int
    private let slowestDelay: Int64
    private static let zonesMax = 4

    init(_ options: Options, hostCount: Int) {
        self.hostCount = hostCount
        cuts = Array(repeating: 0, count: hostCount * hostCount)
        zoneCuts = Array(repeating: 0, count: Network.zonesMax * Network.zonesMax)
        random = SplitMix64(seed: options.seed, stream: 5)
        loss = options.faults.contains(.loss) ? options.loss : 0
        clientLoss = options.faults.contains(.clientLoss) ? options.loss : 0
        duplication = options.faults.contains(.duplication) ? options.duplication : 0
        slowness = options.faults.contains(.delays) ? options.slowness : 0
        garbage = options.faults.contains(.garbage) ? options.garbage : 0
        slowestDelay = options.slowestDelay
    }

    mutating func heal() {
        for index in cuts.indices { cuts[index] = 0 }
        for index in zoneCuts.indices { zoneCuts[index] = 0 }
        (loss, clientLoss, duplication, slowness, garbage) = (0, 0, 0, 0, 0)
    }

    /// Cuts are counted, because two faults may cut the same way.
    mutating func cut(from: Int, to: Int, isCut: Bool) {
        let index = from * hostCount + to
        cuts[index] = max(0, cuts[index] + (isCut ? 1 : -1))
    }

    mutating func cutZone(from: Int, to: Int, isCut: Bool) {
        let index = from * Network.zonesMax + to
        zoneCuts[index] = max(0, zoneCuts[index] + (isCut ? 1 : -1))
    }

    func isCut(from: Host, to: Host) -> Bool {
        cuts[from.index * hostCount + to.index] > 0
            || zoneCuts[from.zone * Network.zonesMax + to.zone] > 0
    }

    /// How long a message takes, nil if it never arrives.
    mutating func delay(from: Host, to: Host) -> Int64? {
        let base =
            from.zone == to.zone
            ? random.time(50_000...Duration.millisecond)
            : random.time(Duration.millisecond...20 * Duration.millisecond)
        let isLost = random.chance(loss)
        let isSlow = random.chance(slowness)
        let extra = isSlow ? random.time(0...slowestDelay) : 0
        if isLost || isCut(from: from, to: to) { return nil }
        return base + extra + from.extraDelay + to.extraDelay
    }

    /// When a second copy of the same message arrives, if the network makes one.
    mutating func secondDelay(after delay: Int64) -> Int64? {
        random.chance(duplication) ? delay + random.time(0...3 * Duration.second) : nil
    }

    /// What arrives instead of the answer to this request, if something in between answers. It does
    /// not name a node.
    mutating func spoiled(_ request: PeerRequest?) -> PeerReply? {
        guard let request, random.chance(garbage) else { return nil }
        let outcome: PeerReply.Outcome
        switch (random.number(0...3), request) {
        case (0, _): outcome = .unable("HTTP 503")
        case (1, _): outcome = .refused("HTTP 400")
        case (_, .exchange): outcome = .exchanged(.same(isProtected: false))
        case (_, .fetchAll): outcome = .all([], skipped: 0)
        case (_, .probe), (_, .relay), (_, .set): outcome = .answered(code: -500, nil)
        }
        return PeerReply(node: nil, outcome: outcome)
    }

    /// Between a client and a host.
    mutating func clientDelay(_ host: Host) -> Int64? {
        let base = random.time(20_000...2 * Duration.millisecond)
        return random.chance(clientLoss) ? nil : base + host.extraDelay
    }
}
