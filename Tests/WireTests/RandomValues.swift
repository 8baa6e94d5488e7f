@testable import DiscoveryCore
@testable import DiscoveryWire

/// Random values of everything that nodes tell each other, as large and as odd as they may be.
struct RandomValues {
    var random: SplitMix64

    init(seed: UInt64) { random = SplitMix64(seed: seed) }

    private static let names = [
        "a", "a-b", "dev", "infra.discovery", "\"", "<&>", "你好", "😀", "é", " ", "%41", "+", "&=",
        String(repeating: "n", count: 255),
    ]
    private static let texts =
        names + [
            "", "\n", "\u{0}", "\\", "\u{2028}", "null", "http://1.1.1.1:80?a=b&c=d",
            String(repeating: "😀", count: 256),
        ]

    mutating func chance(_ percent: Int) -> Bool {
        Int.random(in: 0..<100, using: &random) < percent
    }

    mutating func number<Number: FixedWidthInteger>(_ type: Number.Type) -> Number {
        switch Int.random(in: 0..<4, using: &random) {
        case 0: .max
        case 1: 0
        case 2: .min
        default: Number.random(in: .min ... .max, using: &random)
        }
    }

    mutating func duration() -> Int64 { Int64.random(in: 0 ... .max, using: &random) }

    mutating func list<Value>(
        _ countMax: Int, _ value: (inout RandomValues) -> Value
    ) -> [Value] {
        (0..<Int.random(in: 0...countMax, using: &random)).map { _ in value(&self) }
    }

    mutating func name() -> [UInt8] { bytes(Self.names.randomElement(using: &random) ?? "") }
    mutating func text() -> [UInt8] { bytes(Self.texts.randomElement(using: &random) ?? "") }

    mutating func packedKey(_ fields: Int) -> [UInt8] {
        var packed: [UInt8] = []
        for _ in 0..<fields {
            let name = name()
            packed += [UInt8(name.count)] + name
        }
        return packed
    }

    mutating func key() -> InstanceKey { InstanceKey(packed: packedKey(4)) }

    /// Sorted, each key once.
    mutating func entries() -> [InstanceContent.Entry] {
        let keys = list(4) { $0.text() }.sorted { $0.precedes($1) }
        var entries: [InstanceContent.Entry] = []
        for key in keys where key != entries.last?.key {
            entries.append(InstanceContent.Entry(key: key, value: text()))
        }
        return entries
    }

    /// Region without control characters, addresses without commas: as registers bring them.
    mutating func content() -> InstanceContent {
        let addrs = [name()] + list(3) { $0.name() }
        let content = InstanceContent(
            region: chance(20) ? [] : name(), version: text(), addrs: addrs, metadata: entries())
        guard let content else { preconditionFailure("the parts are within the limits") }
        return content
    }

    mutating func registered() -> Record.Registered {
        Record.Registered(
            content: content(), status: chance(50) ? .up : .waiting,
            registered: number(Int64.self), up: number(Int64.self),
            latest: chance(50) ? nil : max(1, number(Int64.self)), silence: duration())
    }

    mutating func record() -> Record {
        let state: Record.State =
            chance(30) ? .cancelled(age: duration()) : .registered(registered())
        return Record(key: key(), version: number(Int64.self), state: state)
    }

    mutating func stamp() -> AppStamp {
        AppStamp(
            app: AppKey(packed: packedKey(2)), latest: number(Int64.self),
            content: number(UInt64.self))
    }

    mutating func changes() -> Changes {
        var changes = Changes(isSameZone: chance(50))
        for _ in 0..<Int.random(in: 0...5, using: &random) {
            let packed = packedKey(4)
            let range = ByteRange(start: changes.bytes.count, count: packed.count)
            changes.bytes += packed
            let silence = Int64(number(UInt32.self)) * Duration.millisecond
            changes.renewals.append(
                Changes.Renewed(key: range, version: number(Int64.self), silence: silence))
        }
        changes.records = list(4) { $0.record() }
        return changes
    }

    mutating func exchange() -> Exchange {
        switch Int.random(in: 0..<5, using: &random) {
        case 0: .changes(changes())
        case 1: .pull(leaf: number(UInt32.self))
        case 2:
            .compare(
                Fingerprint(
                    instances: number(UInt64.self), apps: number(UInt64.self),
                    rows: number(UInt16.self), leavesPerRow: number(UInt16.self)))
        case 3:
            .leaves(
                instances: list(5) { $0.number(UInt16.self) },
                apps: list(5) { $0.number(UInt16.self) })
        default:
            .entries(
                Entries(
                    instanceLeaves: leaves(), appLeaves: leaves(),
                    instances: list(4) {
                        Entries.Entry(
                            key: $0.key(), version: $0.number(Int64.self),
                            digest: $0.number(UInt64.self))
                    },
                    apps: list(3) { $0.stamp() }))
        }
    }

    private mutating func leaves() -> [UInt32] {
        Set(list(3) { $0.number(UInt32.self) }).sorted()
    }

    mutating func reply() -> ExchangeReply {
        switch Int.random(in: 0..<6, using: &random) {
        case 0:
            .changes(wanted: list(4) { $0.number(UInt32.self) }, newer: list(3) { $0.record() })
        case 1:
            .page(
                Page(
                    records: list(3) { $0.record() }, stamps: list(3) { $0.stamp() },
                    next: chance(50) ? number(UInt32.self) : nil, isProtected: chance(50)))
        case 2: .same(isProtected: chance(50))
        case 3:
            .rows(
                instances: list(4) { $0.number(UInt64.self) },
                apps: list(4) { $0.number(UInt64.self) }, isProtected: chance(50))
        case 4:
            .leaves(
                instances: list(4) { $0.number(UInt64.self) },
                apps: list(4) { $0.number(UInt64.self) })
        default:
            .entries(
                Differences(
                    wanted: list(3) { $0.key() }, records: list(3) { $0.record() },
                    stamps: list(3) { $0.stamp() }, isPartial: chance(50)))
        }
    }

    mutating func relay() -> Relay {
        let registered = registered()
        let write: Relay.Write =
            switch Int.random(in: 0..<3, using: &random) {
            case 0: .register(registered, latest: number(Int64.self))
            case 1: .renew
            default: .cancel
            }
        return Relay(
            key: key(), region: registered.content.unpacked.region, version: duration(),
            write: write, isSameZone: chance(50))
    }

    /// As one request gives them: one application and zone, all with a status or none.
    mutating func settings() -> [Setting.Change] {
        let first = key()
        let hasStatus = chance(50)
        return ([first] + list(3) { $0.key() }).map { other in
            let hostname = other.packed[other.hostname.range]
            let key = InstanceKey(
                env: Array(first.packed[first.env.range]),
                appid: Array(first.packed[first.appid.range]),
                zone: Array(first.packed[first.zone.range]), hostname: Array(hostname))
            let metadata: Setting.Metadata =
                switch Int.random(in: 0..<3, using: &random) {
                case 0: .unchanged
                case 1: .cleared
                default: .merged(entries())
                }
            return Setting.Change(
                key: key ?? first, status: hasStatus ? (chance(50) ? .up : .waiting) : nil,
                metadata: metadata)
        }
    }
}
