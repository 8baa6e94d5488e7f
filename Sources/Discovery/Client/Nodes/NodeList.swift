/// The nodes of the registry that a client knows, and the one it asks.
///
/// Those that the registry itself names are tried before the configured ones, the own zone's
/// first. The configured ones are never forgotten: they are the way back when all others are gone.
struct NodeList {
    private let seeds: [String]
    private var learned: [Set<String>] = []
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

    /// What the registry says about itself, the nearest group first. The present node stays the
    /// present one while it is among the nearest.
    mutating func learn(_ groups: [[String]]) {
        let groups = groups.map { Set($0) }.filter { !$0.isEmpty }
        guard let nearest = groups.first, groups != learned else { return }
        learned = groups
        let present = order.first
        order = []
        for group in groups + [Set(seeds)] {
            var addresses = group.subtracting(order).sorted()
            addresses.shuffle(using: &random)
            order += addresses
        }
        if let present, nearest.contains(present), let place = order.firstIndex(of: present) {
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
