/// Swift text with its comments and the content of its string literals blanked out.
///
/// Interpolations are blanked too: a rule about code does not see inside of them.
enum CodeView {
    private enum State {
        case code
        case lineComment
        case blockComment(depth: Int)
        case string(hashes: Int, multiline: Bool)
    }

    /// As many lines as the text has.
    static func lines(of text: String) -> [String] {
        let characters = Array(text.unicodeScalars)
        var view = String.UnicodeScalarView()
        var state = State.code
        var index = 0

        func matches(_ word: String, at place: Int) -> Bool {
            var next = place
            for scalar in word.unicodeScalars {
                guard next < characters.count, characters[next] == scalar else { return false }
                next += 1
            }
            return true
        }

        while index < characters.count {
            var step = 1
            switch state {
            case .code:
                if matches("//", at: index) {
                    state = .lineComment
                } else if matches("/*", at: index) {
                    state = .blockComment(depth: 1)
                    step = 2
                } else if let opening = opening(characters, at: index) {
                    state = .string(hashes: opening.hashes, multiline: opening.multiline)
                    step = opening.length
                } else {
                    view.append(characters[index])
                }
            case .lineComment:
                if characters[index] == "\n" {
                    state = .code
                    view.append("\n")
                }
            case .blockComment(let depth):
                if characters[index] == "\n" {
                    view.append("\n")
                } else if matches("/*", at: index) {
                    state = .blockComment(depth: depth + 1)
                    step = 2
                } else if matches("*/", at: index) {
                    state = depth == 1 ? .code : .blockComment(depth: depth - 1)
                    step = 2
                }
            case .string(let hashes, let multiline):
                let marks = String(repeating: "#", count: hashes)
                let end = (multiline ? "\"\"\"" : "\"") + marks
                if characters[index] == "\n" {
                    view.append("\n")
                    // A one-line literal ends here whatever it holds.
                    if !multiline { state = .code }
                } else if matches("\\" + marks, at: index) {
                    let next = index + 1 + hashes
                    step = next < characters.count && characters[next] == "\n" ? 1 : 2 + hashes
                } else if matches(end, at: index) {
                    view.append("\"")
                    state = .code
                    step = end.unicodeScalars.count
                }
            }
            index += step
        }
        return String(view).split(separator: "\n", omittingEmptySubsequences: false)
            .map(String.init)
    }

    private static func opening(
        _ characters: [Unicode.Scalar], at start: Int
    ) -> (hashes: Int, multiline: Bool, length: Int)? {
        var index = start
        while index < characters.count, characters[index] == "#" { index += 1 }
        guard index < characters.count, characters[index] == "\"" else { return nil }
        let hashes = index - start
        let multiline =
            index + 2 < characters.count && characters[index + 1] == "\""
            && characters[index + 2] == "\""
        return (hashes, multiline, hashes + (multiline ? 3 : 1))
    }
}
