package import DiscoveryCore

/// A request to another node, ready for a client of HTTP.
package struct PeerMessage: Equatable, Sendable {
    /// Else GET, without a body.
    package var isPost: Bool
    /// The path, without a query.
    package var target: String
    /// Of the body, nil without one.
    package var contentType: String?
    package var body: [UInt8]
}

/// Writes what this node asks of others. To nodes of the reference it speaks as they do among each
/// other: forms with their names in alphabetical order, `from_zone=true`, and `replication` saying
/// whether the receiver is in the sender's zone. Two things differ: addresses are repeated, because
/// the receiver takes joined ones for a single address, and a cancel carries its version as
/// `dirty_timestamp` too, which the reference skips.
package enum PeerRequestWriter {
    package static let exchangeType = "application/octet-stream"
    private static let formType = "application/x-www-form-urlencoded"

    package static func write(_ request: PeerRequest) -> PeerMessage {
        switch request {
        case .probe: get(.nodes)
        case .fetchAll: get(.fetchAll)
        case .relay(let relay): post(relay)
        case .set(let changes, let version, let isSameZone):
            post(.set, formType, form(changes, version, isSameZone))
        case .exchange(let exchange): post(exchange)
        }
    }

    private static func get(_ route: Route) -> PeerMessage {
        PeerMessage(isPost: false, target: route.path, contentType: nil, body: [])
    }

    private static func post(_ route: Route, _ type: String, _ body: [UInt8]) -> PeerMessage {
        PeerMessage(isPost: true, target: route.path, contentType: type, body: body)
    }

    private static func post(_ exchange: Exchange) -> PeerMessage {
        var body: [UInt8] = []
        ExchangeWriter.append(exchange, to: &body)
        return post(.exchange, exchangeType, body)
    }

    private static func post(_ relay: Relay) -> PeerMessage {
        switch relay.write {
        case .register(let registered, let latest):
            post(.register, formType, form(relay, registered, latest))
        case .renew: post(.renew, formType, form(relay, latest: nil))
        case .cancel: post(.cancel, formType, form(relay, latest: relay.version))
        }
    }

    private static func form(
        _ relay: Relay, _ registered: Record.Registered, _ latest: Int64
    ) -> [UInt8] {
        let content = registered.content.unpacked
        let key = relay.key
        var form = FormWriter()
        for address in content.addrs { form.append("addrs", address.span) }
        form.append("appid", key.appid, of: key)
        form.append("dirty_timestamp", relay.version)
        form.append("env", key.env, of: key)
        form.append("from_zone", true)
        form.append("hostname", key.hostname, of: key)
        form.append("latest_timestamp", latest)
        form.append("metadata", metadataText(content.metadata).span)
        form.append("reg_timestamp", registered.registered)
        form.append("region", content.region.span)
        form.append("replication", relay.isSameZone)
        form.append("status", Int64(registered.status.rawValue))
        form.append("version", content.version.span)
        form.append("zone", key.zone, of: key)
        return form.bytes
    }

    /// `latest`: of a cancel, what the reference takes for the application's timestamp.
    private static func form(_ relay: Relay, latest: Int64?) -> [UInt8] {
        let key = relay.key
        var form = FormWriter()
        form.append("appid", key.appid, of: key)
        form.append("dirty_timestamp", relay.version)
        form.append("env", key.env, of: key)
        form.append("from_zone", true)
        form.append("hostname", key.hostname, of: key)
        if let latest { form.append("latest_timestamp", latest) }
        form.append("region", relay.region.span)
        form.append("replication", relay.isSameZone)
        form.append("zone", key.zone, of: key)
        return form.bytes
    }

    /// Statuses are sent if every host gets one, metadata if any host does.
    private static func form(
        _ changes: [Setting.Change], _ version: Int64, _ isSameZone: Bool
    ) -> [UInt8] {
        guard let key = changes.first?.key else { return [] }
        var form = FormWriter()
        form.append("appid", key.appid, of: key)
        form.append("env", key.env, of: key)
        form.append("from_zone", true)
        for change in changes { form.append("hostname", change.key.hostname, of: change.key) }
        if changes.contains(where: { $0.metadata != .unchanged }) {
            for change in changes { form.append("metadata", text(change.metadata).span) }
        }
        form.append("replication", isSameZone)
        form.append("set_timestamp", version)
        let statuses = changes.compactMap(\.status)
        if statuses.count == changes.count {
            for status in statuses { form.append("status", Int64(status.rawValue)) }
        }
        form.append("zone", key.zone, of: key)
        return form.bytes
    }

    /// An unchanged one among others holds its place as a merge of nothing, which changes nothing:
    /// the reference drops empty values before it counts them.
    private static func text(_ metadata: Setting.Metadata) -> [UInt8] {
        switch metadata {
        case .unchanged: metadataText([])
        case .merged(let entries): metadataText(entries)
        case .cleared: Array("null".utf8)
        }
    }

    private static func metadataText(_ entries: [InstanceContent.Entry]) -> [UInt8] {
        var text: [UInt8] = []
        text.append(object: entries)
        return text
    }
}

extension FormWriter {
    fileprivate mutating func append(_ name: String, _ field: ByteRange, of key: InstanceKey) {
        append(name, key.packed.span.extracting(field.bounds))
    }
}
