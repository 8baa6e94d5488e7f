import DiscoveryCore

/// The names that providers and consumers use.
enum Names {
    static let env = Array("dev".utf8)

    static func app(_ index: Int) -> AppKey {
        guard let key = AppKey(env: env, appid: Array("app.\(index)".utf8)) else {
            preconditionFailure("the name is short")
        }
        return key
    }

    static let nodesApp: AppKey = {
        guard let key = AppKey(env: env, appid: Array("infra.discovery".utf8)) else {
            preconditionFailure("the name is short")
        }
        return key
    }()

    static func instance(app: Int, zone: String, provider: Int) -> InstanceKey {
        let key = InstanceKey(
            env: env, appid: Array("app.\(app)".utf8), zone: Array(zone.utf8),
            hostname: Array("h\(provider)".utf8))
        guard let key else { preconditionFailure("the names are short") }
        return key
    }

    static func content(provider: Int, revision: Int) -> InstanceContent {
        var addrs = [Array("http://10.1.0.\(provider):80".utf8)]
        if provider.isMultiple(of: 2) { addrs.append(Array("grpc://10.1.0.\(provider):90".utf8)) }
        let content = InstanceContent(
            region: Array("sh".utf8), version: Array("r\(revision)".utf8), addrs: addrs,
            metadata: [.init(key: Array("weight".utf8), value: Array("10".utf8))])
        guard let content else { preconditionFailure("the content is short") }
        return content
    }

    /// appid/hostname@zone, for people.
    static func text(_ key: InstanceKey) -> String {
        let parts = [key.appid, key.hostname, key.zone].map {
            String(decoding: key.packed[$0.range], as: UTF8.self)
        }
        return "\(parts[0])/\(parts[1])@\(parts[2])"
    }

    static func text(_ app: AppKey) -> String {
        String(decoding: app.packed[app.appid.range], as: UTF8.self)
    }

    /// Tells contents apart: equal numbers for equal content and status.
    static func signature(_ content: InstanceContent, _ status: InstanceStatus) -> UInt64 {
        fold(content.packed, from: 14_695_981_039_346_656_037 ^ UInt64(status.rawValue))
    }

    static func fold(_ bytes: [UInt8], from start: UInt64) -> UInt64 {
        var hash = start
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 1_099_511_628_211 }
        return hash
    }

    /// What the operator's file says in this revision; every third time there is none.
    static func schedule(revision: Int) -> ZoneSchedule? {
        if revision.isMultiple(of: 3) { return nil }
        let share = ZoneSchedule.Share(zone: Array("z0".utf8), weight: Int64(revision))
        let rule = ZoneSchedule.Rule(caller: Array("z0".utf8), shares: [share])
        return ZoneSchedule(rules: [rule]) { _ in Array("revision \(revision)".utf8) }
    }

    /// What a reader would see of the application: hosts, their contents and the schedule.
    static func signature(_ view: AppView) -> UInt64 { signature(Look(view)) }

    static func signature(_ look: Look) -> UInt64 {
        var hash: UInt64 = 14_695_981_039_346_656_037
        for instance in look.instances {
            hash = fold(instance.key.packed, from: hash)
            hash ^= signature(instance.content, instance.status)
        }
        return fold(look.schedule?.encoded ?? [], from: hash)
    }
}

extension Setting.Metadata {
    /// Nil if it is too much for one instance.
    func laid(over content: InstanceContent) -> InstanceContent? {
        switch self {
        case .unchanged: content
        case .merged(let entries): content.merging(entries, keepsOld: true)
        case .cleared: content.merging([], keepsOld: false)
        }
    }
}
