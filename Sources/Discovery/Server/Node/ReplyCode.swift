internal import DiscoveryCore
internal import DiscoveryHTTP
internal import DiscoveryWire

/// The `code` of an answer, as an index: what replies are counted by and have their head from.
enum ReplyCode: UInt8, CaseIterable, Sendable {
    case ok, notModified, invalid, forbidden, notFound, conflict, protected, overloaded
    /// 404 and 405 of HTTP itself.
    case unknownRoute, wantsGet, wantsPost

    init(_ answer: Answer) {
        switch answer.code {
        case 0: self = .ok
        case -304: self = .notModified
        case -400: self = .invalid
        case -403: self = .forbidden
        case -404: self = .notFound
        case -409: self = .conflict
        case -500: self = .protected
        case -503: self = .overloaded
        case let code: preconditionFailure("an answer with the unknown code \(code)")
        }
    }

    /// The label `code` of a metric.
    var label: String {
        switch self {
        case .ok: "0"
        case .notModified: "-304"
        case .invalid: "-400"
        case .forbidden: "-403"
        case .notFound: "-404"
        case .conflict: "-409"
        case .protected: "-500"
        case .overloaded: "-503"
        case .unknownRoute: "http-404"
        case .wantsGet, .wantsPost: "http-405"
        }
    }

    /// HTTP 200 whatever the outcome: kratos v2 takes any other status for a success.
    var head: ReplyHead { ReplyCode.heads[Int(rawValue)] }

    private static let heads = allCases.map(makeHead)

    private static func makeHead(_ code: ReplyCode) -> ReplyHead {
        let trace = (name: "Kratos-Trace-Id", value: "")
        switch code {
        case .unknownRoute:
            return ReplyHead(
                status: 404, reason: "Not Found", contentType: "text/plain", headers: [trace])
        case .wantsGet, .wantsPost:
            return ReplyHead(
                status: 405, reason: "Method Not Allowed", contentType: "text/plain",
                headers: [(name: "Allow", value: code == .wantsGet ? "GET" : "POST"), trace])
        case .invalid:
            // The reference leaves the code out where it could not read the parameters.
            return ReplyHead(
                status: 200, reason: "OK", contentType: "application/json; charset=utf-8",
                headers: [trace])
        case .ok, .notModified, .forbidden, .notFound, .conflict, .protected, .overloaded:
            return ReplyHead(
                status: 200, reason: "OK", contentType: "application/json; charset=utf-8",
                headers: [(name: "Kratos-Status-Code", value: code.label), trace])
        }
    }
}
