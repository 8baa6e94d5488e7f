import DiscoveryCore

/// Reads the metadata of an instance: a JSON object of strings, sent as text.
///
/// The usual case, plain strings without escapes, is read here, because Foundation takes longer for
/// it than all the rest of a register; everything else goes to `JSONReader`.
enum MetadataReader {
    enum Outcome: Equatable {
        /// No text at all.
        case nothing
        /// `null`, which nodes of the reference send for none.
        case null
        case entries([InstanceContent.Entry])
    }

    static func read(_ text: Span<UInt8>, _ limits: WireLimits) throws(Rejection) -> Outcome {
        if text.isEmpty { return .nothing }
        if text.holds("null") { return .null }
        guard let entries = plainEntries(text, limits.metadataEntriesMax) else {
            return try JSONReader.metadata(text, limits)
        }
        return .entries(entries)
    }

    /// Nil if it is anything else than an object of strings without escapes, or has too many.
    static func plainEntries(_ text: Span<UInt8>, _ countMax: Int) -> [InstanceContent.Entry]? {
        var index = 0
        var entries: [InstanceContent.Entry] = []
        guard take("{", text, &index) else { return nil }
        if take("}", text, &index) { return atEnd(text, index) ? [] : nil }
        while entries.count < countMax {
            guard let key = string(text, &index), take(":", text, &index),
                let value = string(text, &index)
            else { return nil }
            entries.append(InstanceContent.Entry(key: key, value: value))
            if take(",", text, &index) { continue }
            return take("}", text, &index) && atEnd(text, index) ? entries : nil
        }
        return nil
    }

    private static func skipSpace(_ text: Span<UInt8>, _ index: inout Int) {
        while index < text.count {
            switch text[index] {
            case 0x20, 0x09, 0x0A, 0x0D: index &+= 1
            default: return
            }
        }
    }

    private static func atEnd(_ text: Span<UInt8>, _ start: Int) -> Bool {
        var index = start
        skipSpace(text, &index)
        return index == text.count
    }

    private static func take(
        _ scalar: Unicode.Scalar, _ text: Span<UInt8>, _ index: inout Int
    ) -> Bool {
        skipSpace(text, &index)
        guard index < text.count, text[index] == UInt8(ascii: scalar) else { return false }
        index &+= 1
        return true
    }

    /// The text is valid UTF-8 already, so only quotes, escapes and control characters matter.
    private static func string(_ text: Span<UInt8>, _ index: inout Int) -> [UInt8]? {
        guard take("\"", text, &index) else { return nil }
        let start = index
        while index < text.count, text[index] != UInt8(ascii: "\"") {
            if text[index] < 0x20 || text[index] == UInt8(ascii: "\\") { return nil }
            index &+= 1
        }
        guard index < text.count else { return nil }
        let value = text.extracting(start..<index)
        index &+= 1
        return [UInt8](capacity: value.count) { out in out.write(value) }
    }
}
