/// A value as a file, a flag or the environment gives it, before any rule.
enum SettingValue: Sendable, Equatable, CustomStringConvertible {
    case string(String)
    case integer(Int)
    case boolean(Bool)
    case list([SettingValue])
    /// A table inside of a table; only ever accepted where the content does not matter.
    case table
    /// A number with a fraction, a date or a time: nothing here has such a value.
    case other(String)

    /// Found values are quoted in errors; longer ones are cut.
    static let descriptionCharactersMax = 80

    /// As TOML would spell it, cut when long.
    var description: String {
        let text =
            switch self {
            case .string(let text): Self.quoted(text)
            case .integer(let number): "\(number)"
            case .boolean(let flag): "\(flag)"
            case .list(let items): "[" + items.map(\.description).joined(separator: ", ") + "]"
            case .table: "a table"
            case .other(let kind): "a \(kind)"
            }
        guard text.count > Self.descriptionCharactersMax else { return text }
        return text.prefix(Self.descriptionCharactersMax) + "..."
    }

    /// The string in quotes, control characters and quotes escaped.
    static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": quoted += "\\\(scalar)"
            case "\n": quoted += "\\n"
            case "\t": quoted += "\\t"
            case "\r": quoted += "\\r"
            case _ where scalar.value < 0x20 || scalar.value == 0x7f:
                let digits = String(scalar.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}

/// Durations as the reference writes them: a whole number and a unit.
enum DurationText {
    /// `"250ms"`, `"40s"`, `"2m"`, `"1h"`, `"0"`, and sums like `"1m20s"`; nil for anything else.
    static func milliseconds(_ text: String) -> Int? {
        if text == "0" { return 0 }
        guard !text.isEmpty else { return nil }
        var rest = text.utf8[...]
        var total = 0
        while !rest.isEmpty {
            let digits = rest.prefix { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
            rest = rest[digits.endIndex...]
            let unit = rest.prefix { $0 < UInt8(ascii: "0") || $0 > UInt8(ascii: "9") }
            rest = rest[unit.endIndex...]
            guard let count = Int(Substring(digits)), let scale = scale(of: Substring(unit))
            else { return nil }
            let (product, multiplied) = count.multipliedReportingOverflow(by: scale)
            let (sum, added) = total.addingReportingOverflow(product)
            guard !multiplied, !added else { return nil }
            total = sum
        }
        return total
    }

    /// The shortest text with one unit: `40s` for 40,000.
    static func text(milliseconds: Int) -> String {
        if milliseconds == 0 { return "0s" }
        if milliseconds % 3_600_000 == 0 { return "\(milliseconds / 3_600_000)h" }
        return milliseconds % 1000 == 0 ? "\(milliseconds / 1000)s" : "\(milliseconds)ms"
    }

    private static func scale(of unit: Substring) -> Int? {
        switch unit {
        case "ms": 1
        case "s": 1000
        case "m": 60_000
        case "h": 3_600_000
        default: nil
        }
    }
}

/// Finds what was meant.
enum Spelling {
    /// Keys longer than this are not compared: the work grows with the square.
    static let bytesMax = 64

    /// The candidate with the fewest differing letters, unless it differs in more than a third.
    static func nearest(to word: String, among candidates: [String]) -> String? {
        guard word.utf8.count <= bytesMax else { return nil }
        let word = word.lowercased()
        var best: (candidate: String, distance: Int)?
        for candidate in candidates.sorted() {
            let distance = distance(Array(word.utf8), Array(candidate.lowercased().utf8))
            if distance < best?.distance ?? Int.max { best = (candidate, distance) }
        }
        guard let best, best.distance * 3 <= word.utf8.count else { return nil }
        return best.candidate
    }

    /// How many insertions, deletions and replacements make one of the other.
    static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var above = Array(0...right.count)
        for (row, byte) in left.enumerated() {
            var current = [row + 1]
            for (column, other) in right.enumerated() {
                let replaced = above[column] + (byte == other ? 0 : 1)
                current.append(min(replaced, above[column + 1] + 1, current[column] + 1))
            }
            above = current
        }
        return above[right.count]
    }
}
