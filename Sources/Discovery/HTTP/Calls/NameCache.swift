/// What a loop remembers of the names it has called. A value without a clock of its own.
struct NameCache {
    enum State: Equatable {
        /// Asked for; the answer will come through the mailbox.
        case pending
        /// Literals, in the order in which they are to be tried.
        case found([String], untilNanoseconds: UInt64)
        case failed(reason: String, untilNanoseconds: UInt64)
    }

    private var entries: [String: State] = [:]

    var count: Int { entries.count }

    /// So long a host may move without being noticed; connections that are kept open do not even
    /// notice then.
    static let foundNanoseconds: UInt64 = 30_000_000_000
    /// Just long enough that a burst of calls asks once.
    static let failedNanoseconds: UInt64 = 1_000_000_000
    /// With so many names, those that have expired are dropped.
    static let countMax = 256

    /// nil when the name has to be asked for.
    func state(of host: String, at now: UInt64) -> State? {
        guard let entry = entries[host], !Self.isExpired(entry, now) else { return nil }
        return entry
    }

    mutating func ask(_ host: String, at now: UInt64) {
        if entries.count >= Self.countMax {
            entries = entries.filter { !Self.isExpired($0.value, now) }
        }
        entries[host] = .pending
    }

    mutating func answer(_ name: ResolvedName, at now: UInt64) {
        entries[name.host] =
            switch name.outcome {
            case .success(let literals):
                .found(literals, untilNanoseconds: now + Self.foundNanoseconds)
            case .failure(let failure):
                .failed(reason: failure.reason, untilNanoseconds: now + Self.failedNanoseconds)
            }
    }

    private static func isExpired(_ entry: State, _ now: UInt64) -> Bool {
        switch entry {
        case .pending: false
        case .found(_, let until), .failed(_, let until): until <= now
        }
    }
}
