/// An address of an instance.
public struct Endpoint: Sendable, Hashable {
    /// `http`, `grpc`, …
    public let scheme: String
    public let host: String
    public let port: Int
    public let instance: Instance

    /// Nil if it is no address with scheme, host and port.
    init?(_ address: String, of instance: Instance) {
        guard let colons = address.firstRange(of: "://"), colons.lowerBound > address.startIndex
        else { return nil }
        let rest = address[colons.upperBound...].prefix { $0 != "/" && $0 != "?" }
        guard let end = rest.lastIndex(of: ":"), let port = Int(rest[rest.index(after: end)...]),
            (1...65_535).contains(port)
        else { return nil }
        var host = rest[..<end]
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        if host.isEmpty { return nil }
        scheme = String(address[..<colons.lowerBound])
        self.host = String(host)
        self.port = port
        self.instance = instance
    }

    /// As it goes into a URL: `http://10.0.0.1:8080`.
    public var url: String {
        "\(scheme)://\(host.contains(":") ? "[\(host)]" : host):\(port)"
    }
}
