import DiscoveryCore

/// A consumer: a chain of polls, each with the timestamp that the one before it brought.
struct Watcher {
    let index: Int
    let app: Int
    /// Empty: all zones.
    let zone: String
    /// Starts from nothing at another node, as most clients do; the others keep what they have.
    let resetsOnSwitch: Bool
    var host: Int
    var random: SplitMix64
    var serial = 0
    var latest: Int64 = 0
    var signature: UInt64?
    /// The process that told it its timestamp.
    var source: (host: Int, incarnation: Int)?
    /// The request at the node, to be able to hang up.
    var isPolling = false
    var answers = 0
}
