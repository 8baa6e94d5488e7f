package import DiscoveryCore

/// The header by which nodes of our kind know each other, in requests and in answers:
/// `Discovery-Node: 1 00c0ffee00c0ffee`, the version of the exchanges and the `NodeID`.
///
/// A node of a later version is treated as one of the reference, whose protocol all of them speak.
package enum NodeHeader {
    package static let name = "Discovery-Node"
    private static let prefix = "\(ExchangeWriter.version) "
    private static let digits = 16

    package static func value(_ node: NodeID) -> String {
        let text = String(node.rawValue, radix: 16)
        return prefix + String(repeating: "0", count: digits - text.utf8.count) + text
    }

    /// Nil if there is no header, or none that this version of the protocol writes.
    package static func read(_ value: Span<UInt8>?) -> NodeID? {
        guard let value, value.count == prefix.utf8.count + digits,
            value.extracting(first: prefix.utf8.count).holds(prefix)
        else { return nil }
        var number: UInt64 = 0
        for index in prefix.utf8.count..<value.count {
            guard let digit = Percent.digit(value[index]) else { return nil }
            number = number << 4 | UInt64(digit)
        }
        return NodeID(number)
    }
}
