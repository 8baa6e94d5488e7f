/// The nodes of the registry that a client knows, and the one it asks.
///
/// Those that the registry itself names are tried before the configured ones, the own zone's
/// first: they hear of its instances first, and a node of the reference tells other zones of no
/// renewal. The configured ones are never forgotten: they are the way back when all others are
/// gone.
struct NodeList {
    private let seeds: [String]
    private var learned: [Set<String>] = []
    /// The nearest first; those that are configured only come last.
    private var groups: [[String]] = []
    /// What is tried next, the present one first.
    private var order: [String] = []
    private var random: any RandomNumberGenerator & Sendable

    /// Of each group that is named. A registry has a handful of nodes; whoever answers with more is
    /// none.
    static let groupMax = 32

    init(seeds: [String], random: any RandomNumberGenerator & Sendable) {
        self.seeds = seeds
        self.random = random
        arrange([])
    }

    /// Nil only without any.
    var current: String? { order.first }

    /// All of them, in the order they are to be tried.
    var all: [String] { order }

    /// Whether the present node is one of the nearest.
    var isHome: Bool { groups.first?.contains(order.first ?? "") ?? true }

    /// What the registry says about itself, the nearest group first. The present node stays the
    /// present one while it is among the nearest.
    mutating func learn(_ named: [[String]]) {
        let named = named.map { Set($0) }.filter { !$0.isEmpty }
        guard !named.isEmpty, named != learned else { return }
        learned = named
        let present = order.first
        arrange(named)
        if isHome(present), let place = order.firstIndex(of: present ?? "") {
            order.swapAt(0, place)
        }
    }

    private func isHome(_ node: String?) -> Bool {
        node.map { groups.first?.contains($0) ?? false } ?? false
    }

    private mutating func arrange(_ named: [Set<String>]) {
        groups = []
        var known: Set<String> = []
        for (index, group) in (named + [Set(seeds)]).enumerated() {
            var addresses = group.subtracting(known).sorted()
            addresses.shuffle(using: &random)
            if index < named.count { addresses = Array(addresses.prefix(NodeList.groupMax)) }
            known.formUnion(addresses)
            if !addresses.isEmpty { groups.append(addresses) }
        }
        order = Array(groups.joined())
    }

    /// Another one of the nearest if there is one, else the nearest.
    mutating func switchOver() {
        let present = order.first
        for index in groups.indices { groups[index].shuffle(using: &random) }
        if let present, var nearest = groups.first, let place = nearest.firstIndex(of: present) {
            nearest.remove(at: place)
            groups[0] = nearest + [present]
        }
        order = Array(groups.joined())
    }

    /// Puts a node that failed behind all others, if it is the present one: who failed at the same
    /// time as others does not push a second one away.
    mutating func moveOn(from node: String) {
        guard order.first == node else { return }
        order.removeFirst()
        order.append(node)
    }
}
