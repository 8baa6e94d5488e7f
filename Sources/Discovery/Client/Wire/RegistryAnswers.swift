internal import DiscoveryWire

/// What the registry answers, as far as a client looks at it.
struct RegistryAnswer: Decodable {
    let code: Int
    let message: String

    private enum CodingKeys: String, CodingKey { case code, message }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        code = try container.decode(Int.self, forKey: .code)
        message = try container.decodeIfPresent(String.self, forKey: .message) ?? ""
    }
}

/// The answer of `polls`.
struct AppsAnswer: Decodable {
    /// By appid. Apps that cannot be read are left out: one must not cost the others.
    let apps: [String: AppAnswer]

    private enum CodingKeys: String, CodingKey { case data }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let data = try container.decodeIfPresent([String: Lenient<AppAnswer>].self, forKey: .data)
        apps = (data ?? [:]).compactMapValues(\.value)
    }
}

struct AppAnswer: Decodable {
    let instances: [Instance]
    let latestTimestamp: Int64
    let schedule: [String: [String: Int64]]

    private enum CodingKeys: String, CodingKey {
        case instances, scheduler
        case latestTimestamp = "latest_timestamp"
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        latestTimestamp = try container.decode(Int64.self, forKey: .latestTimestamp)
        let zones =
            try container.decodeIfPresent(
                [String: [Lenient<HeldInstance>]].self, forKey: .instances) ?? [:]
        // By the zone that an instance names, whichever it stands under.
        instances = zones.values.joined().compactMap(\.value?.instance)
            .filter { $0.status == .up }
            .sorted { ($0.zone, $0.hostname) < ($1.zone, $1.hostname) }
        let scheduler = try container.decodeIfPresent(
            Lenient<HeldSchedule>.self, forKey: .scheduler)
        schedule = scheduler?.value?.shares ?? [:]
    }
}

/// Nil instead of an error if it is no `Value`.
private struct Lenient<Value: Decodable>: Decodable {
    let value: Value?

    init(from decoder: any Decoder) throws {
        do { value = try Value(from: decoder) } catch { value = nil }
    }
}

/// Either shape that there is in the field.
private struct HeldSchedule: Decodable {
    let shares: [String: [String: Int64]]

    private struct Object: Decodable {
        struct Client: Decodable { let zones: [String: Share] }
        struct Share: Decodable { let weight: Int64 }
        let clients: [String: Client]
    }

    private struct Rule: Decodable {
        let src: String
        let dst: [String: Int64]
    }

    init(from decoder: any Decoder) throws {
        do {
            let rules = try [Rule](from: decoder)
            shares = Dictionary(rules.map { ($0.src, $0.dst) }) { $1 }
        } catch {
            let object = try Object(from: decoder)
            shares = object.clients.mapValues { $0.zones.mapValues(\.weight) }
        }
    }
}

private struct HeldInstance: Decodable {
    let instance: Instance

    private enum CodingKeys: String, CodingKey {
        case region, zone, env, appid, hostname, addrs, version, metadata, status
        case latestTimestamp = "latest_timestamp"
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        func text(_ key: CodingKeys) throws -> String {
            try container.decodeIfPresent(String.self, forKey: key) ?? ""
        }
        let metadata = try container.decodeIfPresent(
            [String: Lenient<String>].self, forKey: .metadata)
        let status = try container.decodeIfPresent(Int.self, forKey: .status) ?? 1
        instance = Instance(
            appID: try container.decode(String.self, forKey: .appid), env: try text(.env),
            zone: try container.decode(String.self, forKey: .zone),
            hostname: try container.decode(String.self, forKey: .hostname),
            region: try text(.region), version: try text(.version),
            addresses: try container.decodeIfPresent([String].self, forKey: .addrs) ?? [],
            metadata: (metadata ?? [:]).compactMapValues(\.value),
            status: InstanceStatus(rawValue: status) ?? .waiting,
            latestTimestamp: try container.decodeIfPresent(
                Int64.self, forKey: .latestTimestamp) ?? 0)
    }
}

/// An answer that is not the registry's.
struct BadAnswer: Error, CustomStringConvertible {
    let description: String

    static func read<Value: Decodable>(
        _ type: Value.Type, _ bytes: [UInt8]
    ) throws(BadAnswer) -> Value {
        do throws(Rejection) {
            return try JSONReader.decode(type, bytes.span, "the answer")
        } catch {
            throw BadAnswer(description: error.message)
        }
    }
}
