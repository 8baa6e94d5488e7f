internal import DiscoveryWire

/// The text of `discovery watch --template`.
struct Template {
    /// An instance, as the words of a template.
    struct Row: Equatable {
        var words: [String: String]
        var metadata: [String: String]

        /// Nil without an address of the scheme.
        init?(app: String, _ instance: JSONTree, scheme: String) {
            let addresses = instance["addrs"].items.map(\.text)
            let prefix = "\(scheme)://"
            guard let address = addresses.first(where: { $0.hasPrefix(prefix) }),
                let end = Endpoint(
                    String(address.dropFirst(prefix.count).prefix { $0 != "/" && $0 != "?" }))
            else { return nil }
            metadata = Dictionary(
                instance["metadata"].members.map { ($0.name, $0.value.text) }
            ) { $1 }
            let weight = instance["weight"].integer
            words = [
                "appid": app, "zone": instance["zone"].text,
                "hostname": instance["hostname"].text, "version": instance["version"].text,
                "scheme": scheme, "host": end.host, "port": "\(end.port)",
                "weight": weight > 0 ? "\(weight)" : metadata["weight"] ?? "10",
            ]
        }
    }

    private enum Part {
        case line(String)
        case each(app: String, lines: [String])
    }

    static let bytesMax = 1_048_576

    private var parts: [Part] = []
    /// What is wrong with it: line, what was found, what is allowed.
    private(set) var problem: String?

    private static let words = [
        "appid", "zone", "hostname", "version", "scheme", "host", "port", "weight",
    ]

    init(_ text: String, apps: [String]) {
        var inner: (app: String, lines: [String])?
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() where problem == nil {
            let word = Template.onlyWord(line)
            if let word, word.hasPrefix("each ") {
                let app = String(word.dropFirst("each ".count))
                if inner != nil { note(index, word, "{{end}} of the one before") }
                if !apps.contains(app) { note(index, word, apps.joined(separator: ", ")) }
                inner = (app, [])
            } else if word == "end" {
                if let inner {
                    parts.append(.each(app: inner.app, lines: inner.lines))
                } else {
                    note(index, "end", "{{each APPID}} before it")
                }
                inner = nil
            } else if inner != nil {
                if let unknown = Template.unknownWord(in: line) {
                    let known = Template.words.joined(separator: ", ")
                    note(index, unknown, "\(known) and meta KEY")
                }
                inner?.lines.append(String(line))
            } else {
                parts.append(.line(String(line)))
            }
        }
        if let inner, problem == nil {
            note(lines.count - 1, "each \(inner.app)", "{{end}} behind it")
        }
    }

    private mutating func note(_ line: Int, _ found: String, _ allowed: String) {
        problem = problem ?? "line \(line + 1): found {{\(found)}}, allowed is \(allowed)"
    }

    func text(_ rows: [String: [Row]]) -> String {
        var lines: [String] = []
        for part in parts {
            switch part {
            case .line(let line): lines.append(line)
            case .each(let app, let inner):
                for row in rows[app] ?? [] {
                    lines += inner.map { Template.filled($0) { row.value(of: $0) } }
                }
            }
        }
        return lines.joined(separator: "\n")
    }

    /// The word of a line that is nothing else: `{{end}}`.
    private static func onlyWord(_ line: Substring) -> String? {
        let line = line.drop { $0 == " " || $0 == "\t" }
        guard line.hasPrefix("{{"), let end = line.firstRange(of: "}}"),
            line[end.upperBound...].allSatisfy(\.isWhitespace)
        else { return nil }
        return String(line[..<end.lowerBound].dropFirst(2))
    }

    private static func unknownWord(in line: Substring) -> String? {
        var unknown: String?
        _ = filled(String(line)) { word in
            if !words.contains(word), !word.hasPrefix("meta ") { unknown = unknown ?? word }
            return ""
        }
        return unknown
    }

    /// The line with every `{{word}}` replaced.
    private static func filled(_ line: String, _ value: (String) -> String) -> String {
        var out = ""
        var rest = line[...]
        while let start = rest.firstRange(of: "{{"),
            let end = rest[start.upperBound...].firstRange(of: "}}")
        {
            out += rest[..<start.lowerBound]
            out += value(String(rest[start.upperBound..<end.lowerBound]))
            rest = rest[end.upperBound...]
        }
        return out + rest
    }
}

extension Template.Row {
    /// Line ends in it would break the file's lines apart.
    fileprivate func value(of word: String) -> String {
        let value =
            word.hasPrefix("meta ")
            ? metadata[String(word.dropFirst("meta ".count))] ?? "" : words[word] ?? ""
        return value.filter { !$0.isNewline }
    }
}
