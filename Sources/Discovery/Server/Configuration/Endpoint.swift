internal import DiscoveryWire

/// A host and a port, as written in a configuration: `10.0.0.1:7171`, `[::1]:7171`, `name:7171`.
struct Endpoint: Sendable, Equatable, CustomStringConvertible {
    /// A name or a numeric address, without brackets. `0.0.0.0` and `::` stand for every address.
    var host: String
    var port: UInt16

    /// The longest DNS name.
    static let hostBytesMax = 253

    init(host: String, port: UInt16) {
        self.host = host
        self.port = port
    }

    /// Reads `host:port`. `:7171` means every address, as it does for the reference.
    /// Nil when it is anything else.
    init?(_ text: String) {
        guard let colon = text.utf8.lastIndex(of: UInt8(ascii: ":")) else { return nil }
        let digits = text[text.utf8.index(after: colon)...]
        guard !digits.isEmpty, digits.utf8.allSatisfy(Self.isDigit), let port = UInt16(digits)
        else { return nil }
        var host = text[..<colon]
        if host.utf8.first == UInt8(ascii: "[") {
            guard host.utf8.count > 2, host.utf8.last == UInt8(ascii: "]") else { return nil }
            host = host.dropFirst().dropLast()
            guard host.utf8.allSatisfy(Self.isAddressByte), host.utf8.contains(UInt8(ascii: ":"))
            else { return nil }
        } else {
            guard host.utf8.allSatisfy(HostName.isNameByte) else { return nil }
        }
        guard host.utf8.count <= Self.hostBytesMax else { return nil }
        self.host = host.isEmpty ? "0.0.0.0" : String(host)
        self.port = port
    }

    /// Whether this is "every address", which can be listened on but not called.
    var isWildcard: Bool { host == "0.0.0.0" || host == "::" || host == "0:0:0:0:0:0:0:0" }

    /// The form that `init(_:)` reads; numeric IPv6 addresses get their brackets back.
    var description: String {
        host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
    }

    /// Hexadecimal digits, colons, dots and `%zone`: what a numeric IPv6 address is made of.
    private static func isAddressByte(_ byte: UInt8) -> Bool {
        HostName.isNameByte(byte) || byte == UInt8(ascii: ":") || byte == UInt8(ascii: "%")
    }
}
