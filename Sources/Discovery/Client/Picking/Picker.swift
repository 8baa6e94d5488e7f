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

    private struct Entry {
        let endpoint: Endpoint
        let weight: Int64
        /// Of smooth weighted round robin: whoever is ahead is next.
        var turn: Int64 = 0
        /// Requests under way.
        var load: Int64 = 0
        var excludedUntil: ContinuousClock.Instant?
    }

    private struct State {
        var entries: [Entry] = []
    }

    private let options: Options
    /// The zone of the caller.
    private let zone: String
    private let state = Mutex(State())

    init(zone: String, options: Options) {
        self.zone = zone
        self.options = options
    }

    /// All that may be picked, with their weights.
    public var endpoints: [Endpoint] { state.withLock { $0.entries.map(\.endpoint) } }

    // MARK: Picking

    /// The next one; nil only if there is none, or has not been yet. Of `leastLoaded`, whoever
    /// picks this way is not counted as load: `call` is.
    public func pick() -> Endpoint? { pick(isCounted: false) }

    /// Calls `body` with the next one. If it throws, the address is left out for a while and the
    /// error passed on; it is the caller who knows whether to try again. Throws `NoInstance` if
    /// there is none.
    public func call<Result>(
        isolation: isolated (any Actor)? = #isolation,
        _ body: (Endpoint) async throws -> Result
    ) async throws -> Result {
        guard let endpoint = pick(isCounted: true) else { throw NoInstance() }
        defer { end(endpoint) }
        do {
            return try await body(endpoint)
        } catch let error as CancellationError {
            throw error
        } catch {
            exclude(endpoint)
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
            guard let index = state.entries.firstIndex(where: { $0.endpoint == endpoint })
            else { return }
            state.entries[index].excludedUntil = until
        }
    }

    private func end(_ endpoint: Endpoint) {
        state.withLock { state in
            guard let index = state.entries.firstIndex(where: { $0.endpoint == endpoint })
            else { return }
            state.entries[index].load = max(0, state.entries[index].load - 1)
        }
    }

    private func pick(isCounted: Bool) -> Endpoint? {
        let now = ContinuousClock.now
        return state.withLock { state in
            var usable = state.entries.indices.filter { index in
                state.entries[index].excludedUntil.map { $0 <= now } ?? true
            }
            // Better one that failed than none.
            if usable.isEmpty { usable = Array(state.entries.indices) }
            guard !usable.isEmpty else { return nil }
            let chosen =
                switch options.strategy {
                case .roundRobin: Self.nextInTurn(&state.entries, among: usable)
                case .leastLoaded: Self.leastLoaded(state.entries, among: usable)
                }
            if isCounted { state.entries[chosen].load += 1 }
            return state.entries[chosen].endpoint
        }
    }

    /// Everybody comes nearer to his turn by his weight; whoever is next goes back by the sum.
    private static func nextInTurn(_ entries: inout [Entry], among usable: [Int]) -> Int {
        var sum: Int64 = 0
        var chosen = usable[0]
        for index in usable {
            entries[index].turn += entries[index].weight
            sum += entries[index].weight
            if entries[index].turn > entries[chosen].turn { chosen = index }
        }
        entries[chosen].turn -= sum
        return chosen
    }

    private static func leastLoaded(_ entries: [Entry], among usable: [Int]) -> Int {
        let one = weightedRandom(entries, among: usable)
        let others = usable.filter { $0 != one }
        if others.isEmpty { return one }
        let other = weightedRandom(entries, among: others)
        // (load + 1) / weight, without a division.
        let left = (entries[one].load + 1).multipliedFullWidth(by: entries[other].weight)
        let right = (entries[other].load + 1).multipliedFullWidth(by: entries[one].weight)
        return (left.high, left.low) <= (right.high, right.low) ? one : other
    }

    private static func weightedRandom(_ entries: [Entry], among usable: [Int]) -> Int {
        let sum = usable.reduce(Int64(0)) { $0 + entries[$1].weight }
        var place = Int64.random(in: 0..<max(1, sum))
        for index in usable {
            place -= entries[index].weight
            if place < 0 { return index }
        }
        return usable[0]
    }

    // MARK: What there is

    /// Whoever stays keeps his turn, his load and his exclusion.
    func update(_ snapshot: Snapshot) {
        let weighted = snapshot.filtered(options.isWanted).balanced(for: zone)
        state.withLock { state in
            var known: [String: Entry] = [:]
            for entry in state.entries { known[entry.endpoint.url] = entry }
            state.entries = weighted.compactMap { row in
                guard let endpoint = endpoint(of: row.instance) else { return nil }
                var entry = Entry(endpoint: endpoint, weight: Int64(row.weight))
                if let before = known[endpoint.url] {
                    entry.load = before.load
                    entry.excludedUntil = before.excludedUntil
                    // Turns are of the size of the weights, which may be others now.
                    if before.weight == entry.weight { entry.turn = before.turn }
                }
                return entry
            }
        }
    }

    private func endpoint(of instance: Instance) -> Endpoint? {
        instance.addresses.lazy.compactMap { Endpoint($0, of: instance) }.first {
            self.options.scheme == nil || $0.scheme == self.options.scheme
        }
    }
}
