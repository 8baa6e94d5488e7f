/// The only randomness in Core: repeatable from its seed. Spreads probes and comparisons in time,
/// so that nodes which lost a peer together do not all call it at once.
package struct SplitMix64: RandomNumberGenerator, Sendable {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }

    /// Between `share` percent of the duration and all of it.
    mutating func jittered(_ duration: Int64, downTo share: Int64) -> Int64 {
        let least = duration / 100 * share
        let span = UInt64(max(1, duration - least))
        return least + Int64(next() % span)
    }
}
