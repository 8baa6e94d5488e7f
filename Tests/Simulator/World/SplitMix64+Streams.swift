import DiscoveryCore

extension SplitMix64 {
    /// An independent stream: what one part of the world draws does not shift what another draws,
    /// so a seed with one kind of fault taken out is otherwise the same seed.
    init(seed: UInt64, stream: UInt64) {
        var first = SplitMix64(seed: seed)
        self.init(seed: first.next() ^ (stream &* 0xD134_2543_DE82_EF95))
    }

    mutating func chance(_ permille: Int) -> Bool {
        permille > 0 && Int(next() % 1_000) < permille
    }

    mutating func number(_ range: ClosedRange<Int>) -> Int {
        range.lowerBound + Int(next() % UInt64(range.upperBound - range.lowerBound + 1))
    }

    mutating func time(_ range: ClosedRange<Int64>) -> Int64 {
        range.lowerBound + Int64(next() % UInt64(range.upperBound - range.lowerBound + 1))
    }
}
