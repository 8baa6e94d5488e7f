import DiscoveryWire
import Testing

@testable import Discovery

/// `discovery watch --template`, without a registry.
@Suite struct TemplateTests {
    private func row(
        _ address: String, metadata: String = "{}", scheme: String = "http", weight: Int64 = 10
    ) throws -> Template.Row? {
        let json =
            #"{"zone":"sh001","hostname":"h1","version":"v1","addrs":["\#(address)"],"#
            + #""metadata":\#(metadata)}"#
        return Template.Row(
            app: "a", try JSONTree.read(Array(json.utf8).span, "it"), weight: weight,
            scheme: scheme)
    }

    private func filled(
        _ text: String, _ rows: [Template.Row?], isRaw: Bool = false
    ) -> Template.Filled {
        Template(text, apps: ["a"]).filled(["a": rows.compactMap { $0 }], isRaw: isRaw)
    }

    @Test func `words are those of the first address with the scheme`() throws {
        let row = try #require(try row("http://10.0.0.1:80/x?y", weight: 7))
        #expect(row.words["host"] == "10.0.0.1" && row.words["port"] == "80")
        #expect(row.words["weight"] == "7" && row.words["version"] == "v1")
        #expect(try self.row("grpc://10.0.0.1:80") == nil)
        for address in ["http://10.0.0.1", "http://h:0", "http://:80", "http://0.0.0.0:80"] {
            #expect(try self.row(address) == nil, "\(address)")
        }
        #expect(try self.row("grpc://10.0.0.1:80", scheme: "grpc") != nil)
    }

    @Test func `an IPv6 host keeps its brackets`() throws {
        #expect(try row("http://[::1]:80")?.words["host"] == "[::1]")
    }

    @Test func `a part stands for each instance, blanks in words count nothing`() throws {
        let rows = [try row("http://h:1"), try row("http://h:2")]
        let text = "x\n  {{ each a }}\n{{host}}:{{ port }};\n{{ end }}\ny"
        #expect(filled(text, rows).text == "x\nh:1;\nh:2;\ny")
        #expect(
            filled(text.split(separator: "\n").joined(separator: "\r\n"), rows).text
                == "x\nh:1;\nh:2;\ny")
    }

    @Test func `what a provider chose does not write the file`() throws {
        let evil = try row(
            "http://h:1", metadata: #"{"note":"x; } server { listen 1; "}"#)
        let good = try row("http://h:2", metadata: #"{"note":"ok"}"#)
        let text = "{{each a}}\n{{port}} {{meta note}}\n{{end}}"
        let found = filled(text, [evil, good])
        #expect(found.text == "2 ok")
        #expect(found.leftOut == ["a h1: {{meta note}} holds x; } server { listen 1; "])
        #expect(filled(text, [evil], isRaw: true).text == "1 x; } server { listen 1; ")
        // Words that are not used may hold anything.
        #expect(filled("{{each a}}\n{{port}}\n{{end}}", [evil]).text == "1")
    }

    @Test func `what a provider left out does not spoil the file`() throws {
        let text = "{{each a}}\n{{port}} weight={{meta w}};\n{{end}}"
        let rows = [try row("http://h:1"), try row("http://h:2", metadata: #"{"w":"3"}"#)]
        let found = filled(text, rows)
        #expect(found.text == "2 weight=3;")
        #expect(found.leftOut == ["a h1: {{meta w}} is empty"])
        #expect(filled(text, rows, isRaw: true).text == "1 weight=;\n2 weight=3;")
    }

    @Test func `a part that would be empty is said`() {
        #expect(filled("{{each a}}\n{{port}}\n{{end}}", []).emptyApps == ["a"])
    }

    @Test(arguments: [
        ("{{each other}}\n{{end}}", "line 1: found {{each other}}, allowed is a"),
        ("x\n{{end}}", "line 2: found {{end}}, allowed is {{each APPID}} before it"),
        ("{{each a}}", "line 1: found {{each a}}, allowed is {{end}} behind it"),
        ("{{port}}", "line 1: found {{port}}, allowed is {{each APPID}}, and words behind it"),
        (
            "{{each a}}\n{{each a}}\n{{end}}",
            "line 2: found {{each a}}, allowed is {{end}} of the one before"
        ),
        (
            "{{each a}}\n{{hots}}\n{{end}}",
            "line 2: found {{hots}}, allowed is appid, zone, hostname, version, scheme, host, "
                + "port, weight and meta KEY"
        ),
    ])
    func `what is wrong in it is said: the line, what was found, what is allowed`(
        _ text: String, _ problem: String
    ) {
        #expect(Template(text, apps: ["a"]).problem == problem)
    }

    @Test func `a table hides nothing and moves no cursor`() {
        var table = TextTable("A", "B")
        table.add("x\u{1B}[2J\n", "y")
        table.add("longer than that", "z")
        #expect(
            table.lines == [
                "A                 B", "x?[2J?            y", "longer than that  z",
            ])
    }

    @Test(arguments: [("a=b", "a", "b"), ("a=", "a", ""), ("a=b=c", "a", "b=c")])
    func `a pair is split at its first sign`(_ text: String, _ key: String, _ value: String) {
        let pair = Pair(argument: text)
        #expect(pair?.key == key && pair?.value == value)
    }

    @Test func `what is no pair is none`() {
        #expect(Pair(argument: "=b") == nil && Pair(argument: "a") == nil)
    }
}
