internal import DiscoveryWire

/// One request to a node of the registry.
struct RegistryRequest: Sendable, Equatable {
    enum Method: Sendable, Equatable { case get, post }

    let method: Method
    /// Behind `/discovery/`.
    let route: String
    /// The query of a GET, the form of a POST.
    let fields: [(name: String, value: String)]
    /// After how many milliseconds the node is to answer a poll at the latest.
    var holdMilliseconds: Int?

    static func == (left: RegistryRequest, right: RegistryRequest) -> Bool {
        left.method == right.method && left.route == right.route
            && left.holdMilliseconds == right.holdMilliseconds
            && left.fields.elementsEqual(right.fields) { $0 == $1 }
    }

    /// `application/x-www-form-urlencoded`.
    var form: String { FormText.join(fields.map { ($0.name, $0.value) }) }
}

/// Carries requests to nodes. Tests put another one in its place.
protocol Transport: Sendable {
    /// The body of the answer. Throws whatever kept it from coming in time, and `BadStatus` for an
    /// answer that is not the registry's.
    func send(
        _ request: RegistryRequest, to node: String, within time: Duration
    ) async throws -> [UInt8]
}

/// An answer of HTTP itself: every outcome of the registry is a 200.
struct BadStatus: Error, CustomStringConvertible {
    let status: UInt

    var description: String { "HTTP status \(status)" }
}
