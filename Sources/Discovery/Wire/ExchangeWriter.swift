package import DiscoveryCore

/// Which exchange the bytes hold. Questions and answers have different numbers, so neither is taken
/// for the other.
enum ExchangeKind: UInt8, CaseIterable {
    case changes = 0x01
    case pull, compare, leaves, entries
    case changesReply = 0x81
    case pageReply, sameReply, rowsReply, leavesReply, entriesReply
}

/// Writes what nodes of our own kind say to each other.
///
/// A version byte, a kind byte, then the fields of the case in their order. Numbers are big-endian
/// and of fixed width, as in the packed forms that make up most of the bytes: a batch is a few
/// dozen KB, so a varint would save little, and each value has one form only. Lists stand behind
/// their count (4 bytes). Keys are as packed, which tells where they end; contents stand behind
/// their length (4 bytes). What follows the last field is an error.
package enum ExchangeWriter {
    static let version: UInt8 = 1

    package static func append(_ exchange: Exchange, to out: inout [UInt8]) {
        switch exchange {
        case .changes(let changes):
            begin(.changes, &out)
            append(changes, &out)
        case .pull(let leaf):
            begin(.pull, &out)
            out.append(bigEndian: leaf)
        case .compare(let fingerprint):
            begin(.compare, &out)
            out.append(bigEndian: fingerprint.instances)
            out.append(bigEndian: fingerprint.apps)
            out.append(bigEndian: fingerprint.rows)
            out.append(bigEndian: fingerprint.leavesPerRow)
        case .leaves(let instances, let apps):
            begin(.leaves, &out)
            append(instances, &out)
            append(apps, &out)
        case .entries(let entries):
            begin(.entries, &out)
            append(entries, &out)
        }
    }

    package static func append(_ reply: ExchangeReply, to out: inout [UInt8]) {
        switch reply {
        case .changes(let wanted, let newer):
            begin(.changesReply, &out)
            append(wanted, &out)
            append(newer, &out)
        case .page(let page):
            begin(.pageReply, &out)
            append(page, &out)
        case .same(let isProtected):
            begin(.sameReply, &out)
            out.append(flag: isProtected)
        case .rows(let instances, let apps, let isProtected):
            begin(.rowsReply, &out)
            out.append(flag: isProtected)
            append(instances, &out)
            append(apps, &out)
        case .leaves(let instances, let apps):
            begin(.leavesReply, &out)
            append(instances, &out)
            append(apps, &out)
        case .entries(let differences):
            begin(.entriesReply, &out)
            append(differences, &out)
        }
    }

    private static func begin(_ kind: ExchangeKind, _ out: inout [UInt8]) {
        out.append(version)
        out.append(kind.rawValue)
    }

    private static func append(_ changes: Changes, _ out: inout [UInt8]) {
        // Room for a batch of renewals at once: most batches hold nothing else.
        out.reserveCapacity(
            out.count + changes.bytes.count + changes.renewals.count * renewalBytes + 16)
        out.append(flag: changes.isSameZone)
        out.append(count: changes.renewals.count)
        for renewal in changes.renewals {
            out.append(contentsOf: changes.bytes[renewal.key.bounds])
            out.append(bigEndian: renewal.version)
            out.append(bigEndian: milliseconds(renewal.silence))
        }
        append(changes.records, &out)
    }

    /// Of a renewal, behind its key: the version and the silence.
    private static let renewalBytes = 12

    /// Rounded up, so that a lease never ends later on the way. 49 days at most: a lease is over by
    /// then.
    private static func milliseconds(_ silence: Int64) -> UInt32 {
        let whole = max(0, silence)
        let (count, rest) = whole.quotientAndRemainder(dividingBy: Duration.millisecond)
        return UInt32(clamping: rest > 0 ? count + 1 : count)
    }

    private static func append(_ page: Page, _ out: inout [UInt8]) {
        out.append(flag: page.isProtected)
        out.append(flag: page.next != nil)
        if let next = page.next { out.append(bigEndian: next) }
        append(page.records, &out)
        append(page.stamps, &out)
    }

    private static func append(_ entries: Entries, _ out: inout [UInt8]) {
        append(entries.instanceLeaves, &out)
        append(entries.appLeaves, &out)
        out.append(count: entries.instances.count)
        for entry in entries.instances {
            out.append(contentsOf: entry.key.packed)
            out.append(bigEndian: entry.version)
            out.append(bigEndian: entry.digest)
        }
        append(entries.apps, &out)
    }

    private static func append(_ differences: Differences, _ out: inout [UInt8]) {
        out.append(flag: differences.isPartial)
        out.append(count: differences.wanted.count)
        for key in differences.wanted { out.append(contentsOf: key.packed) }
        append(differences.records, &out)
        append(differences.stamps, &out)
    }

    private static func append(_ records: [Record], _ out: inout [UInt8]) {
        out.append(count: records.count)
        for record in records { append(record, &out) }
    }

    /// Behind the version 0 for a cancel, else the status.
    private static func append(_ record: Record, _ out: inout [UInt8]) {
        out.append(contentsOf: record.key.packed)
        out.append(bigEndian: record.version)
        switch record.state {
        case .cancelled(let age):
            out.append(0)
            out.append(bigEndian: max(0, age))
        case .registered(let registered):
            out.append(registered.status.rawValue)
            out.append(bigEndian: registered.registered)
            out.append(bigEndian: registered.up)
            out.append(bigEndian: registered.latest ?? 0)
            out.append(bigEndian: max(0, registered.silence))
            out.append(count: registered.content.packed.count)
            out.append(contentsOf: registered.content.packed)
        }
    }

    private static func append(_ stamps: [AppStamp], _ out: inout [UInt8]) {
        out.append(count: stamps.count)
        for stamp in stamps {
            out.append(contentsOf: stamp.app.packed)
            out.append(bigEndian: stamp.latest)
            out.append(bigEndian: stamp.content)
        }
    }

    private static func append<Number: FixedWidthInteger>(
        _ numbers: [Number], _ out: inout [UInt8]
    ) {
        out.append(count: numbers.count)
        for number in numbers { out.append(bigEndian: number) }
    }
}

extension [UInt8] {
    @inline(__always)
    fileprivate mutating func append<Number: FixedWidthInteger>(bigEndian value: Number) {
        var shift = Number.bitWidth
        while shift > 0 {
            shift -= 8
            append(UInt8(truncatingIfNeeded: value >> Number(shift)))
        }
    }

    /// No list in memory reaches the four billion that would not fit.
    fileprivate mutating func append(count: Int) { append(bigEndian: UInt32(clamping: count)) }

    fileprivate mutating func append(flag: Bool) { append(flag ? 1 : 0) }
}
