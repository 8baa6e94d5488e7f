import DiscoveryCore

/// Walks over the bytes of an exchange. It holds a place only, the caller lends the bytes.
///
/// Whatever the bytes are, it ends: each step passes bytes or throws, and no list is made room for
/// that the rest of the bytes could not hold.
struct BinaryReader {
    private(set) var position = 0

    @inline(__always)
    mutating func number<Number: FixedWidthInteger>(
        _ type: Number.Type, _ bytes: Span<UInt8>
    ) throws(Rejection) -> Number {
        let size = Number.bitWidth / 8
        try need(size, bytes)
        var value: Number = 0
        for offset in 0..<size {
            value = value << 8 | Number(truncatingIfNeeded: bytes[position &+ offset])
        }
        position &+= size
        return value
    }

    /// A byte that is 0 or 1.
    mutating func flag(_ bytes: Span<UInt8>) throws(Rejection) -> Bool {
        let byte = try number(UInt8.self, bytes)
        guard byte <= 1 else {
            throw Rejection("a flag of the exchange must be 0 or 1, got \(byte)")
        }
        return byte == 1
    }

    /// A duration: never negative, because a lease would grow by it.
    mutating func duration(_ bytes: Span<UInt8>) throws(Rejection) -> Int64 {
        max(0, try number(Int64.self, bytes))
    }

    /// How many `things` follow, of at least `bytesMin` each.
    mutating func count(
        of things: StaticString, bytesMin: Int, _ bytes: Span<UInt8>
    ) throws(Rejection) -> Int {
        let count = Int(try number(UInt32.self, bytes))
        let rest = bytes.count - position
        guard count <= rest / bytesMin else {
            throw Rejection("the exchange claims \(count) \(things) in its last \(rest) bytes")
        }
        return count
    }

    /// Passes that many bytes and gives their place.
    mutating func pass(_ count: Int, _ bytes: Span<UInt8>) throws(Rejection) -> Range<Int> {
        try need(count, bytes)
        defer { position += count }
        return position..<position + count
    }

    /// Passes a packed key of that many fields, held to the rules that requests are held to: no
    /// field is empty, none has control characters, all are UTF-8.
    mutating func key(_ fields: Int, _ bytes: Span<UInt8>) throws(Rejection) -> Range<Int> {
        let start = position
        for _ in 0..<fields {
            let length = Int(try number(UInt8.self, bytes))
            let field = try pass(length, bytes)
            guard KeyField.isSound(bytes.extracting(field)) else {
                throw Rejection("a name in the exchange is empty, not UTF-8 or not printable")
            }
        }
        return start..<position
    }

    func end(_ bytes: Span<UInt8>) throws(Rejection) {
        guard position == bytes.count else {
            throw Rejection("the exchange has \(bytes.count - position) bytes too many")
        }
    }

    @inline(__always)
    private func need(_ count: Int, _ bytes: Span<UInt8>) throws(Rejection) {
        guard bytes.count &- position >= count else {
            throw Rejection("the exchange breaks off after \(bytes.count) bytes")
        }
    }
}

/// What env, appid, zone and hostname may be, whoever brings them.
package enum KeyField {
    package static func isSound(_ field: Span<UInt8>) -> Bool {
        if field.isEmpty { return false }
        // Without a branch per byte, so that the loop is vectorized.
        var seen: UInt8 = 0
        var marks: UInt8 = 0
        for index in 0..<field.count {
            seen |= field[index]
            marks |= field[index] < 0x20 ? 1 : 0
            marks |= field[index] == 0x7F ? 1 : 0
        }
        if marks != 0 { return false }
        return seen < 0x80 || UTF8Repair.firstInvalid(in: field, from: 0) == nil
    }
}
