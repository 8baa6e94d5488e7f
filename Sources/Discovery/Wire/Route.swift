/// What can be asked for, found by the path of a request.
package enum Route: UInt8, CaseIterable, Sendable {
    case register, renew, cancel, set, fetch, fetchs, fetchAll, poll, polls, balance, nodes,
        exchange

    /// Writes and exchanges are POST, reads are GET; the other method is answered 405.
    package var isPost: Bool {
        switch self {
        case .register, .renew, .cancel, .set, .exchange: true
        case .fetch, .fetchs, .fetchAll, .poll, .polls, .balance, .nodes: false
        }
    }

    /// The path behind `/discovery/`.
    package var name: String {
        switch self {
        case .register: "register"
        case .renew: "renew"
        case .cancel: "cancel"
        case .set: "set"
        case .fetch: "fetch"
        case .fetchs: "fetchs"
        case .fetchAll: "fetch/all"
        case .poll: "poll"
        case .polls: "polls"
        case .balance: "balance"
        case .nodes: "nodes"
        case .exchange: "exchange"
        }
    }

    package var path: String { "/discovery/" + name }

    /// The route of a path without its query. As the reference does it: a path that is none is
    /// tried again decoded and cleaned of `//`, `/./` and `/../`; one that ends in a slash is never
    /// a route.
    package static func find(path: Span<UInt8>) -> Route? {
        if let route = exact(path) { return route }
        let cleaned = clean(path)
        return exact(cleaned.span)
    }

    private static let prefix = Array("/discovery/".utf8)
    private static let names = allCases.map { ShortName($0.name) }

    private static func exact(_ path: Span<UInt8>) -> Route? {
        let prefix = Route.prefix
        guard path.count > prefix.count, path.count <= prefix.count + 16 else { return nil }
        for index in prefix.indices where path[index] != prefix[index] { return nil }
        var name = ShortName()
        for index in prefix.count..<path.count { name.append(path[index]) }
        guard let index = names.firstIndex(of: name) else { return nil }
        return Route(rawValue: UInt8(index))
    }

    private static func clean(_ path: Span<UInt8>) -> [UInt8] {
        var decoded: [UInt8] = []
        decoded.reserveCapacity(path.count)
        var index = 0
        while index < path.count {
            let byte = path[index]
            index += 1
            let isEscape = byte == UInt8(ascii: "%")
            decoded.append(isEscape ? Percent.decoded(in: path, after: &index) ?? byte : byte)
        }
        var cleaned: [UInt8] = []
        var isOpen = false
        let segments = decoded.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        for segment in segments {
            isOpen = segment.isEmpty || segment.elementsEqual([UInt8(ascii: ".")])
            if isOpen { continue }
            if segment.elementsEqual([UInt8(ascii: "."), UInt8(ascii: ".")]) {
                let slash = cleaned.lastIndex(of: UInt8(ascii: "/")) ?? 0
                cleaned.removeLast(cleaned.count - slash)
                continue
            }
            cleaned.append(UInt8(ascii: "/"))
            cleaned.append(contentsOf: segment)
        }
        if isOpen { cleaned.append(UInt8(ascii: "/")) }
        return cleaned
    }
}
