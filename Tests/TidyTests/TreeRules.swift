/// Rules about files among others.
enum TreeRules {
    /// A placeholder holds a folder open until the first file; after that it is dead.
    static func placeholders(_ files: [SourceFile]) -> [Violation] {
        files.filter { $0.name == "Placeholder.swift" }.compactMap { placeholder in
            let others = files.contains { file in
                file.isSwift && file.isUnder(placeholder.folder) && file.path != placeholder.path
            }
            guard others else { return nil }
            return Violation(
                path: placeholder.path, line: 0, remedy: "the folder has files now: delete this one"
            )
        }
    }

    /// Swift files without a line of code.
    static func empty(_ files: [SourceFile]) -> [Violation] {
        files.filter { $0.isSwift && $0.name != "Placeholder.swift" }.compactMap { file in
            let hasCode = file.code.contains { line in line.contains { !$0.isWhitespace } }
            guard !hasCode else { return nil }
            return Violation(path: file.path, line: 0, remedy: "no code in it: delete the file")
        }
    }

    /// Configurations, documents, fixtures and scripts that nothing names.
    static func unreferenced(_ files: [SourceFile]) -> [Violation] {
        let text = files.map { (path: $0.path, text: $0.lines.joined(separator: "\n")) }
        return files.filter { file in
            ["config", "docs", "examples"].contains { file.isUnder($0) }
                || file.path.contains("/Fixtures/")
        }.compactMap { file in
            // A folder that is read whole is named instead of its files.
            let folder = file.folder.split(separator: "/").last.map { "\($0)/" } ?? ""
            let named = text.contains { other in
                other.path != file.path
                    && (other.text.contains(file.name)
                        || (!["config/", "docs/", "Fixtures/"].contains(folder)
                            && other.text.contains(folder)))
            }
            guard !named else { return nil }
            return Violation(
                path: file.path, line: 0,
                remedy: "no other file names it: use it, mention it or delete it")
        }
    }

    /// Descriptions of faults in Tests/Mutations: one line, the file, what is there, what becomes
    /// of it. `make mutations` takes half an hour; that they still fit is seen at once.
    static func mutations(_ files: [SourceFile]) -> [Violation] {
        files.filter { $0.isUnder("Tests/Mutations") && $0.path.hasSuffix(".txt") }
            .compactMap { mutation in
                let parts = mutation.lines.split { $0.hasPrefix("=== ") }
                let heads = mutation.lines.filter { $0.hasPrefix("=== ") }
                guard heads == ["=== is", "=== becomes"], parts.count >= 2, parts[0].count == 2,
                    let target = files.first(where: { $0.path == mutation.lines[1] })
                else {
                    return Violation(
                        path: mutation.path, line: 0,
                        remedy: "want what it breaks, a file, === is, === becomes")
                }
                let old = parts[1].joined(separator: "\n")
                let count = target.lines.joined(separator: "\n").ranges(of: old).count
                guard count != 1 else { return nil }
                return Violation(
                    path: mutation.path, line: 0,
                    remedy: "its text is \(count) times in \(target.path): want it once")
            }
    }
}
