/// Finds what would abort the TOML parser, so that it is an error with a place instead.
///
/// The toml++ of TOMLKit 0.6.0 asserts where it believes that it has looked before: in `parse_key`
/// for a header like `[é]`, in `parse_value` for `}` inside of an array. Seeded mutations found
/// both. To be deleted when ConfigurationErrorTests passes without it.
struct ParserTraps {
    /// A place in the text, counted from 1, and why it is not TOML.
    struct Finding: Equatable {
        var line: Int
        var column: Int
        var reason: String
    }

    private enum State: Equatable {
        case code
        case comment
        case string(quote: Unicode.Scalar, isMultiline: Bool)
    }

    private let scalars: [Unicode.Scalar]
    private var index = 0
    private var line = 1
    private var lineStart = 0
    private var state = State.code
    /// Brackets and braces that are open; a header stands where there are none.
    private var open: [Unicode.Scalar] = []
    /// Whether only blanks came before on this line.
    private var isAtLineStart = true

    private init(_ text: String) {
        scalars = Array(text.unicodeScalars)
        if scalars.first == "\u{feff}" { index = 1 }
    }

    /// The first trap in the text, or nil.
    ///
    /// Reads on after what is not TOML for another reason: the parser stops there by itself.
    static func find(in text: String) -> Finding? {
        var scan = ParserTraps(text)
        while scan.index < scan.scalars.count {
            if let finding = scan.step() { return finding }
        }
        return nil
    }

    private mutating func step() -> Finding? {
        let scalar = scalars[index]
        if scalar == "\n" {
            endLine()
            return nil
        }
        switch state {
        case .comment: index += 1
        case .string(let quote, let isMultiline):
            stepInString(scalar, quote: quote, isMultiline: isMultiline)
        case .code:
            let finding = stepInCode(scalar)
            if scalar != " ", scalar != "\t" { isAtLineStart = false }
            return finding
        }
        return nil
    }

    private mutating func endLine() {
        index += 1
        line += 1
        lineStart = index
        isAtLineStart = true
        switch state {
        case .string(_, isMultiline: true): return
        case .code, .comment, .string: state = .code
        }
    }

    private mutating func stepInString(
        _ scalar: Unicode.Scalar, quote: Unicode.Scalar, isMultiline: Bool
    ) {
        if scalar == "\\", quote == "\"" {
            // The escaped scalar belongs to the string, but a line feed ends the line.
            index += index + 1 < scalars.count && scalars[index + 1] != "\n" ? 2 : 1
        } else if scalar == quote, !isMultiline || isTriple(quote) {
            state = .code
            index += isMultiline ? 3 : 1
        } else {
            index += 1
        }
    }

    private mutating func stepInCode(_ scalar: Unicode.Scalar) -> Finding? {
        switch scalar {
        case "#": state = .comment
        case "\"", "'":
            let isMultiline = isTriple(scalar)
            state = .string(quote: scalar, isMultiline: isMultiline)
            index += isMultiline ? 3 : 1
            return nil
        case "[" where open.isEmpty && isAtLineStart: return stepIntoHeader()
        case "[", "{": open.append(scalar)
        case "]": _ = open.popLast()
        case "}":
            if open.last == "[" {
                return finding(at: index, "an array holds values, and ends with ]")
            }
            _ = open.popLast()
        default: break
        }
        index += 1
        return nil
    }

    private mutating func stepIntoHeader() -> Finding? {
        var next = skipBlanks(from: index + 1)
        if next < scalars.count, scalars[next] == "[" { next = skipBlanks(from: next + 1) }
        guard next < scalars.count, canBeginName(scalars[next]) else {
            return finding(
                at: next, "a table's name begins with a letter, a digit, _, - or a quote")
        }
        open.append("[")
        index = next
        return nil
    }

    private func skipBlanks(from start: Int) -> Int {
        var next = start
        while next < scalars.count, scalars[next] == " " || scalars[next] == "\t" { next += 1 }
        return next
    }

    /// An empty name is left to the parser: it refuses `[]` properly.
    private func canBeginName(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "a"..."z", "A"..."Z", "0"..."9", "_", "-", "\"", "'", "]": true
        default: false
        }
    }

    private func isTriple(_ quote: Unicode.Scalar) -> Bool {
        index + 2 < scalars.count && scalars[index + 1] == quote && scalars[index + 2] == quote
    }

    private func finding(at place: Int, _ reason: String) -> Finding {
        Finding(line: line, column: place - lineStart + 1, reason: reason)
    }
}
