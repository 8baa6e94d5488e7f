package import DiscoveryCore

/// Reads what `ExchangeWriter` writes, from another machine: nothing in the bytes is believed. What
/// it gives is as sound as what `RequestReader` gives; anything else is refused as a whole, with a
/// sentence.
package struct ExchangeReader {
    private let limits: WireLimits
    /// Answers may bring records that break the rules here, where another node has other limits:
    /// those are left out and counted. A question is refused, so that its sender can name them.
    private let leavesOut: Bool
    private var skipped = 0
    private var place = BinaryReader()

    private init(_ limits: WireLimits, leavesOut: Bool) {
        self.limits = limits
        self.leavesOut = leavesOut
    }

    package static func exchange(
        _ bytes: Span<UInt8>, _ limits: WireLimits = WireLimits()
    ) throws(Rejection) -> Exchange {
        var reader = ExchangeReader(limits, leavesOut: false)
        let kind = try reader.kind(bytes)
        let exchange = try reader.exchange(kind, bytes)
        try reader.place.end(bytes)
        return exchange
    }

    package static func reply(
        _ bytes: Span<UInt8>, _ limits: WireLimits = WireLimits()
    ) throws(Rejection) -> ExchangeReply {
        var reader = ExchangeReader(limits, leavesOut: true)
        let kind = try reader.kind(bytes)
        let reply = try reader.reply(kind, bytes)
        try reader.place.end(bytes)
        return reply
    }

    private mutating func kind(_ bytes: Span<UInt8>) throws(Rejection) -> ExchangeKind {
        let version = try place.number(UInt8.self, bytes)
        guard version == ExchangeWriter.version else {
            throw Rejection(
                "exchanges of version \(version) are not understood here, only those of version "
                    + "\(ExchangeWriter.version)")
        }
        let byte = try place.number(UInt8.self, bytes)
        guard let kind = ExchangeKind(rawValue: byte) else {
            throw Rejection("there is no exchange of kind \(byte)")
        }
        return kind
    }

    private mutating func exchange(
        _ kind: ExchangeKind, _ bytes: Span<UInt8>
    ) throws(Rejection) -> Exchange {
        switch kind {
        case .changes: return .changes(try changes(bytes))
        case .pull: return .pull(leaf: try place.number(UInt32.self, bytes))
        case .compare: return .compare(try fingerprint(bytes))
        case .leaves:
            let instances = try numbers(UInt16.self, bytes)
            return .leaves(instances: instances, apps: try numbers(UInt16.self, bytes))
        case .entries: return .entries(try entries(bytes))
        case .changesReply, .pageReply, .sameReply, .rowsReply, .leavesReply, .entriesReply:
            throw Rejection("an exchange of kind \(kind.rawValue) is an answer")
        }
    }

    private mutating func reply(
        _ kind: ExchangeKind, _ bytes: Span<UInt8>
    ) throws(Rejection) -> ExchangeReply {
        switch kind {
        case .changesReply:
            let wanted = try numbers(UInt32.self, bytes)
            return .changes(wanted: wanted, newer: try records(bytes))
        case .pageReply: return .page(try page(bytes))
        case .sameReply: return .same(isProtected: try place.flag(bytes))
        case .rowsReply:
            let isProtected = try place.flag(bytes)
            let instances = try numbers(UInt64.self, bytes)
            return .rows(
                instances: instances, apps: try numbers(UInt64.self, bytes),
                isProtected: isProtected)
        case .leavesReply:
            let instances = try numbers(UInt64.self, bytes)
            return .leaves(instances: instances, apps: try numbers(UInt64.self, bytes))
        case .entriesReply: return .entries(try differences(bytes))
        case .changes, .pull, .compare, .leaves, .entries:
            throw Rejection("an exchange of kind \(kind.rawValue) is no answer")
        }
    }

    // MARK: Questions

    private mutating func changes(_ bytes: Span<UInt8>) throws(Rejection) -> Changes {
        var changes = Changes(isSameZone: try place.flag(bytes))
        try readRenewals(bytes, into: &changes)
        changes.records = try records(bytes)
        return changes
    }

    /// Room is made once for all keys: they cannot be longer than what is left.
    private mutating func readRenewals(
        _ bytes: Span<UInt8>, into changes: inout Changes
    ) throws(Rejection) {
        let count = try place.count(of: "renewals", bytesMin: Size.renewal, bytes)
        let room = min(bytes.count - place.position, count * Size.renewalUsual)
        changes.bytes.reserveCapacity(room)
        changes.renewals.reserveCapacity(count)
        for _ in 0..<count { try readRenewal(bytes, into: &changes) }
    }

    private mutating func readRenewal(
        _ bytes: Span<UInt8>, into changes: inout Changes
    ) throws(Rejection) {
        let key = try place.key(4, bytes)
        let start = changes.bytes.count
        changes.bytes.append(addingCapacity: key.count) { out in out.write(bytes.extracting(key)) }
        let version = try place.number(Int64.self, bytes)
        let silence = Int64(try place.number(UInt32.self, bytes)) * Duration.millisecond
        changes.renewals.append(
            Changes.Renewed(
                key: ByteRange(start: start, count: key.count), version: version, silence: silence))
    }

    private mutating func fingerprint(_ bytes: Span<UInt8>) throws(Rejection) -> Fingerprint {
        let instances = try place.number(UInt64.self, bytes)
        let apps = try place.number(UInt64.self, bytes)
        let rows = try place.number(UInt16.self, bytes)
        return Fingerprint(
            instances: instances, apps: apps, rows: rows,
            leavesPerRow: try place.number(UInt16.self, bytes))
    }

    private mutating func entries(_ bytes: Span<UInt8>) throws(Rejection) -> Entries {
        let instanceLeaves = try leaves(bytes)
        let appLeaves = try leaves(bytes)
        let count = try place.count(of: "entries", bytesMin: Size.entry, bytes)
        var entries: [Entries.Entry] = []
        entries.reserveCapacity(count)
        for _ in 0..<count {
            let key = try instanceKey(bytes)
            let version = try place.number(Int64.self, bytes)
            let digest = try place.number(UInt64.self, bytes)
            entries.append(Entries.Entry(key: key, version: version, digest: digest))
        }
        return Entries(
            instanceLeaves: instanceLeaves, appLeaves: appLeaves, instances: entries,
            apps: try stamps(bytes))
    }

    // MARK: Answers

    private mutating func page(_ bytes: Span<UInt8>) throws(Rejection) -> Page {
        let isProtected = try place.flag(bytes)
        let next = try place.flag(bytes) ? try place.number(UInt32.self, bytes) : nil
        let records = try records(bytes)
        var page = Page(
            records: records, stamps: try stamps(bytes), next: next, isProtected: isProtected)
        page.skipped = skipped
        return page
    }

    private mutating func differences(_ bytes: Span<UInt8>) throws(Rejection) -> Differences {
        let isPartial = try place.flag(bytes)
        let count = try place.count(of: "keys", bytesMin: Size.instanceKey, bytes)
        var wanted: [InstanceKey] = []
        wanted.reserveCapacity(count)
        for _ in 0..<count { wanted.append(try instanceKey(bytes)) }
        let records = try records(bytes)
        var differences = Differences(
            wanted: wanted, records: records, stamps: try stamps(bytes), isPartial: isPartial)
        differences.skipped = skipped
        return differences
    }

    // MARK: Parts

    private mutating func records(_ bytes: Span<UInt8>) throws(Rejection) -> [Record] {
        let count = try place.count(of: "records", bytesMin: Size.record, bytes)
        var records: [Record] = []
        records.reserveCapacity(count)
        for _ in 0..<count {
            if let record = try record(bytes) { records.append(record) } else { skipped += 1 }
        }
        return records
    }

    /// Nil if its content is left out.
    private mutating func record(_ bytes: Span<UInt8>) throws(Rejection) -> Record? {
        let key = try instanceKey(bytes)
        let version = try place.number(Int64.self, bytes)
        let state = try place.number(UInt8.self, bytes)
        if state == 0 {
            let age = try place.duration(bytes)
            return Record(key: key, version: version, state: .cancelled(age: age))
        }
        guard let status = InstanceStatus(rawValue: state) else {
            throw Rejection("status must be 1 or 2, got \(state)")
        }
        guard let registered = try registered(status, bytes) else { return nil }
        return Record(key: key, version: version, state: .registered(registered))
    }

    private mutating func registered(
        _ status: InstanceStatus, _ bytes: Span<UInt8>
    ) throws(Rejection) -> Record.Registered? {
        let registered = try place.number(Int64.self, bytes)
        let up = try place.number(Int64.self, bytes)
        let latest = try place.number(Int64.self, bytes)
        let silence = try place.duration(bytes)
        let length = Int(try place.number(UInt32.self, bytes))
        let packed = Self.copy(try place.pass(length, bytes), bytes)
        let content: InstanceContent
        do {
            content = try HeldContent.read(packed, limits)
        } catch {
            if leavesOut { return nil }
            throw error
        }
        return Record.Registered(
            content: content, status: status, registered: registered,
            up: up, latest: latest == 0 ? nil : latest, silence: silence)
    }

    private mutating func stamps(_ bytes: Span<UInt8>) throws(Rejection) -> [AppStamp] {
        let count = try place.count(of: "applications", bytesMin: Size.stamp, bytes)
        var stamps: [AppStamp] = []
        stamps.reserveCapacity(count)
        for _ in 0..<count {
            let app = AppKey(packed: Self.copy(try place.key(2, bytes), bytes))
            let latest = try place.number(Int64.self, bytes)
            let content = try place.number(UInt64.self, bytes)
            stamps.append(AppStamp(app: app, latest: latest, content: content))
        }
        return stamps
    }

    private mutating func instanceKey(_ bytes: Span<UInt8>) throws(Rejection) -> InstanceKey {
        InstanceKey(packed: Self.copy(try place.key(4, bytes), bytes))
    }

    /// Ascending, so that each is looked at once.
    private mutating func leaves(_ bytes: Span<UInt8>) throws(Rejection) -> [UInt32] {
        let leaves = try numbers(UInt32.self, bytes)
        for (leaf, next) in zip(leaves, leaves.dropFirst()) where leaf >= next {
            throw Rejection("leaves must ascend, got \(next) behind \(leaf)")
        }
        return leaves
    }

    private mutating func numbers<Number: FixedWidthInteger>(
        _ type: Number.Type, _ bytes: Span<UInt8>
    ) throws(Rejection) -> [Number] {
        let count = try place.count(of: "numbers", bytesMin: Number.bitWidth / 8, bytes)
        var numbers: [Number] = []
        numbers.reserveCapacity(count)
        for _ in 0..<count { numbers.append(try place.number(type, bytes)) }
        return numbers
    }

    /// Out of line of the loops: see `InstanceKey`, which needs an array of its own anyway.
    private static func copy(_ range: Range<Int>, _ bytes: Span<UInt8>) -> [UInt8] {
        let part = bytes.extracting(range)
        return [UInt8](capacity: part.count) { out in out.write(part) }
    }

    /// The fewest bytes each of them may have: of each field of a key one, behind its length.
    private enum Size {
        static let instanceKey = 8
        static let renewal = instanceKey + 12
        static let entry = instanceKey + 16
        /// A cancel.
        static let record = instanceKey + 17
        static let stamp = 20
        /// The bytes of a key that room is made for.
        static let renewalUsual = 64
    }
}
