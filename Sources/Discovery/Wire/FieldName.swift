/// The parameters a request may carry, in the words of the wire. Others are skipped.
enum FieldName: UInt8, CaseIterable {
    case region, zone, env, appid, hostname, addrs, version, metadata, status, color
    case latest, dirty, setTimestamp, replication, fromZone, format

    static let count = FieldName.allCases.count

    var index: Int { Int(rawValue) }

    var text: String {
        switch self {
        case .region: "region"
        case .zone: "zone"
        case .env: "env"
        case .appid: "appid"
        case .hostname: "hostname"
        case .addrs: "addrs"
        case .version: "version"
        case .metadata: "metadata"
        case .status: "status"
        case .color: "color"
        case .latest: "latest_timestamp"
        case .dirty: "dirty_timestamp"
        case .setTimestamp: "set_timestamp"
        case .replication: "replication"
        case .fromZone: "from_zone"
        case .format: "format"
        }
    }

    /// What a missing one is answered with.
    var missing: String {
        switch self {
        case .env: "env is required: the client did not say its environment (DEPLOY_ENV)"
        case .zone: "zone is required: the client did not say its zone (ZONE)"
        case .region, .appid, .hostname, .addrs, .version, .metadata, .status, .color, .latest,
            .dirty, .setTimestamp, .replication, .fromZone, .format:
            "\(text) is required"
        }
    }
}

/// A name of up to 16 bytes in two words, so that names are compared without a loop or a `String`.
/// Longer ones only keep their length, which no known name has.
struct ShortName: Equatable {
    private var low: UInt64 = 0
    private var high: UInt64 = 0
    private(set) var count = 0

    init() {}

    init(_ text: String) {
        for byte in text.utf8 { append(byte) }
    }

    @inline(__always)
    mutating func append(_ byte: UInt8) {
        if count < 8 {
            low |= UInt64(byte) &<< UInt64(truncatingIfNeeded: count &* 8)
        } else if count < 16 {
            high |= UInt64(byte) &<< UInt64(truncatingIfNeeded: (count &- 8) &* 8)
        }
        count &+= 1
    }

    var hash: Int {
        let mixed = (low ^ (high &* 0x9E37_79B9_7F4A_7C15)) &* 0xA076_1D64_78BD_642F
        return Int(truncatingIfNeeded: mixed &>> 58)
    }
}

/// Finds a `FieldName` by its bytes: open addressing over 64 places, a quarter of them used.
struct FieldTable {
    private struct Place {
        var name = ShortName()
        var field: FieldName?
    }

    private var places = [Place](repeating: Place(), count: 64)

    init() {
        for field in FieldName.allCases {
            let name = ShortName(field.text)
            var index = name.hash
            while places[index].field != nil { index = (index + 1) & 63 }
            places[index] = Place(name: name, field: field)
        }
    }

    @inline(__always)
    func find(_ name: ShortName) -> FieldName? {
        var index = name.hash & 63
        while let field = places[index].field {
            if places[index].name == name { return field }
            index = (index &+ 1) & 63
        }
        return nil
    }

    /// The reference's JSON binder matches names in any case.
    func find(anyCase text: String) -> FieldName? {
        var name = ShortName()
        for byte in text.utf8 { name.append(byte.lowercased) }
        return find(name)
    }
}

extension UInt8 {
    /// ASCII only.
    var lowercased: UInt8 { self >= 0x41 && self <= 0x5A ? self | 0x20 : self }
}
