/// One IP address, or all that share its first bits: `10.0.0.1`, `10.1.0.0/16`, `2001:db8::/32`.
struct AddressRange: Sendable, Equatable, CustomStringConvertible {
    private let first: IPAddress
    /// How many of `first`'s bits count.
    private let prefix: Int

    /// Reads an address, or an address, a slash and a count of bits; nil when it is anything else.
    ///
    /// Bits behind the prefix must be zero: of `10.0.0.1/8` nobody can tell whether one address is
    /// meant or sixteen million.
    init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard parts.count <= 2, !text.utf8.contains(UInt8(ascii: "%")),
            let address = IPAddress(parts[0])
        else { return nil }
        first = address
        guard parts.count == 2 else {
            prefix = address.width
            return
        }
        // Two or three digits and nothing that Int would take besides.
        guard (1...3).contains(parts[1].utf8.count), parts[1].utf8.allSatisfy(Self.isDigit),
            var count = Int(parts[1])
        else { return nil }
        // A range of addresses that stand for IPv4 ones counts the 96 bits in front of them.
        let isMapped = address.width == 32 && parts[0].utf8.contains(UInt8(ascii: ":"))
        if isMapped { count -= 96 }
        guard (0...address.width).contains(count),
            address.bits & ~Self.mask(count, width: address.width) == 0
        else { return nil }
        prefix = count
    }

    func contains(_ address: IPAddress) -> Bool {
        guard address.width == first.width else { return false }
        return (address.bits ^ first.bits) & Self.mask(prefix, width: first.width) == 0
    }

    var description: String { prefix == first.width ? "\(first)" : "\(first)/\(prefix)" }

    /// Ones where the prefix is. A shift by the whole width gives zero, as /0 needs it.
    private static func mask(_ prefix: Int, width: Int) -> UInt128 {
        let all = UInt128.max >> (128 - width)
        return all & (all << (width - prefix))
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
    }
}
