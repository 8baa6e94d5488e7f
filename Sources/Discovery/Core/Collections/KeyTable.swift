/// Finds slots of a slab by the hash of their key, without holding the keys: the caller compares.
///
/// Open addressing, linear probing, backward-shift deletion (so no entry is ever a tombstone and
/// the table does not decay). Eight bytes per place, at most 3/4 full: 11 to 21 bytes per entry.
struct KeyTable {
    private struct Place {
        /// The high half of the hash, compared before the caller has to touch the slab.
        var tag: UInt32
        /// Slot + 1; zero is vacant.
        var slot: UInt32
        static let vacant = Place(tag: 0, slot: 0)
    }

    private var places: [Place]
    private var mask: Int
    private(set) var count = 0

    init() {
        places = Array(repeating: .vacant, count: 16)
        mask = 15
    }

    func find(_ hash: UInt64, where isMatch: (UInt32) -> Bool) -> UInt32? {
        let tag = UInt32(truncatingIfNeeded: hash &>> 32)
        var index = Int(truncatingIfNeeded: hash) & mask
        while places[index].slot != 0 {
            if places[index].tag == tag, isMatch(places[index].slot &- 1) {
                return places[index].slot &- 1
            }
            index = (index &+ 1) & mask
        }
        return nil
    }

    /// The key must not be in the table yet. `rehash` gives the hash of a slot already in it.
    mutating func insert(_ slot: UInt32, _ hash: UInt64, rehash: (UInt32) -> UInt64) {
        if (count + 1) * 4 > places.count * 3 { grow(rehash) }
        place(slot, hash)
        count += 1
    }

    /// The slot must be in the table under `hash`.
    mutating func remove(_ slot: UInt32, _ hash: UInt64, rehash: (UInt32) -> UInt64) {
        var hole = Int(truncatingIfNeeded: hash) & mask
        while places[hole].slot != slot &+ 1 {
            precondition(places[hole].slot != 0, "removed a key that the table does not hold")
            hole = (hole &+ 1) & mask
        }
        var next = (hole &+ 1) & mask
        while places[next].slot != 0 {
            let home = Int(truncatingIfNeeded: rehash(places[next].slot &- 1)) & mask
            // Move it back unless its home lies cyclically in (hole, next].
            if (next &- home) & mask >= (next &- hole) & mask {
                places[hole] = places[next]
                hole = next
            }
            next = (next &+ 1) & mask
        }
        places[hole] = .vacant
        count -= 1
    }

    private mutating func grow(_ rehash: (UInt32) -> UInt64) {
        let old = places
        places = Array(repeating: .vacant, count: old.count * 2)
        mask = places.count - 1
        for entry in old where entry.slot != 0 { place(entry.slot &- 1, rehash(entry.slot &- 1)) }
    }

    private mutating func place(_ slot: UInt32, _ hash: UInt64) {
        var index = Int(truncatingIfNeeded: hash) & mask
        while places[index].slot != 0 { index = (index &+ 1) & mask }
        places[index] = Place(tag: UInt32(truncatingIfNeeded: hash &>> 32), slot: slot &+ 1)
    }
}
