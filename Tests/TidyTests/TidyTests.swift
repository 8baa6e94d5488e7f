import Testing

/// The repository's own rules, held against every file in it.
@Suite struct TidyTests {
    @Test func `lines and files are short enough to read`() throws {
        try check(Rules.length)
    }

    @Test func `modules import only what their place allows`() throws {
        try check(Rules.imports)
    }

    @Test func `Core reads no clock, draws no lots and waits for nobody`() throws {
        try check(Rules.purity)
    }

    @Test func `nothing is left for later and no error is waved away`() throws {
        try check(Rules.debt)
    }

    @Test func `no path of somebody's machine is written down`() throws {
        try check(Rules.places)
    }

    @Test func `every file is of use`() throws {
        let files = try SourceTree.files()
        report(
            TreeRules.placeholders(files) + TreeRules.empty(files) + TreeRules.unreferenced(files))
    }

    @Test func `every file that may import Foundation exists`() throws {
        let files = try SourceTree.files()
        for path in Rules.foundationFiles.keys.sorted() {
            // Until the first file of a folder is written its placeholder stands for it.
            let folder = SourceFile(path: path, text: "").folder
            let waiting = files.contains { $0.path == "\(folder)/Placeholder.swift" }
            guard !waiting, !files.contains(where: { $0.path == path }) else { continue }
            report([
                Violation(path: path, line: 0, remedy: "gone: strike it from Rules.foundationFiles")
            ])
        }
    }

    @Test func `the program in the READMEs is the one that is compiled`() throws {
        let files = try SourceTree.files()
        let program = try #require(files.first { $0.path == "Tests/ClientExample/Shop.swift" })
        let block = ["```swift"] + program.lines + ["```"]
        for readme in files where readme.name.hasPrefix("README") && readme.folder.isEmpty {
            #expect(readme.lines.firstRange(of: block) != nil, "\(readme.path) has another one")
        }
    }

    @Test func `every mutation still has its text to break, once`() throws {
        report(TreeRules.mutations(try SourceTree.files()))
    }

    private func check(_ rule: (SourceFile) -> [Violation]) throws {
        let files = try SourceTree.files()
        #expect(files.contains { $0.path == "Package.swift" })
        report(files.flatMap(rule))
    }

    private func report(_ violations: [Violation]) {
        for violation in violations { Issue.record("\(violation)") }
    }
}
