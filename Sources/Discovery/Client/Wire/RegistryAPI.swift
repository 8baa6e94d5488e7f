internal import DiscoveryCore
internal import DiscoveryWire

/// The calls of the registry, each to one node.
struct RegistryAPI: Sendable {
    /// What came of a poll.
    enum Polled: Sendable {
        /// By appid, only those with news.
        case news([String: AppAnswer])
        /// Nothing changed while the poll was held.
        case unchanged
        /// The node does not answer this, or not now.
        case refused(code: Int, message: String)
    }

    let transport: any Transport
    let configuration: ClientConfiguration

    // MARK: Providers

    func register(_ registration: Registration, at node: String) async throws -> RegistryAnswer {
        var fields = key(registration.appID)
        fields.append(("status", "\(registration.status.rawValue)"))
        fields.append(("version", registration.version))
        fields += registration.addresses.map { ("addrs", $0) }
        fields.append(("metadata", Self.object(registration.metadata)))
        return try await write("register", fields, at: node)
    }

    func renew(_ appID: String, at node: String) async throws -> RegistryAnswer {
        try await write("renew", key(appID), at: node)
    }

    func cancel(_ appID: String, at node: String) async throws -> RegistryAnswer {
        try await write("cancel", key(appID), at: node)
    }

    func set(
        _ appID: String, status: InstanceStatus?, metadata: [String: String]?, at node: String
    ) async throws -> RegistryAnswer {
        var fields = key(appID)
        if let status { fields.append(("status", "\(status.rawValue)")) }
        if let metadata { fields.append(("metadata", Self.object(metadata))) }
        return try await write("set", fields, at: node)
    }

    private typealias Fields = [(name: String, value: String)]

    private func key(_ appID: String) -> Fields {
        [
            ("region", configuration.region), ("zone", configuration.zone),
            ("env", configuration.env), ("appid", appID), ("hostname", configuration.hostname),
        ]
    }

    private func write(
        _ route: String, _ fields: Fields, at node: String
    ) async throws -> RegistryAnswer {
        let request = RegistryRequest(method: .post, route: route, fields: fields)
        let body = try await transport.send(
            request, to: node, within: configuration.requestTimeout)
        return try BadAnswer.read(RegistryAnswer.self, body)
    }

    private static func object(_ metadata: [String: String]) -> String {
        let entries = metadata.sorted { $0.key < $1.key }.map { key, value in
            InstanceContent.Entry(key: Array(key.utf8), value: Array(value.utf8))
        }
        var text: [UInt8] = []
        text.append(object: entries)
        return String(decoding: text, as: UTF8.self)
    }

    // MARK: Consumers

    /// Whether every node takes this as the name of an app. Lists of them are comma-joined.
    static func isUsable(_ appID: String) -> Bool {
        appID.utf8.count <= PackedKey.fieldBytesMax && KeyField.isSound(appID.utf8.span)
            && !appID.utf8.contains(UInt8(ascii: ","))
    }

    /// What an answer may take from the node to here.
    private static let answerTime = Swift.Duration.seconds(1)

    /// `apps`: what is polled for, with the timestamp that this client has of it from this node; 0:
    /// it wants what there is.
    func poll(
        _ apps: [(appID: String, latest: Int64)], at node: String, within time: Swift.Duration
    ) async throws -> Polled {
        var fields: Fields = [
            ("env", configuration.env), ("hostname", configuration.hostname),
        ]
        for app in apps {
            fields.append(("appid", app.appID))
            fields.append(("latest_timestamp", "\(app.latest)"))
        }
        let hold = max(time - RegistryAPI.answerTime, time / 2)
        let request = RegistryRequest(
            method: .get, route: "polls", fields: fields,
            holdMilliseconds: Int(hold / .milliseconds(1)))
        let body = try await transport.send(request, to: node, within: time)
        let answer = try BadAnswer.read(RegistryAnswer.self, body)
        switch answer.code {
        case 0: return .news(try BadAnswer.read(AppsAnswer.self, body).apps)
        case -304: return .unchanged
        default: return .refused(code: answer.code, message: answer.message)
        }
    }
}
