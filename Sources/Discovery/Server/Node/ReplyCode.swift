internal import DiscoveryCore
internal import DiscoveryHTTP
internal import DiscoveryWire

/// The `code` of an answer, as an index: what replies are counted by and have their head from.
enum ReplyCode: UInt8, CaseIterable, Sendable {
    case ok, notModified, invalid, forbidden, notFound, conflict, protected, overloaded
    /// Also 0, with heads of their own: they carry the node's id, and an exchange is no JSON.
    case nodes, exchanged
    /// 404 and 405 of HTTP itself.
    case unknownRoute, wantsGet, wantsPost

    init(_ answer: Answer) {
        switch answer {
        case .nodes: self = .nodes
        case .exchanged: self = .exchanged
        case .done, .renewed, .conflict, .outdated, .unknownHost, .unknownWithData, .unknown,
            .pollUnknown, .fetched, .zoneUnknown, .fetchedMany, .fetchedAll, .balanced, .polled,
            .polledMany, .notModified, .refused:
            self.init(code: answer.code)
        }
    }

    private init(code: Int) {
        switch code {
        case 0: self = .ok
        case -304: self = .notModified
        case -400: self = .invalid
        case -403: self = .forbidden
        case -404: self = .notFound
        case -409: self = .conflict
        case -500: self = .protected
        case -503: self = .overloaded
        default: preconditionFailure("an answer with the unknown code \(code)")
        }
    }

    /// The label `code` of a metric.
    var label: String {
        switch self {
        case .ok, .nodes, .exchanged: "0"
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
}

/// The heads of all replies: built once, shared by all threads.
final class ReplyHeads: Sendable {
    private let heads: [ReplyHead]

    /// `node`: told to those who ask for the nodes, which is how others know its kind.
    init(node: NodeID) { heads = ReplyCode.allCases.map { ReplyHeads.make($0, node) } }

    subscript(code: ReplyCode) -> ReplyHead { heads[Int(code.rawValue)] }

    func code(of head: ReplyHead) -> ReplyCode? {
        ReplyCode.allCases.first { self[$0] === head }
    }

    /// HTTP 200 whatever the outcome: kratos v2 takes any other status for a success.
    private static func make(_ code: ReplyCode, _ node: NodeID) -> ReplyHead {
        let trace = (name: "Kratos-Trace-Id", value: "")
        let status = (name: "Kratos-Status-Code", value: code.label)
        let node = (name: NodeHeader.name, value: NodeHeader.value(node))
        let json = "application/json; charset=utf-8"
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
            return ReplyHead(status: 200, reason: "OK", contentType: json, headers: [trace])
        case .nodes:
            return ReplyHead(
                status: 200, reason: "OK", contentType: json, headers: [status, trace, node])
        case .exchanged:
            return ReplyHead(
                status: 200, reason: "OK", contentType: PeerRequestWriter.exchangeType,
                headers: [status, node])
        case .ok, .notModified, .forbidden, .notFound, .conflict, .protected, .overloaded:
            return ReplyHead(
                status: 200, reason: "OK", contentType: json, headers: [status, trace])
        }
    }
}
