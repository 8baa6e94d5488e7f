/// Finds slots of a slab by the hash of their key, without holding the keys: the caller compares.
///
/// Open addressing, linear probing, backward-shift deletion (so no entry is ever a tombstone and
/// the table does not decay). Eight bytes per place, at most 3/4 full: 11 to 21 bytes per entry.
struct KeyTable {
    private struct Place {
        /// Compared before the caller has to touch the slab; its low bits are the place's home.
        var hash: UInt32
        /// Slot + 1; zero is vacant.
        var slot: UInt32
        static let vacant = Place(hash: 0, slot: 0)
    }

    private var places: [Place]
    private var mask: Int
    private(set) var count = 0

    init() {
        places = Array(repeating: .vacant, count: 16)
        mask = 15
    }

    func find(_ hash: UInt32, where isMatch: (UInt32) -> Bool) -> UInt32? {
        var index = Int(hash) & mask
        while places[index].slot != 0 {
            if places[index].hash == hash, isMatch(places[index].slot &- 1) {
                return places[index].slot &- 1
            }
            index = (index &+ 1) & mask
        }
        return nil
    }

    /// The key must not be in the table yet.
    mutating func insert(_ slot: UInt32, _ hash: UInt32) {
        if (count + 1) * 4 > places.count * 3 { grow() }
        place(Place(hash: hash, slot: slot &+ 1))
        count += 1
    }

    /// The slot must be in the table under `hash`.
    mutating func remove(_ slot: UInt32, _ hash: UInt32) {
        var hole = Int(hash) & mask
        while places[hole].slot != slot &+ 1 {
            precondition(places[hole].slot != 0, "removed a key that the table does not hold")
            hole = (hole &+ 1) & mask
        }
        var next = (hole &+ 1) & mask
        while places[next].slot != 0 {
            let home = Int(places[next].hash) & mask
            // It may move back unless its home lies cyclically in (hole, next].
            if (next &- home) & mask >= (next &- hole) & mask {
                places[hole] = places[next]
                hole = next
            }
            next = (next &+ 1) & mask
        }
        places[hole] = .vacant
        count -= 1
    }

    private mutating func grow() {
        let old = places
        places = Array(repeating: .vacant, count: old.count * 2)
        mask = places.count - 1
        for entry in old where entry.slot != 0 { place(entry) }
    }

    private mutating func place(_ entry: Place) {
        var index = Int(entry.hash) & mask
        while places[index].slot != 0 { index = (index &+ 1) & mask }
        places[index] = entry
    }
}
