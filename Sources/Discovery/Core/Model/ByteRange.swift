/// A place inside a byte array: in a batch's arena, a packed key or a packed content.
package struct ByteRange: Equatable, Sendable {
    package var start: UInt32
    package var count: UInt32

    package init(start: Int, count: Int) {
        self.start = UInt32(truncatingIfNeeded: start)
        self.count = UInt32(truncatingIfNeeded: count)
    }

    package static let empty = ByteRange(start: 0, count: 0)

    package var isEmpty: Bool { count == 0 }
    package var range: Range<Int> { Int(start)..<Int(start) + Int(count) }
}

extension Span<UInt8> {
    /// Whether both hold the same bytes.
    func holdsSame(as other: Span<UInt8>) -> Bool {
        if count != other.count { return false }
        for index in 0..<count where self[index] != other[index] { return false }
        return true
    }

    /// The bytes as an array of their own.
    package var copied: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        for index in 0..<count { bytes.append(self[index]) }
        return bytes
    }

    /// Byte order, the shorter first where one is the start of the other.
    func precedes(_ other: Span<UInt8>) -> Bool {
        let shared = Swift.min(count, other.count)
        for index in 0..<shared where self[index] != other[index] {
            return self[index] < other[index]
        }
        return count < other.count
    }
}

extension Array<UInt8> {
    /// Whether both hold the same bytes.
    func holdsSame(as other: Span<UInt8>) -> Bool { span.holdsSame(as: other) }

    /// Byte order. `lexicographicallyPrecedes` without its generic overhead.
    package func precedes(_ other: [UInt8]) -> Bool { span.precedes(other.span) }
}
