/// Sums up a set of slots so that two nodes find what differs between their sets in work
/// proportional to the difference.
///
/// Each slot adds its digest, by exclusive or, to one leaf; the leaves of a row add up to the row,
/// all rows to the root. A change costs three of these. Which leaf a slot belongs to follows from
/// its key alone and is the same on every node, hence a hash without a secret seed. The slots of a
/// leaf are linked, so that listing one does not walk the registry.
struct DigestTree {
    private struct Links {
        var next = DigestTree.none
        var previous = DigestTree.none
        var leaf = DigestTree.none
    }

    private static let none = UInt32.max

    let leavesPerRow: Int
    private(set) var root: UInt64 = 0
    private(set) var rows: [UInt64]
    private(set) var leaves: [UInt64]
    private var heads: [UInt32]
    private var links: [Links] = []

    init(rows: Int, leavesPerRow: Int) {
        self.leavesPerRow = leavesPerRow
        self.rows = Array(repeating: 0, count: rows)
        leaves = Array(repeating: 0, count: rows * leavesPerRow)
        heads = Array(repeating: DigestTree.none, count: rows * leavesPerRow)
    }

    func leaf(of hash: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: hash % UInt64(leaves.count)) }

    mutating func insert(_ slot: UInt32, leaf: UInt32, digest: UInt64) {
        while links.count <= Int(slot) { links.append(Links()) }
        precondition(links[Int(slot)].leaf == DigestTree.none, "the slot is in the digest already")
        let head = heads[Int(leaf)]
        links[Int(slot)] = Links(next: head, previous: DigestTree.none, leaf: leaf)
        if head != DigestTree.none { links[Int(head)].previous = slot }
        heads[Int(leaf)] = slot
        add(digest, to: leaf)
    }

    /// `digest`: what the slot was inserted or changed to last.
    mutating func remove(_ slot: UInt32, digest: UInt64) {
        let link = links[Int(slot)]
        precondition(link.leaf != DigestTree.none, "the slot is not in the digest")
        if link.previous == DigestTree.none {
            heads[Int(link.leaf)] = link.next
        } else {
            links[Int(link.previous)].next = link.next
        }
        if link.next != DigestTree.none { links[Int(link.next)].previous = link.previous }
        links[Int(slot)] = Links()
        add(digest, to: link.leaf)
    }

    mutating func change(_ slot: UInt32, from old: UInt64, to new: UInt64) {
        add(old ^ new, to: links[Int(slot)].leaf)
    }

    func slots(in leaf: UInt32) -> [UInt32] {
        var slots: [UInt32] = []
        var slot = heads[Int(leaf)]
        while slot != DigestTree.none {
            slots.append(slot)
            slot = links[Int(slot)].next
        }
        return slots
    }

    func contains(_ slot: UInt32) -> Bool {
        Int(slot) < links.count && links[Int(slot)].leaf != DigestTree.none
    }

    private mutating func add(_ digest: UInt64, to leaf: UInt32) {
        leaves[Int(leaf)] ^= digest
        rows[Int(leaf) / leavesPerRow] ^= digest
        root ^= digest
    }
}
