internal import DiscoveryWire
internal import Synchronization

/// What one loop has answered, by route and code, and how long it took. Written by the loop once
/// per turn, read by whoever serves `/metrics`.
final class RequestCounts: Sendable {
    private let table = Mutex(RequestTable())

    /// One lock per turn, not per request.
    func record(_ fill: (inout RequestTable) -> Void) { table.withLock { fill(&$0) } }

    func read() -> RequestTable { table.withLock { $0 } }
}

struct RequestTable: Sendable {
    /// Routes, and one row for requests of none.
    static let rows = Route.allCases.count + 1

    private(set) var replies: [UInt64]
    private(set) var times: [LatencyHistogram]

    init() {
        replies = Array(repeating: 0, count: RequestTable.rows * ReplyCode.allCases.count)
        times = Array(repeating: LatencyHistogram(), count: RequestTable.rows)
    }

    mutating func count(_ route: Route?, _ code: ReplyCode) {
        replies[RequestTable.row(route) * ReplyCode.allCases.count + Int(code.rawValue)] += 1
    }

    mutating func time(_ route: Route?, nanoseconds: Int64) {
        times[RequestTable.row(route)].record(nanoseconds: nanoseconds)
    }

    func count(row: Int, _ code: ReplyCode) -> UInt64 {
        replies[row * ReplyCode.allCases.count + Int(code.rawValue)]
    }

    mutating func merge(_ other: RequestTable) {
        for index in replies.indices { replies[index] += other.replies[index] }
        for index in times.indices { times[index].merge(other.times[index]) }
    }

    private static func row(_ route: Route?) -> Int {
        route.map { Int($0.rawValue) } ?? rows - 1
    }

    static func name(row: Int) -> String {
        row < Route.allCases.count ? Route.allCases[row].name : "other"
    }
}
