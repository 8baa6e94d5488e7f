/// Quotes input in messages: short and printable, because it goes to logs and terminals.
package enum Message {
    /// Bytes of input one message may repeat.
    static let quoteBytesMax = 64

    static func quote(_ bytes: Span<UInt8>, bytesMax: Int = quoteBytesMax) -> String {
        if bytes.isEmpty { return "nothing" }
        var end = min(bytes.count, bytesMax)
        // Not inside a character.
        while end > 0, end < bytes.count, bytes[end] & 0xC0 == 0x80 { end -= 1 }
        var kept: [UInt8] = []
        for index in 0..<end { kept.append(bytes[index]) }
        let text = shown(String(decoding: kept, as: UTF8.self))
        return end < bytes.count ? text + "..." : text
    }

    /// For terminals: as it is, but for what would move the cursor or hide itself.
    package static func shown(_ text: String) -> String {
        var shown = ""
        for scalar in text.unicodeScalars {
            shown.unicodeScalars.append(isPrintable(scalar) ? scalar : "?")
        }
        return shown
    }

    static func quote(_ text: String) -> String { quote(Array(text.utf8).span) }

    private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned,
            .surrogate:
            false
        default: true
        }
    }
}
