/// Parameters as clients send them.
enum Form {
    static func encode(_ pairs: [(String, String)]) -> String {
        pairs.map { "\(escape($0))=\(escape($1))" }.joined(separator: "&")
    }

    /// As Go's url.QueryEscape.
    static func escape(_ text: String) -> String {
        var escaped = ""
        for byte in text.utf8 {
            let scalar = Unicode.Scalar(byte)
            switch scalar {
            case "a"..."z", "A"..."Z", "0"..."9", "-", "_", ".", "~":
                escaped.unicodeScalars.append(scalar)
            case " ": escaped += "+"
            default:
                let digits = String(byte, radix: 16, uppercase: true)
                escaped += digits.utf8.count == 1 ? "%0\(digits)" : "%\(digits)"
            }
        }
        return escaped
    }

    /// An instance of demo.app; `changes` replace the parameters of their names, or join them.
    static func register(_ host: String, _ changes: [(String, String)] = []) -> String {
        encode(
            changed(
                [
                    ("region", "sh"), ("zone", "sh001"), ("env", "dev"), ("appid", "demo.app"),
                    ("hostname", host), ("addrs", "http://10.0.0.1:80"), ("status", "1"),
                    ("version", "v1"), ("metadata", #"{"weight":"10"}"#),
                ], changes))
    }

    /// The key of an instance: what renew and cancel are sent with.
    static func key(_ host: String, _ changes: [(String, String)] = []) -> String {
        encode(
            changed(
                [
                    ("region", "sh"), ("zone", "sh001"), ("env", "dev"), ("appid", "demo.app"),
                    ("hostname", host),
                ], changes))
    }

    private static func changed(
        _ pairs: [(String, String)], _ changes: [(String, String)]
    ) -> [(String, String)] {
        pairs.filter { pair in !changes.contains { $0.0 == pair.0 } } + changes
    }
}
