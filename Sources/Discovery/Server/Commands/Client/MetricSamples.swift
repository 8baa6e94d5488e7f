/// The samples of a metrics page, as far as commands show them.
struct MetricSamples {
    struct Sample: Equatable {
        let name: String
        let labels: [String: String]
        let value: Double
    }

    let all: [Sample]

    /// Lines that are no samples are left out: a page of another version may have more.
    init(_ page: String) {
        all = page.split(separator: "\n").compactMap { MetricSamples.sample($0) }
    }

    /// Of those with these labels.
    func sum(_ name: String, _ labels: [String: String] = [:]) -> Double {
        all.reduce(0) { sum, sample in
            let isMeant =
                sample.name == name && labels.allSatisfy { sample.labels[$0.key] == $0.value }
            return isMeant ? sum + sample.value : sum
        }
    }

    /// What a label is in the samples of a name, each once, sorted.
    func values(of label: String, in name: String) -> [String] {
        Set(all.filter { $0.name == name }.compactMap { $0.labels[label] }).sorted()
    }

    private static func sample(_ line: Substring) -> Sample? {
        guard line.first != "#", let space = line.lastIndex(of: " "),
            let value = Double(line[line.index(after: space)...])
        else { return nil }
        let head = line[..<space]
        guard let brace = head.firstIndex(of: "{") else {
            return Sample(name: String(head), labels: [:], value: value)
        }
        return Sample(
            name: String(head[..<brace]), labels: labels(head[brace...].dropFirst()), value: value)
    }

    /// `a="b",c="d"}`, with `\\`, `\"` and `\n` in the values.
    private static func labels(_ text: Substring) -> [String: String] {
        var labels: [String: String] = [:]
        var rest = text
        while let sign = rest.firstIndex(of: "="), rest[sign...].dropFirst().first == "\"" {
            let name = String(rest[..<sign])
            rest = rest[sign...].dropFirst(2)
            var value = ""
            var isEscaped = false
            while let next = rest.popFirst() {
                if isEscaped {
                    value.append(next == "n" ? "\n" : next)
                    isEscaped = false
                } else if next == "\\" {
                    isEscaped = true
                } else if next == "\"" {
                    break
                } else {
                    value.append(next)
                }
            }
            labels[name] = value
            if rest.first == "," { rest.removeFirst() }
        }
        return labels
    }
}
