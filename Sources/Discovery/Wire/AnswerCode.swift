package import DiscoveryCore

extension Answer {
    /// The `code` of its body, for metrics and the header `Kratos-Status-Code`.
    package var code: Int {
        switch self {
        case .done, .renewed, .fetched, .fetchedMany, .fetchedAll, .balanced, .polled, .polledMany,
            .nodes,
            .exchanged:
            0
        case .conflict: -409
        case .outdated, .unknownHost, .unknownWithData, .unknown, .pollUnknown, .zoneUnknown: -404
        case .notModified: -304
        case .refused(let refusal, _): refusal.rawValue
        }
    }

    /// Whether `Kratos-Status-Code` is sent: the reference leaves it out where it could not read
    /// the parameters.
    package var sendsCode: Bool {
        if case .refused(.invalid, _) = self { return false }
        return true
    }
}
