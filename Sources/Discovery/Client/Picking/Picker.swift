internal import Synchronization

/// Picks an instance of an app for each request.
///
/// It follows the app by itself (`DiscoveryClient.picker`), keeps its last list whatever happens to
/// the registry, and leaves addresses out for a while that have failed. Any thread.
public final class Picker: Sendable {
    /// How the next one is chosen.
    public enum Strategy: Sendable {
        /// Smooth weighted round robin: in turn, spread evenly, each as often as its weight says.
        case roundRobin
        /// Of two at random the one that has less to do for its weight.
        case leastLoaded
    }

    /// Which addresses are used.
    public struct Options: Sendable {
        /// The scheme of the addresses: `http`, `grpc`. Nil: each instance's first one.
        public var scheme: String?
        public var strategy = Strategy.roundRobin
        /// Which instances may be used: those of a colour, say.
        public var isWanted: @Sendable (Instance) -> Bool = { _ in true }
        /// How long an address that failed is left out, as long as there are others.
        public var exclusion = Duration.seconds(5)

        public init(scheme: String? = nil, strategy: Strategy = .roundRobin) {
            self.scheme = scheme
            self.strategy = strategy
        }

        /// Only instances whose metadata has this value: `color`, `cluster`.
        public mutating func require(_ key: String, _ value: String) {
            let isWanted = self.isWanted
            self.isWanted = { isWanted($0) && $0.metadata[key] == value }
        }
    }

    private struct Candidate {
        /// Names it for as long as its address stays on the list.
        let number: UInt64
        let endpoint: Endpoint
        var weight: Int64
        /// Of smooth weighted round robin: whoever is ahead is next.
        var turn: Int64
        /// Requests under way.
        var load: Int64 = 0
        var excludedUntil: ContinuousClock.Instant?
    }

    private struct State {
        var candidates: [Candidate] = []
        var lastNumber: UInt64 = 0
    }

    private let options: Options
    /// The zone of the caller.
    private let zone: String
    /// Whether the first turn is anybody's: else all programs begin with the same instance.
    private let startsAnywhere: Bool
    private let state = Mutex(State())

    init(zone: String, options: Options, startsAnywhere: Bool = true) {
        self.zone = zone
        self.options = options
        self.startsAnywhere = startsAnywhere
    }

    /// All that may be picked at this moment.
    public var endpoints: [Endpoint] { state.withLock { $0.candidates.map(\.endpoint) } }

    // MARK: Picking

    /// The next one; nil only if there is none, or has not been yet. Of `leastLoaded`, whoever
    /// picks this way is not counted as load: `call` is.
    public func pick() -> Endpoint? { pick(isCounted: false)?.endpoint }

    /// Calls `body` with the next one. If it throws, the address is left out for a while, unless
    /// the calling task was cancelled, and the error passed on; it is the caller who knows whether
    /// to try again. Throws `NoInstance` if there is none.
    public func call<Result>(
        isolation: isolated (any Actor)? = #isolation,
        _ body: (Endpoint) async throws -> Result
    ) async throws -> Result {
        guard let (number, endpoint) = pick(isCounted: true) else { throw NoInstance() }
        defer { change(number) { $0.load = max(0, $0.load - 1) } }
        do {
            return try await body(endpoint)
        } catch {
            // Who gave up says nothing about whom he called.
            if !Task.isCancelled, !(error is CancellationError) {
                let until = ContinuousClock.now + options.exclusion
                change(number) { $0.excludedUntil = until }
            }
            throw error
        }
    }

    /// Nobody can be called.
    public struct NoInstance: Error, CustomStringConvertible {
        public var description: String { "no instance of the app is known" }
    }

    /// Leaves an address out for a while.
    public func exclude(_ endpoint: Endpoint) {
        let until = ContinuousClock.now + options.exclusion
        state.withLock { state in
            for index in state.candidates.indices
            where state.candidates[index].endpoint.url == endpoint.url {
                state.candidates[index].excludedUntil = until
            }
        }
    }

    /// Nothing if its address has left the list meanwhile.
    private func change(_ number: UInt64, _ change: (inout Candidate) -> Void) {
        state.withLock { state in
            if let index = state.candidates.firstIndex(where: { $0.number == number }) {
                change(&state.candidates[index])
            }
        }
    }

    private func pick(isCounted: Bool) -> (number: UInt64, endpoint: Endpoint)? {
        let now = ContinuousClock.now
        return state.withLock { state in
            var usable = state.candidates.indices.filter { index in
                state.candidates[index].excludedUntil.map { $0 <= now } ?? true
            }
            // Better one that failed than none.
            if usable.isEmpty { usable = Array(state.candidates.indices) }
            guard !usable.isEmpty else { return nil }
            let chosen =
                switch options.strategy {
                case .roundRobin: Self.nextInTurn(&state.candidates, among: usable)
                case .leastLoaded: Self.leastLoaded(state.candidates, among: usable)
                }
            if isCounted { state.candidates[chosen].load += 1 }
            return (state.candidates[chosen].number, state.candidates[chosen].endpoint)
        }
    }

    /// Everybody comes nearer to his turn by his weight; whoever is next goes back by the sum.
    private static func nextInTurn(_ candidates: inout [Candidate], among usable: [Int]) -> Int {
        var sum: Int64 = 0
        var chosen = usable[0]
        for index in usable {
            candidates[index].turn += candidates[index].weight
            sum += candidates[index].weight
            if candidates[index].turn > candidates[chosen].turn { chosen = index }
        }
        candidates[chosen].turn -= sum
        return chosen
    }

    private static func leastLoaded(_ candidates: [Candidate], among usable: [Int]) -> Int {
        let one = weightedRandom(candidates, among: usable)
        let others = usable.filter { $0 != one }
        if others.isEmpty { return one }
        let other = weightedRandom(candidates, among: others)
        // load / weight, without a division. Where nobody has anything to do the first stays, who
        // was drawn by his weight.
        let left = candidates[one].load.multipliedFullWidth(by: candidates[other].weight)
        let right = candidates[other].load.multipliedFullWidth(by: candidates[one].weight)
        return (left.high, left.low) <= (right.high, right.low) ? one : other
    }

    private static func weightedRandom(_ candidates: [Candidate], among usable: [Int]) -> Int {
        let sum = usable.reduce(Int64(0)) { $0 + candidates[$1].weight }
        var place = Int64.random(in: 0..<max(1, sum))
        for index in usable {
            place -= candidates[index].weight
            if place < 0 { return index }
        }
        return usable[0]
    }

    // MARK: What there is

    /// Whoever stays keeps his turn, his load and his exclusion.
    func update(_ snapshot: Snapshot) {
        // First, or a zone without such an address would be balanced to.
        let usable = snapshot.filtered { options.isWanted($0) && endpoint(of: $0) != nil }
        let weighted = usable.balanced(for: zone)
        state.withLock { state in
            var known: [String: Candidate] = [:]
            for candidate in state.candidates { known[candidate.endpoint.url] = candidate }
            var candidates: [Candidate] = []
            // Two instances at one address are one: a program that was started again under another
            // name, say.
            var places: [String: Int] = [:]
            let sum = weighted.reduce(Int64(0)) { $0 + Int64($1.weight) }
            let sumBefore = state.candidates.reduce(Int64(0)) { $0 + $1.weight }
            for row in weighted {
                guard let endpoint = endpoint(of: row.instance) else { continue }
                if let place = places[endpoint.url] {
                    candidates[place].weight += Int64(row.weight)
                    continue
                }
                places[endpoint.url] = candidates.count
                let before = known[endpoint.url]
                if before == nil { state.lastNumber += 1 }
                let turn =
                    before.map { Self.turn($0.turn, of: sumBefore, in: sum) }
                    ?? (startsAnywhere ? Int64.random(in: 0..<Int64(row.weight)) : 0)
                candidates.append(
                    Candidate(
                        number: before?.number ?? state.lastNumber, endpoint: endpoint,
                        weight: Int64(row.weight), turn: turn, load: before?.load ?? 0,
                        excludedUntil: before?.excludedUntil))
            }
            state.candidates = candidates
        }
    }

    /// Turns are debts in units of the sum of all weights, and never more than it.
    private static func turn(_ turn: Int64, of before: Int64, in sum: Int64) -> Int64 {
        if before == sum || before == 0 { return max(-sum, min(sum, turn)) }
        let scaled = Double(turn) / Double(before) * Double(sum)
        return Int64(max(-Double(sum), min(Double(sum), scaled)))
    }

    private func endpoint(of instance: Instance) -> Endpoint? {
        instance.addresses.lazy.compactMap { Endpoint($0, of: instance) }.first {
            self.options.scheme == nil || $0.scheme == self.options.scheme
        }
    }
}
