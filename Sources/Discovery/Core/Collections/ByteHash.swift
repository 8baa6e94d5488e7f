/// A keyed 32-bit hash of bytes. Not cryptographic: the seed, drawn once per process, keeps clients
/// from choosing names that collide, and a fixed one makes the simulator repeatable, which the
/// standard library's hash is not.
struct ByteHash {
    private let seed: UInt64

    init(seed: UInt64) { self.seed = seed }

    func callAsFunction(_ bytes: Span<UInt8>) -> UInt32 {
        UInt32(truncatingIfNeeded: wide(bytes))
    }

    /// The same on every node: for digests, which nodes compare. Nobody gains by a collision there
    /// but to hide a difference of his own entries.
    static let common = ByteHash(seed: 0x51_7CC1_B727_220A)

    func wide(_ bytes: Span<UInt8>) -> UInt64 {
        var state = seed ^ (UInt64(truncatingIfNeeded: bytes.count) &* 0x9E37_79B9_7F4A_7C15)
        var index = 0
        while index &+ 8 <= bytes.count {
            var word: UInt64 = 0
            for offset in 0..<8 {
                word |= UInt64(bytes[index &+ offset]) &<< UInt64(offset &* 8)
            }
            state = ByteHash.mix(state ^ word)
            index &+= 8
        }
        var tail: UInt64 = 0
        while index < bytes.count {
            tail = tail &<< 8 | UInt64(bytes[index])
            index &+= 1
        }
        return ByteHash.mix(state ^ tail ^ 0xD6E8_FEB8_6659_FD93)
    }

    /// The two as one, and not the same the other way round.
    static func join(_ first: UInt64, _ second: UInt64) -> UInt64 {
        mix(mix(first) &+ second &* 0x9E37_79B9_7F4A_7C15)
    }

    /// Multiplies to 128 bits and folds them: each bit in reaches each bit out.
    static func mix(_ value: UInt64) -> UInt64 {
        let product = (value ^ 0xA076_1D64_78BD_642F).multipliedFullWidth(by: 0xE703_7ED1_A0B4_28DB)
        return product.high ^ product.low
    }
}
