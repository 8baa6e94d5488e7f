import Testing

/// The rules find what they are for, and only that.
@Suite struct RulesTests {
    private func lines(
        _ rule: (SourceFile) -> [Violation], _ path: String, _ text: String
    ) -> [Int] {
        rule(SourceFile(path: path, text: text)).map(\.line)
    }

    @Test func `code is seen without comments and literals`() {
        let text = ##"""
            let a = 1 // Task
            /* Task /* Task */
            Task */ let b = "Task \" Task"
            let c = #"Task " \" Task"# + """
              Task \""" Task
              """
            Task()
            """##
        #expect(
            CodeView.lines(of: text) == [
                "let a = 1 ", "", " let b = \"", "let c = \" + ", "", "\"", "Task()",
            ])
    }

    @Test func `long lines and long files are found`() {
        let long = String(repeating: "x", count: 101)
        let limit = String(repeating: "ä", count: 100)
        #expect(lines(Rules.length, "Sources/A.swift", "\(limit)\n\(long)\n") == [2])
        #expect(lines(Rules.length, "docs/A.md", long) == [])
        let many = String(repeating: "x\n", count: 401)
        #expect(lines(Rules.length, "Sources/A.swift", many) == [401])
        #expect(lines(Rules.length, "Sources/A.swift", String(many.dropLast(2))) == [])
    }

    @Test func `imports out of place are found`() {
        let core = "Sources/Discovery/Core/A.swift"
        #expect(lines(Rules.imports, core, "// import X\npublic import Glibc\n") == [2])
        let server = "Sources/Discovery/Server/A.swift"
        #expect(lines(Rules.imports, server, "import CLibevent") == [1])
        #expect(lines(Rules.imports, server, "@preconcurrency import CLibevent") == [1])
        #expect(lines(Rules.imports, server, "import struct Foundation.URL\nimport Glibc") == [1])
        #expect(lines(Rules.imports, server, "import FoundationEssentials") == [1])
        #expect(lines(Rules.imports, "Sources/Discovery/HTTP/A.swift", "import CLibevent") == [])
        #expect(
            lines(Rules.imports, "Sources/Discovery/Wire/JSONReader.swift", "import Foundation")
                == [])
    }

    @Test func `impure words are found in Core only`() {
        let text = """
            let taskCount = 1
            let x: Double = 0
            let y = ContinuousClock.now
            let z = Int.random(in: 0...1)
            let w = Int.random(in: 0...1, using: &generator)
            let v = moment.nowNanoseconds
            let u = input.now
            """
        #expect(lines(Rules.purity, "Sources/Discovery/Core/A.swift", text) == [2, 3, 4, 7])
        #expect(lines(Rules.purity, "Sources/Discovery/Wire/A.swift", text) == [])
    }

    @Test func `debts are found`() {
        let mark = "TO" + "DO"
        #expect(lines(Rules.debt, "Makefile", "# \(mark): x\n# \(mark)S\n") == [1])
        let text = """
            let a = try? x()
            let b = try! x()
            final class C: @unchecked Sendable {}
            fatalError()
            fatalError("a sentence")
            // try? in a comment
            print("x")
            """
        #expect(lines(Rules.debt, "Sources/A.swift", text) == [1, 2, 3, 4, 7])
        #expect(lines(Rules.debt, "bench/A.swift", text) == [1, 2, 3, 4])
    }

    @Test func `places of one machine are found`() {
        #expect(lines(Rules.places, "docs/A.md", "a\nls \(Rules.machinePlaces[0])x\n") == [2])
        #expect(lines(Rules.places, "Tests/A.swift", Rules.machinePlaces[0]) == [])
    }

    @Test func `mutations that fit nowhere, or twice, are found`() {
        func mutation(_ name: String, _ old: String) -> SourceFile {
            SourceFile(
                path: "Tests/Mutations/\(name).txt",
                text: "Breaks it.\nSources/A.swift\n=== is\n\(old)\n=== becomes\nx\n")
        }
        let files = [
            SourceFile(path: "Sources/A.swift", text: "let a = 1\nlet b = 1\n"),
            mutation("fits", "let a = 1\nlet b"), mutation("gone", "let c"),
            mutation("twice", "= 1"),
            SourceFile(path: "Tests/Mutations/broken.txt", text: "Breaks it.\n"),
        ]
        let found = TreeRules.mutations(files).map(\.path)
        #expect(found == ["gone", "twice", "broken"].map { "Tests/Mutations/\($0).txt" })
    }

    @Test func `dead files are found`() {
        let files = [
            SourceFile(path: "Sources/A/Placeholder.swift", text: "enum A {}"),
            SourceFile(path: "Sources/A/Deep/B.swift", text: "enum B {}"),
            SourceFile(path: "Sources/C/Placeholder.swift", text: "enum C {}"),
            SourceFile(path: "Sources/D/D.swift", text: "// nothing\n"),
            SourceFile(path: "config/used.toml", text: ""),
            SourceFile(path: "config/unused.toml", text: ""),
            SourceFile(path: "Makefile", text: "run --config config/used.toml"),
        ]
        #expect(TreeRules.placeholders(files).map(\.path) == ["Sources/A/Placeholder.swift"])
        #expect(TreeRules.empty(files).map(\.path) == ["Sources/D/D.swift"])
        #expect(TreeRules.unreferenced(files).map(\.path) == ["config/unused.toml"])
    }

    @Test func `a violation says where it is and what to do`() {
        let violation = Rules.imports(
            SourceFile(path: "Sources/Discovery/Server/A.swift", text: "import CLibevent"))
        #expect(
            violation.map(\.description) == [
                "Sources/Discovery/Server/A.swift:1: only Sources/Discovery/HTTP may import "
                    + "CLibevent: ask HTTP for it"
            ])
    }
}
