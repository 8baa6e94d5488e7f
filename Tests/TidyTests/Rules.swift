/// A place that breaks a rule, and what to do about it.
struct Violation: Sendable, Equatable, CustomStringConvertible {
    var path: String
    /// From 1; 0 for the file as a whole.
    var line: Int
    var remedy: String

    var description: String { "\(path):\(line): \(remedy)" }
}

/// The repository's own rules about single files. Each is a pure function of the file.
enum Rules {
    static let columnsMax = 100
    static let swiftLinesMax = 400

    /// Foundation is large and slow to start: a file that needs it is listed here with a reason.
    static let foundationFiles: [String: String] = [
        "Sources/Discovery/Wire/JSONReader.swift": "reads JSON with JSONSerialization"
    ]

    /// Core is a function of its inputs: what reads a clock, waits, draws lots or prints stays
    /// outside, and so does arithmetic that two machines might round differently.
    static let wordsBannedInCore = [
        "Date", "Clock", "ContinuousClock", "SuspendingClock", "Task", "async", "await", "print",
        "unsafe", "Hasher", "Float", "Double",
    ]

    static func length(_ file: SourceFile) -> [Violation] {
        var violations: [Violation] = []
        for (index, line) in file.lines.enumerated() where line.count > columnsMax {
            // Recorded bytes and tables in prose cannot be wrapped.
            guard file.isSwift || !file.path.hasSuffix(".md") else { continue }
            guard !file.path.contains("/Fixtures/"), !file.path.contains("/Golden/") else {
                continue
            }
            guard !file.path.hasSuffix(".json") else { continue }
            violations.append(
                Violation(
                    path: file.path, line: index + 1,
                    remedy: "\(line.count) columns: wrap the line at \(columnsMax)"))
        }
        if file.isSwift, file.lines.count > swiftLinesMax {
            violations.append(
                Violation(
                    path: file.path, line: swiftLinesMax + 1,
                    remedy: "\(file.lines.count) lines: split the file by what its parts do, "
                        + "\(swiftLinesMax) is the limit"))
        }
        return violations
    }

    static func imports(_ file: SourceFile) -> [Violation] {
        guard file.isSwift, file.isUnder("Sources") else { return [] }
        return matches(file) { code in
            guard let module = importedModule(code) else { return nil }
            if file.isUnder("Sources/Discovery/Core") {
                return "Core imports nothing: pass in what \(module) would give"
            }
            if module == "CLibevent", !file.isUnder("Sources/Discovery/HTTP") {
                return "only Sources/Discovery/HTTP may import CLibevent: ask HTTP for it"
            }
            if module.hasPrefix("Foundation"), foundationFiles[file.path] == nil {
                return "Foundation is not for this file: use Glibc or the standard library, or "
                    + "list the file with its reason in Rules.foundationFiles"
            }
            return nil
        }
    }

    static func purity(_ file: SourceFile) -> [Violation] {
        guard file.isSwift, file.isUnder("Sources/Discovery/Core") else { return [] }
        return matches(file) { code in
            for word in wordsBannedInCore where containsWord(word, in: code) {
                return "\(word) has no place in Core: pass in what it would give"
            }
            if endsWord(".now", in: code) {
                return "Core reads no clock: take the moment as a parameter"
            }
            if code.contains(".random("), !code.contains("using:") {
                return "Core draws no lots of its own: pass a generator with using:"
            }
            return nil
        }
    }

    static func debt(_ file: SourceFile) -> [Violation] {
        // Put together here, so that this file does not break its own rule.
        let notes = ["TO" + "DO", "FIX" + "ME", "XX" + "X"]
        var violations: [Violation] = []
        for (index, line) in file.lines.enumerated() {
            for note in notes where containsWord(note, in: line) {
                violations.append(
                    Violation(
                        path: file.path, line: index + 1,
                        remedy: "\(note): do it now, or leave it out"))
            }
        }
        guard file.isSwift else { return violations }
        return violations
            + matches(file) { code in
                if code.contains("try" + "!") || code.contains("try" + "?") {
                    return "handle the error: no try with a mark"
                }
                if code.contains("@unchecked Sendable") {
                    return "@unchecked Sendable: make it a value, or guard it with a Mutex"
                }
                if file.isUnder("Sources"), containsWord("print", in: code) {
                    return "print: log it, or write it to a StandardStream"
                }
                if code.contains("fatalError()") {
                    return "fatalError() says nothing: give it a sentence"
                }
                return nil
            }
    }

    /// Put together here, so that no file writes one down.
    static let machinePlaces = ["tmp", "root", "home"].map { "/\($0)/" }

    static func places(_ file: SourceFile) -> [Violation] {
        guard !file.isUnder("Tests"), !file.isUnder("bench") else { return [] }
        var violations: [Violation] = []
        for (index, line) in file.lines.enumerated() {
            for place in machinePlaces where line.contains(place) {
                violations.append(
                    Violation(
                        path: file.path, line: index + 1,
                        remedy: "\(place) exists on your machine: take the place as a parameter"))
            }
        }
        return violations
    }

    // MARK: Reading code

    private static func matches(
        _ file: SourceFile, remedy: (String) -> String?
    ) -> [Violation] {
        file.code.enumerated().compactMap { index, code in
            remedy(code).map { Violation(path: file.path, line: index + 1, remedy: $0) }
        }
    }

    /// The module that a line imports, however the import is decorated.
    static func importedModule(_ code: String) -> String? {
        let words = code.split { $0 == " " || $0 == "\t" }
        guard let index = words.firstIndex(of: "import"), index + 1 < words.count,
            words[..<index].allSatisfy({ decorations.contains($0) || $0.hasPrefix("@") })
        else { return nil }
        let kinds = ["struct", "class", "enum", "protocol", "func", "var", "let", "typealias"]
        let next = kinds.contains(String(words[index + 1])) ? index + 2 : index + 1
        guard next < words.count else { return nil }
        return words[next].split(separator: ".").first.map(String.init)
    }

    private static let decorations: Set<Substring> = [
        "public", "package", "internal", "fileprivate", "private",
    ]

    static func containsWord(_ word: String, in line: String) -> Bool {
        line.ranges(of: word).contains { range in
            let before = line[..<range.lowerBound].last
            let after = line[range.upperBound...].first
            return !(before.map(isWordCharacter) ?? false) && !(after.map(isWordCharacter) ?? false)
        }
    }

    private static func endsWord(_ word: String, in line: String) -> Bool {
        line.ranges(of: word).contains { range in
            !(line[range.upperBound...].first.map(isWordCharacter) ?? false)
        }
    }

    private static func isWordCharacter(_ character: Character) -> Bool {
        character.isLetter || character.isNumber || character == "_"
    }
}
