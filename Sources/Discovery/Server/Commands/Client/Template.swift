internal import DiscoveryWire

/// The text of `discovery watch --template`.
struct Template {
    /// An instance, as the words of a template.
    struct Row: Equatable {
        let words: [String: String]
        let metadata: [String: String]

        /// `weight`: the final one. Nil without an address of the scheme that can be called.
        init?(app: String, _ instance: JSONTree, weight: Int64, scheme: String) {
            let addresses = instance["addrs"].items.map(\.text)
            let prefix = "\(scheme)://"
            guard let address = addresses.first(where: { $0.hasPrefix(prefix) }),
                let end = Endpoint(
                    String(address.dropFirst(prefix.count).prefix { $0 != "/" && $0 != "?" })),
                end.port > 0,
                !end.isWildcard
            else { return nil }
            metadata = Dictionary(
                instance["metadata"].members.map { ($0.name, $0.value.text) }
            ) { $1 }
            words = [
                "appid": app, "zone": instance["zone"].text,
                "hostname": instance["hostname"].text, "version": instance["version"].text,
                "scheme": scheme, "host": end.host.contains(":") ? "[\(end.host)]" : end.host,
                "port": "\(end.port)",
                "weight": "\(weight)",
            ]
        }

        fileprivate func value(of word: String) -> String {
            word.hasPrefix("meta ")
                ? metadata[String(word.dropFirst("meta ".count))] ?? "" : words[word] ?? ""
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
        let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
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
            } else {
                for word in Template.words(in: line) {
                    if inner == nil {
                        note(index, word, "{{each APPID}}, and words behind it")
                    } else if !Template.words.contains(word), !word.hasPrefix("meta ") {
                        let known = Template.words.joined(separator: ", ")
                        note(index, word, "\(known) and meta KEY")
                    }
                }
                if inner == nil { parts.append(.line(String(line))) }
                inner?.lines.append(String(line))
            }
        }
        if let inner, problem == nil {
            note(lines.count - 1, "each \(inner.app)", "{{end}} behind it")
        }
    }

    private mutating func note(_ line: Int, _ found: String, _ allowed: String) {
        problem = problem ?? "line \(line + 1): found {{\(found)}}, allowed is \(allowed)"
    }

    /// What it says, and which rows it says nothing of, because they would say something else.
    struct Filled: Equatable {
        var text = ""
        var leftOut: [String] = []
        /// Parts without a row.
        var emptyApps: [String] = []
    }

    /// `isRaw`: values stand in it whatever they hold.
    func filled(_ rows: [String: [Row]], isRaw: Bool) -> Filled {
        var filled = Filled()
        var lines: [String] = []
        for part in parts {
            switch part {
            case .line(let line): lines.append(line)
            case .each(let app, let inner):
                let used = Set(inner.flatMap { Template.words(in: $0[...]) }).sorted()
                var count = 0
                for row in rows[app] ?? [] {
                    let odd = used.first { !Template.isSafe(row.value(of: $0)) }
                    if let odd, !isRaw {
                        filled.leftOut.append(
                            "\(app) \(row.value(of: "hostname")): {{\(odd)}} "
                                + (row.value(of: odd).isEmpty
                                    ? "is empty" : "holds \(Message.shown(row.value(of: odd)))"))
                        continue
                    }
                    count += 1
                    lines += inner.map { Template.filled($0) { row.value(of: $0) } }
                }
                if count == 0 { filled.emptyApps.append(app) }
            }
        }
        filled.text = lines.joined(separator: "\n")
        return filled
    }

    /// What means nothing in any configuration, and is not missing in one: a provider chooses these
    /// values, and is not to write the file.
    private static func isSafe(_ value: String) -> Bool {
        !value.isEmpty
            && value.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"):
                    true
                default: "._:/@+%=,-[]".utf8.contains(byte)
                }
            }
    }

    /// The word of a line that is nothing else: `{{end}}`.
    private static func onlyWord(_ line: Substring) -> String? {
        let words = words(in: line)
        let rest = filled(String(line)) { _ in "" }
        return words.count == 1 && rest.allSatisfy(\.isWhitespace) ? words[0] : nil
    }

    private static func words(in line: Substring) -> [String] {
        var words: [String] = []
        _ = filled(String(line)) { word in
            words.append(word)
            return ""
        }
        return words
    }

    /// The line with every `{{word}}` replaced.
    private static func filled(_ line: String, _ value: (String) -> String) -> String {
        var out = ""
        var rest = line[...]
        while let start = rest.firstRange(of: "{{"),
            let end = rest[start.upperBound...].firstRange(of: "}}")
        {
            out += rest[..<start.lowerBound]
            let word = rest[start.upperBound..<end.lowerBound].drop { $0 == " " }
            out += value(String(word.reversed().drop { $0 == " " }.reversed()))
            rest = rest[end.upperBound...]
        }
        return out + rest
    }
}
