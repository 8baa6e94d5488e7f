import DiscoveryCore

/// The answers of other nodes as they lie in JSON. What does not look like an instance is left out
/// alone, because the reference gives up all of an answer for one of them.
enum PeerJSON {
    /// register, renew, cancel, set, nodes, and every refusal.
    struct Answer: Decodable {
        var code: Int
        var message: String
        /// Nil too if `data` is something else, or a blank one.
        var instance: HeldInstance?

        private enum CodingKeys: String, CodingKey {
            case code, message, data
        }

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            code = try container.decode(Int.self, forKey: .code)
            message = try container.decodeIfPresent(String.self, forKey: .message) ?? ""
            let data = try container.decodeIfPresent(Lenient<HeldInstance>.self, forKey: .data)
            instance = data?.value
        }
    }

    struct All: Decodable {
        var code: Int
        var message: String
        /// In the order of their names, so that equal answers are read alike. Nil if `data` is no
        /// object.
        var apps: [[Lenient<HeldInstance>]]?

        private enum CodingKeys: String, CodingKey {
            case code, message, data
        }

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            code = try container.decode(Int.self, forKey: .code)
            message = try container.decodeIfPresent(String.self, forKey: .message) ?? ""
            typealias Apps = [String: Lenient<[Lenient<HeldInstance>]>]
            let data = try container.decodeIfPresent(Lenient<Apps>.self, forKey: .data)
            guard let found = data?.value else { return }
            // One that is no list counts as one instance that is none.
            apps = found.sorted { $0.key < $1.key }.map { $0.value.value ?? [Lenient()] }
        }
    }

    /// Nil instead of an error if it is no `Value`.
    struct Lenient<Value: Decodable>: Decodable {
        var value: Value?

        init() {}

        init(from decoder: any Decoder) throws {
            do { value = try Value(from: decoder) } catch { value = nil }
        }
    }

    /// All fields of an instance but `latest_timestamp`, which is a matter of each node.
    struct HeldInstance: Decodable {
        var region: String
        var zone: String
        var env: String
        var appid: String
        var hostname: String
        /// Null in a blank instance.
        var addrs: [String]?
        var version: String
        /// Null if it was registered without.
        var metadata: [String: String]?
        var status: Int64
        var registered: Int64
        var up: Int64
        var renewed: Int64
        var dirty: Int64

        private enum CodingKeys: String, CodingKey {
            case region, zone, env, appid, hostname, addrs, version, metadata, status
            case registered = "reg_timestamp"
            case up = "up_timestamp"
            case renewed = "renew_timestamp"
            case dirty = "dirty_timestamp"
        }
    }
}

extension PeerJSON.HeldInstance {
    /// `now` is when the other node said it; nil: the instance renewed right now. Nil if it is
    /// blank or not an instance by our rules.
    func record(at now: Int64?, _ limits: WireLimits) -> Record? {
        guard let raw = UInt8(exactly: status), let status = InstanceStatus(rawValue: raw),
            let key, let content = content(limits)
        else { return nil }
        let registered = Record.Registered(
            content: content, status: status, registered: registered, up: up,
            silence: now.map(silence) ?? 0)
        return Record(key: key, version: dirty, state: .registered(registered))
    }

    private var key: InstanceKey? {
        let fields = [env, appid, zone, hostname].map { Array($0.utf8) }
        guard fields.allSatisfy({ KeyField.isSound($0.span) }) else { return nil }
        return InstanceKey(
            env: fields[0], appid: fields[1], zone: fields[2], hostname: fields[3])
    }

    private func content(_ limits: WireLimits) -> InstanceContent? {
        // Whoever got it from a node of the reference holds its addresses joined by commas.
        let addrs = (addrs ?? []).flatMap { $0.utf8.split(separator: UInt8(ascii: ",")) }
        let entries = (metadata ?? [:]).map { name, value in
            InstanceContent.Entry(key: Array(name.utf8), value: Array(value.utf8))
        }
        do {
            return try HeldContent.make(
                region: Array(region.utf8), version: Array(version.utf8),
                addrs: addrs.map { Array($0) }, metadata: entries, limits)
        } catch {
            return nil
        }
    }

    private func silence(at now: Int64) -> Int64 {
        let (silence, isOver) = now.subtractingReportingOverflow(renewed)
        if isOver { return now < 0 ? 0 : .max }
        // Dates are whole seconds; what lies further ahead was renewed before the clock was set
        // back.
        return silence > -2 * Duration.second ? max(0, silence) : silence
    }
}
