import Testing

@testable import Discovery

/// TOMLKit 0.6.0 aborts on these; seeded mutations found them.
@Suite struct ParserTrapsTests {
    static let name = "a table's name begins with a letter, a digit, _, - or a quote"
    static let array = "an array holds values, and ends with ]"

    @Test(
        arguments: [
            ("[\u{e9}]", 1, 2, name), ("[", 1, 2, name), ("\n [[ .a]]", 2, 5, name),
            ("\u{feff}[=]", 1, 3, name), ("[\r\n]", 1, 2, name), ("[\u{1}]", 1, 2, name),
            ("a = [}", 1, 6, array), ("a = [1, # ]\n }]", 2, 2, array),
            ("a = [{b = 1}, {c = [}]}]", 1, 21, array), ("a = [\"]\", ']', }", 1, 16, array),
            ("a = [\"\"\"\n\\\"\"\" ]\"\"\" }", 2, 11, array),
        ] as [(String, Int, Int, String)])
    func `what aborts the parser is refused before it`(_ row: (String, Int, Int, String)) {
        let finding = ParserTraps.find(in: row.0)
        #expect(finding == .init(line: row.1, column: row.2, reason: row.3))
        #expect(
            Samples.complaint(about: row.0)
                == "sample.toml: line \(row.1), column \(row.2): not TOML: \(row.3)")
    }

    @Test(arguments: [
        "", "a = {b = [1, {c = 2}]}", "[a]\n[[ b ]]\n[ \"c d\".e]\n['f']\n[-]",
        "a = [\n[1],\n[2]\n]", "a = '''\n[\u{e9}\n}'''", "a = \"\"\"\n[\u{e9}\n\\\n}\"\"\"",
        "# [\u{e9}", "a = \"[}\" # [}", "a = ['}']", "}", "[]", "a = '\\'\nb = [1]",
        "\u{feff}[a]",
    ])
    func `what the parser can judge is left to it`(_ text: String) {
        #expect(ParserTraps.find(in: text) == nil)
        _ = Samples.complaint(about: text)
    }
}
