/// Names one unanswered request without pointing at it, so that it may travel to any thread.
///
/// Made of the loop, the connection's descriptor and a number the loop counts up with every
/// request. A stale ticket is ignored, unless 2^32 further requests have brought its number back
/// on the same descriptor.
package struct Ticket: Hashable, Sendable {
    package let rawValue: UInt64

    package init(rawValue: UInt64) { self.rawValue = rawValue }

    static let loopMax = 0xFF
    static let descriptorMax: Int32 = 0xFF_FFFF

    init(loop: Int, descriptor: Int32, number: UInt32) {
        rawValue = UInt64(loop) << 56 | UInt64(descriptor) << 32 | UInt64(number)
    }

    /// Index of the loop that holds the request.
    package var loop: Int { Int(rawValue >> 56) }

    /// Below the number of files the process may open, and no two unanswered requests of a loop
    /// have the same: an index for what is kept by request.
    package var slot: Int { descriptor }

    var descriptor: Int { Int(rawValue >> 32 & 0xFF_FFFF) }
    var number: UInt32 { UInt32(truncatingIfNeeded: rawValue) }
}
