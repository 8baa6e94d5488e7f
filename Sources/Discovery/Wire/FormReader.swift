import DiscoveryCore

/// Reads query strings and urlencoded bodies, on bytes.
///
/// Tolerant, because brpc sends its bodies unescaped: `+` and `%20` are spaces, a bad escape stays
/// as it is, `;` separates nothing, and no pair can spoil another. (The reference drops a pair with
/// a bad escape or a `;`.)
struct FormReader {
    private let table = FieldTable()

    /// Appends the pairs of `text`; those already in `fields` go before them.
    func read(
        _ text: Span<UInt8>, into fields: inout Fields, limits: WireLimits
    ) throws(Rejection) {
        if text.isEmpty { return }
        let start = fields.pairs.count
        parse(text, &fields.bytes, &fields.pairs, &fields.pairCount, limits.pairsMax)
        guard fields.pairCount <= limits.pairsMax else {
            throw Rejection("at most \(limits.pairsMax) parameters are allowed in a request")
        }
        fields.settle(from: start)
    }

    /// Stops after the first pair too many.
    private func parse(
        _ text: Span<UInt8>, _ bytes: inout [UInt8], _ pairs: inout [Fields.Pair],
        _ pairCount: inout Int, _ pairsMax: Int
    ) {
        let base = bytes.count
        // Decoding never lengthens.
        bytes.append(addingCapacity: text.count) { out in
            var index = 0
            while index < text.count {
                if text[index] == UInt8(ascii: "&") {
                    index &+= 1
                    continue
                }
                pairCount &+= 1
                if pairCount > pairsMax { return }
                let field = table.find(FormReader.name(in: text, at: &index))
                guard let field else {
                    FormReader.skipValue(in: text, at: &index)
                    continue
                }
                let start = out.count
                let isASCII = FormReader.value(in: text, at: &index, to: &out)
                let range = ByteRange(start: base + start, count: out.count - start)
                pairs.append(Fields.Pair(name: field, value: range, isValid: isASCII))
            }
        }
    }

    /// Reads up to the `=`, which it passes, or the end of the pair.
    @inline(__always)
    private static func name(in text: Span<UInt8>, at index: inout Int) -> ShortName {
        var name = ShortName()
        while index < text.count {
            let byte = text[index]
            if byte == UInt8(ascii: "&") { break }
            if byte == UInt8(ascii: "=") {
                index &+= 1
                break
            }
            name.append(unescape(byte, in: text, at: &index))
        }
        return name
    }

    private static func skipValue(in text: Span<UInt8>, at index: inout Int) {
        while index < text.count, text[index] != UInt8(ascii: "&") { index &+= 1 }
    }

    /// Reads up to the end of the pair. Whether all of it is ASCII.
    @inline(__always)
    private static func value(
        in text: Span<UInt8>, at index: inout Int, to out: inout OutputSpan<UInt8>
    ) -> Bool {
        var seen: UInt8 = 0
        while index < text.count {
            let byte = text[index]
            if byte == UInt8(ascii: "&") { break }
            let decoded = unescape(byte, in: text, at: &index)
            seen |= decoded
            out.append(decoded)
        }
        return seen < 0x80
    }

    /// The byte that the escape at `index` stands for, or the byte itself; passes it.
    @inline(__always)
    private static func unescape(
        _ byte: UInt8, in text: Span<UInt8>, at index: inout Int
    ) -> UInt8 {
        index &+= 1
        if byte == UInt8(ascii: "+") { return UInt8(ascii: " ") }
        guard byte == UInt8(ascii: "%") else { return byte }
        return Percent.decoded(in: text, after: &index) ?? byte
    }
}

/// `%` and two hexadecimal digits.
enum Percent {
    /// The byte that the two digits at `index` stand for; passes them. Nil if they are none.
    static func decoded(in text: Span<UInt8>, after index: inout Int) -> UInt8? {
        guard index &+ 1 < text.count, let high = digit(text[index]),
            let low = digit(text[index &+ 1])
        else { return nil }
        index &+= 2
        return high &<< 4 | low
    }

    static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte &- UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte &- UInt8(ascii: "a") &+ 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte &- UInt8(ascii: "A") &+ 10
        default: nil
        }
    }
}
