/// The nodes of the registry that a client knows, and the one it asks.
///
/// Those that the registry itself names are tried before the configured ones, which are never
/// forgotten: they are the way back when all others are gone.
struct NodeList {
    private let seeds: [String]
    private var learned: [String] = []
    /// What is tried next, the present one first.
    private var order: [String]
    private var random: any RandomNumberGenerator & Sendable

    init(seeds: [String], random: any RandomNumberGenerator & Sendable) {
        self.seeds = seeds
        self.random = random
        order = seeds
        order.shuffle(using: &self.random)
    }

    /// Nil only without any.
    var current: String? { order.first }

    /// All of them, in the order they are to be tried.
    var all: [String] { order }

    /// What the registry says about itself. The present node stays the present one while it is
    /// named, or while nobody is.
    mutating func learn(_ addresses: [String]) {
        let addresses = Array(Set(addresses)).sorted()
        if addresses.isEmpty || addresses == learned { return }
        learned = addresses
        let present = order.first
        var (first, last) = (addresses, seeds.filter { !addresses.contains($0) })
        first.shuffle(using: &random)
        last.shuffle(using: &random)
        order = first + last
        if let present, let place = order.firstIndex(of: present), place < first.count {
            order.swapAt(0, place)
        }
    }

    /// Puts the node behind all others, if it is the present one: who failed at the same time as
    /// others does not push a second one away.
    mutating func moveOn(from node: String) {
        guard order.first == node else { return }
        order.removeFirst()
        order.append(node)
    }
}
