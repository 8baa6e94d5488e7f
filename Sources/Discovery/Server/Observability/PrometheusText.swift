/// Builds the text exposition format of Prometheus, version 0.0.4.
///
/// A family gets its HELP and TYPE lines once, however often it is added to. Families are written
/// in the order of their names and samples in the order of their labels, so equal states give
/// equal bytes.
struct PrometheusText {
    /// What `/metrics` sends as its content type.
    static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    /// Label names with their values, in the order in which they are written.
    typealias Labels = KeyValuePairs<String, String>

    private enum Kind: String {
        case counter, gauge, histogram
    }

    private struct Family {
        var kind: Kind
        var help: String
        /// Lines by the labels that they begin with.
        var samples: [(labels: String, lines: String)] = []
    }

    private var families: [String: Family] = [:]

    /// Adds a value that only ever grows; by convention its name ends in `_total`.
    mutating func counter(_ name: String, help: String, labels: Labels = [:], _ value: UInt64) {
        let labels = Self.text(labels)
        add(name, .counter, help, labels, "\(name)\(Self.braces(labels)) \(value)\n")
    }

    /// Adds a value that goes up and down.
    mutating func gauge(_ name: String, help: String, labels: Labels = [:], _ value: Int) {
        let labels = Self.text(labels)
        add(name, .gauge, help, labels, "\(name)\(Self.braces(labels)) \(value)\n")
    }

    /// Adds latencies, in seconds; by convention the name ends in `_seconds`.
    mutating func histogram(
        _ name: String, help: String, labels: Labels = [:], _ histogram: LatencyHistogram
    ) {
        let labels = Self.text(labels)
        let prefix = labels.isEmpty ? "" : labels + ","
        var lines = ""
        for bucket in histogram.cumulative {
            let bound = Self.seconds(bucket.boundNanoseconds)
            lines += "\(name)_bucket{\(prefix)le=\"\(bound)\"} \(bucket.count)\n"
        }
        lines += "\(name)_bucket{\(prefix)le=\"+Inf\"} \(histogram.count)\n"
        let sum = Self.seconds(histogram.sumNanoseconds)
        lines += "\(name)_sum\(Self.braces(labels)) \(sum)\n"
        lines += "\(name)_count\(Self.braces(labels)) \(histogram.count)\n"
        add(name, .histogram, help, labels, lines)
    }

    /// The whole text.
    var text: String {
        var text = ""
        for (name, family) in families.sorted(by: { $0.key < $1.key }) {
            text += "# HELP \(name) \(Self.escaped(family.help, quotes: false))\n"
            text += "# TYPE \(name) \(family.kind.rawValue)\n"
            for sample in Self.ordered(family.samples) { text += sample.lines }
        }
        return text
    }

    private mutating func add(
        _ name: String, _ kind: Kind, _ help: String, _ labels: String, _ lines: String
    ) {
        precondition(Self.isName(name, colons: true), "a metric has a name that Prometheus refuses")
        var family = families[name] ?? Family(kind: kind, help: help)
        precondition(family.kind == kind, "a metric is used as two kinds")
        family.samples.append((labels, lines))
        families[name] = family
    }

    /// By the bytes of their labels. Strings are equal when they look alike, "é" in one scalar and
    /// in two: names that clients choose may do that, and are different nevertheless.
    private static func ordered(
        _ samples: [(labels: String, lines: String)]
    ) -> [(labels: String, lines: String)] {
        let ordered = samples.sorted { $0.labels.utf8.lexicographicallyPrecedes($1.labels.utf8) }
        for (sample, next) in zip(ordered, ordered.dropFirst()) {
            precondition(
                !sample.labels.utf8.elementsEqual(next.labels.utf8),
                "a metric has the same labels twice")
        }
        return ordered
    }

    private static func braces(_ labels: String) -> String {
        labels.isEmpty ? "" : "{\(labels)}"
    }

    private static func text(_ labels: Labels) -> String {
        labels.map { name, value in
            precondition(isName(name, colons: false), "a label has a name that Prometheus refuses")
            return "\(name)=\"\(escaped(value, quotes: true))\""
        }.joined(separator: ",")
    }

    /// Backslashes and line feeds, and quotes where the text stands in them.
    private static func escaped(_ text: String, quotes: Bool) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": escaped += "\\\\"
            case "\n": escaped += "\\n"
            case "\"" where quotes: escaped += "\\\""
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }

    /// Nanoseconds as decimal seconds, without rounding and without trailing zeros.
    static func seconds(_ nanoseconds: UInt64) -> String {
        let whole = nanoseconds / 1_000_000_000
        var fraction = nanoseconds % 1_000_000_000
        guard fraction > 0 else { return "\(whole)" }
        var digits = 9
        while fraction % 10 == 0 {
            fraction /= 10
            digits -= 1
        }
        let text = String(fraction)
        return "\(whole)." + String(repeating: "0", count: digits - text.count) + text
    }

    private static func isName(_ name: String, colons: Bool) -> Bool {
        for (index, byte) in name.utf8.enumerated() {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "_"):
                continue
            case UInt8(ascii: "0")...UInt8(ascii: "9") where index > 0: continue
            case UInt8(ascii: ":") where colons: continue
            default: return false
            }
        }
        return !name.isEmpty
    }
}
