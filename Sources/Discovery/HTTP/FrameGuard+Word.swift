/// Up to 24 bytes in lower case, comparable without a heap or a loop.
///
/// Only letters and `-` are told apart reliably, which is all that the words looked for consist of:
/// setting bit 5 maps no other token byte onto one of them.
struct Word: Equatable, Sendable {
    private var first: UInt64 = 0
    private var second: UInt64 = 0
    private var third: UInt64 = 0

    static let bytesMax: UInt8 = 24

    init() {}

    init(_ text: StaticString) {
        precondition(text.utf8CodeUnitCount <= Int(Self.bytesMax), "the word is too long")
        text.withUTF8Buffer { bytes in
            for position in 0..<bytes.count {
                unsafe append(bytes[position], at: UInt8(position))
            }
        }
    }

    /// Positions from `bytesMax` on are dropped: the count tells such words apart.
    @inline(__always)
    mutating func append(_ byte: UInt8, at position: UInt8) {
        let lower = UInt64(byte | 0x20)
        switch position >> 3 {
        case 0: first = first << 8 | lower
        case 1: second = second << 8 | lower
        case 2: third = third << 8 | lower
        default: break
        }
    }
}

extension FrameGuard {
    /// Adds one byte to the current word; the count stops at one more than fits, never wraps.
    @inline(__always)
    mutating func append(_ byte: UInt8) {
        word.append(byte, at: wordCount)
        if wordCount <= Word.bytesMax { wordCount += 1 }
    }

    mutating func startWord() {
        word = Word()
        wordCount = 0
    }

    /// Bytes of a token (RFC 9110, 5.6.2): letters, digits and ``!#$%&'*+-.^_`|~``.
    @inline(__always)
    static func isToken(_ byte: UInt8) -> Bool {
        let below64: UInt64 = 0x03FF_6CFA_0000_0000
        let below128: UInt64 = 0x57FF_FFFF_C7FF_FFFE
        if byte < 64 { return below64 >> UInt64(byte) & 1 == 1 }
        if byte < 128 { return below128 >> UInt64(byte - 64) & 1 == 1 }
        return false
    }
}
