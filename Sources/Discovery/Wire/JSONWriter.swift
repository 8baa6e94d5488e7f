package import DiscoveryCore

/// A constant piece of an answer, held in place, so that writing it is a few moves.
///
/// `count` is checked at the start, when the piece is made.
struct Literal<let count: Int>: Sendable {
    let bytes: InlineArray<count, UInt8>

    init(_ text: String) {
        let source = text.utf8.span
        precondition(source.count == count, "a literal has the length that its type says")
        bytes = InlineArray { source[$0] }
    }
}

/// JSON as Go's `encoding/json` writes it, into memory that the caller has made sure of: each
/// writer has a bound beside it.
extension OutputSpan<UInt8> {
    @inline(__always)
    mutating func write<let length: Int>(_ literal: borrowing Literal<length>) {
        for index in 0..<length { append(literal.bytes[index]) }
    }

    @inline(__always)
    mutating func write(_ bytes: Span<UInt8>) {
        for index in 0..<bytes.count { append(bytes[index]) }
    }

    @inline(__always)
    mutating func write(_ text: String) { write(text.utf8.span) }

    /// At most `JSONBound.integer` bytes.
    @inline(__always)
    mutating func write(_ value: Int64) {
        if value >= 10_000_000_000_000_000 {
            writeTimestamp(UInt64(value))
        } else {
            writeSmall(value)
        }
    }

    /// Nanoseconds of our time have 19 digits: the last 16 are made eight at once.
    @inline(__always)
    private mutating func writeTimestamp(_ value: UInt64) {
        let upper = value / 100_000_000
        let top = upper / 100_000_000
        if top >= 100 {
            append(UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: top / 100))
            append(UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: top / 10 % 10))
        } else if top >= 10 {
            append(UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: top / 10))
        }
        append(UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: top % 10))
        writeEight(upper &- top &* 100_000_000)
        writeEight(value &- upper &* 100_000_000)
    }

    /// Eight digits of a value below 10^8: halves, then pairs, then digits, each in one
    /// multiplication for all lanes of a word.
    @inline(__always)
    private mutating func writeEight(_ value: UInt64) {
        let high = value / 10_000
        let halves = high | (value &- high &* 10_000) &<< 32
        let hundreds = (halves &* 10_486) &>> 20 & 0x7F_0000_007F
        let pairs = hundreds | (halves &- hundreds &* 100) &<< 16
        let tens = (pairs &* 103) &>> 10 & 0x000F_000F_000F_000F
        let digits = (tens | (pairs &- tens &* 10) &<< 8) | 0x3030_3030_3030_3030
        let text = InlineArray<8, UInt8> { index in
            UInt8(truncatingIfNeeded: digits &>> UInt64(truncatingIfNeeded: index &* 8))
        }
        for index in 0..<8 { append(text[index]) }
    }

    private mutating func writeSmall(_ value: Int64) {
        var rest = value.magnitude
        if value < 0 { append(UInt8(ascii: "-")) }
        var digits = 1
        var limit: UInt64 = 10
        while digits < 19, rest >= limit {
            digits += 1
            limit &*= 10
        }
        let start = count
        append(repeating: UInt8(ascii: "0"), count: digits)
        var written = mutableSpan
        var index = start + digits
        while rest > 0 {
            let quotient = rest / 10
            index -= 1
            written[index] = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: rest &- quotient &* 10)
            rest = quotient
        }
    }

    /// The bytes of a string without its quotes, escaped as the reference does, at most
    /// `JSONBound.escaped` each. They must be UTF-8, as everything read by this module is.
    mutating func writeEscaped(_ bytes: Span<UInt8>) {
        var copied = 0
        var index = 0
        while index < bytes.count {
            let byte = bytes[index]
            if byte.escapeMark == 0 || (byte >= 0x7F && byte != 0xE2) {
                index &+= 1
                continue
            }
            var length = 1
            if byte == 0xE2 {
                guard OutputSpan.isSeparator(bytes, at: index) else {
                    index &+= 1
                    continue
                }
                length = 3
            }
            write(bytes.extracting(copied..<index))
            writeEscape(length == 3 ? bytes[index + 2] : byte)
            index += length
            copied = index
        }
        write(bytes.extracting(copied..<bytes.count))
    }

    /// U+2028 and U+2029, which old JavaScript takes for line ends.
    private static func isSeparator(_ bytes: Span<UInt8>, at index: Int) -> Bool {
        index + 2 < bytes.count && bytes[index + 1] == 0x80 && bytes[index + 2] & 0xFE == 0xA8
    }

    private mutating func writeEscape(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""): write("\\\"")
        case UInt8(ascii: "\\"): write("\\\\")
        case 0x0A: write("\\n")
        case 0x0D: write("\\r")
        case 0x09: write("\\t")
        case 0xA8: write("\\u2028")
        case 0xA9: write("\\u2029")
        default:
            write("\\u00")
            append(OutputSpan.hexadecimal(byte >> 4))
            append(OutputSpan.hexadecimal(byte & 0xF))
        }
    }

    private static func hexadecimal(_ digit: UInt8) -> UInt8 {
        digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
    }
}

/// How much room the writers need at most.
enum JSONBound {
    /// `-9223372036854775808`.
    static let integer = 20
    /// `\u00XX` for one byte.
    static let escaped = 6
}

extension [UInt8] {
    mutating func append(_ text: String) { append(contentsOf: text.utf8) }

    /// A string with its quotes.
    mutating func append(quoted bytes: Span<UInt8>) {
        append(addingCapacity: 2 + bytes.count * JSONBound.escaped) { out in
            out.append(UInt8(ascii: "\""))
            out.writeEscaped(bytes)
            out.append(UInt8(ascii: "\""))
        }
    }

    mutating func append(quoted range: ByteRange, of packed: [UInt8]) {
        append(quoted: packed.span.extracting(range.bounds))
    }

    /// Metadata, in the order given.
    package mutating func append(object entries: [InstanceContent.Entry]) {
        append("{")
        for (index, entry) in entries.enumerated() {
            if index > 0 { append(",") }
            append(quoted: entry.key.span)
            append(":")
            append(quoted: entry.value.span)
        }
        append("}")
    }

    mutating func append(number: Int64) {
        append(addingCapacity: JSONBound.integer) { out in out.write(number) }
    }
}

extension UInt8 {
    /// 0 for what `isPlainInJSON` is true of. Here, so that it is compiled into the loops that ask
    /// it for each byte, and without a branch, so that they are vectorized.
    @inline(__always)
    var escapeMark: UInt8 {
        var mark: UInt8 = self &- 0x20 < 0x5F ? 0 : 1
        mark |= self == UInt8(ascii: "\"") ? 1 : 0
        mark |= self == UInt8(ascii: "\\") ? 1 : 0
        mark |= self == UInt8(ascii: "<") ? 1 : 0
        mark |= self == UInt8(ascii: ">") ? 1 : 0
        mark |= self == UInt8(ascii: "&") ? 1 : 0
        return mark
    }
}

extension ByteRange {
    /// `range`, compiled into the caller.
    @inline(__always)
    var bounds: Range<Int> {
        let start = Int(truncatingIfNeeded: start)
        return start..<start &+ Int(truncatingIfNeeded: count)
    }
}
