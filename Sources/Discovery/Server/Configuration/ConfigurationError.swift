/// One thing that is wrong in a configuration: where, which key, what was found, what is allowed.
enum ConfigurationError: Error, Equatable, CustomStringConvertible {
    /// The file cannot be read at all.
    case unreadable(path: String, reason: String)
    /// The file is not TOML.
    case notTOML(path: String, line: Int, column: Int, reason: String)
    /// A key, or a whole table, that means nothing.
    case unknownKey(origin: String, key: String, nearest: String?)
    /// The same key twice, in different letters.
    case repeatedKey(origin: String, key: String, other: String)
    /// A value outside of what its key allows.
    case invalid(origin: String, key: String, found: String, allowed: String)

    var description: String {
        switch self {
        case .unreadable(let path, let reason):
            return "\(path): cannot be read: \(reason)"
        case .notTOML(let path, let line, let column, let reason):
            return "\(path): line \(line), column \(column): not TOML: \(reason)"
        case .unknownKey(let origin, let key, let nearest):
            let suggestion = nearest.map { "; did you mean \($0)?" } ?? ""
            return "\(origin): \(key): no such key\(suggestion)"
        case .repeatedKey(let origin, let key, let other):
            return "\(origin): \(key): also written as \(other); letter case makes no difference"
        case .invalid(let origin, let key, let found, let allowed):
            return "\(origin): \(key): found \(found), allowed is \(allowed)"
        }
    }
}

/// Everything that is wrong in a configuration, in the order of the settings.
struct ConfigurationProblems: Error, Equatable, CustomStringConvertible {
    var all: [ConfigurationError]

    /// One line per problem.
    var description: String { all.map(\.description).joined(separator: "\n") }
}

/// What a key allows, in the words of an error.
enum Rule {
    static let address = "an address like \"10.0.0.1:7171\""
    static let addresses = "a list of addresses that others can call, like [\"10.0.0.1:7171\"]"
    static let reachableAddress = "an address that others can call, like \"10.0.0.1:7171\""
    static let addressRanges =
        "a list of IP addresses and ranges, like [\"10.0.0.1\", \"10.1.0.0/16\", "
        + "\"2001:db8::/32\"], with no bits set behind a range's prefix"
    static let boolean = "true or false"
    static let duration = "a duration like \"250ms\", \"40s\" or \"2m\""
    static let name =
        "a name of at most \(NodeIdentity.nameBytesMax) bytes without spaces or control characters"
    static let path = "a path without zero bytes, or \"\" for none"
    static let table = "a table"

    static func range(_ range: ClosedRange<Int>) -> String {
        "a whole number from \(range.lowerBound) to \(range.upperBound)"
    }

    /// `"map" or "array"`.
    static func choice(_ cases: [String]) -> String {
        cases.map { "\"\($0)\"" }.joined(separator: " or ")
    }

    static func count(_ max: Int, of what: String) -> String { "at most \(max) \(what)" }
}
