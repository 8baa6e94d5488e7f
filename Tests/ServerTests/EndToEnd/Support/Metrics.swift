/// A page of the text format of Prometheus 0.0.4, read strictly.
struct Metrics {
    struct Sample: Hashable {
        var name: String
        var labels: [String: String]
        var value: Double
    }

    private(set) var samples: [Sample] = []
    private(set) var types: [String: String] = [:]
    private(set) var helps: Set<String> = []

    init(_ text: String) throws {
        guard text.hasSuffix("\n") else { throw Failure("the last line does not end") }
        for line in text.split(separator: "\n", omittingEmptySubsequences: true) {
            try read(line)
        }
    }

    /// Of the samples that have these labels among theirs.
    func sum(_ name: String, _ labels: [String: String] = [:]) throws -> Int {
        guard types[name] != nil else { throw Failure("no metric \(name)") }
        let found = samples.filter { sample in
            sample.name == name && labels.allSatisfy { sample.labels[$0.key] == $0.value }
        }
        return found.reduce(0) { $0 + Int($1.value) }
    }

    private mutating func read(_ line: Substring) throws {
        if line.hasPrefix("# HELP ") {
            let name = line.dropFirst(7).prefix { $0 != " " }
            guard helps.insert(String(name)).inserted else { throw Failure("two HELP of \(name)") }
        } else if line.hasPrefix("# TYPE ") {
            let words = line.dropFirst(7).split(separator: " ")
            guard words.count == 2, ["counter", "gauge", "histogram"].contains(words[1]),
                types.updateValue(String(words[1]), forKey: String(words[0])) == nil
            else { throw Failure("bad or second TYPE: \(line)") }
        } else {
            try readSample(line)
        }
    }

    private mutating func readSample(_ line: Substring) throws {
        let name = line.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
        var rest = line.dropFirst(name.count)
        var labels: [String: String] = [:]
        if rest.first == "{" {
            rest = rest.dropFirst()
            while rest.first != "}" {
                let label = rest.prefix { $0 != "=" }
                rest = rest.dropFirst(label.count + 1)
                labels[String(label)] = try Self.quoted(&rest)
                if rest.first == "," { rest = rest.dropFirst() }
            }
            rest = rest.dropFirst()
        }
        guard !name.isEmpty, rest.first == " ", let value = Double(rest.dropFirst()) else {
            throw Failure("not a sample: \(line)")
        }
        let sample = Sample(name: String(name), labels: labels, value: value)
        guard family(of: sample) != nil else { throw Failure("no TYPE and HELP before: \(line)") }
        samples.append(sample)
    }

    /// The family that the sample belongs to.
    func family(of sample: Sample) -> String? {
        for suffix in ["", "_bucket", "_sum", "_count"] where sample.name.hasSuffix(suffix) {
            let family = String(sample.name.dropLast(suffix.count))
            guard let type = types[family], helps.contains(family) else { continue }
            if suffix.isEmpty != (type == "histogram") { return family }
        }
        return nil
    }

    private static func quoted(_ rest: inout Substring) throws -> String {
        guard rest.popFirst() == "\"" else { throw Failure("a label without quotes") }
        var value = ""
        while let character = rest.popFirst() {
            switch character {
            case "\"": return value
            case "\\":
                switch rest.popFirst() {
                case "n": value += "\n"
                case "\\": value += "\\"
                case "\"": value += "\""
                default: throw Failure("a bad escape in a label")
                }
            default: value.append(character)
            }
        }
        throw Failure("a label that does not end")
    }
}
