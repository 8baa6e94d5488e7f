/// What an instance says about itself, apart from its status: region, version, addresses and
/// metadata.
///
/// Packed into one allocation, metadata sorted by key, so equal contents have equal bytes: they
/// decide whether a write changed anything, and settle writes with equal versions. Layout: a flag
/// byte, then fields behind two length bytes each: region, version, the number of addresses and the
/// addresses, the number of metadata entries and their keys and values in turn.
package struct InstanceContent: Equatable, Sendable {
    package let packed: [UInt8]

    /// Bytes one field may have: two length bytes.
    package static let fieldBytesMax = Int(UInt16.max)
    /// Addresses or metadata entries one instance may have: two bytes.
    package static let entriesMax = Int(UInt16.max)

    package struct Entry: Equatable, Sendable {
        package var key: [UInt8]
        package var value: [UInt8]

        package init(key: [UInt8], value: [UInt8]) {
            self.key = key
            self.value = value
        }
    }

    /// Of several metadata entries with one key the last counts. Nil if a field or a list is longer
    /// than its maximum.
    package init?(region: [UInt8], version: [UInt8], addrs: [[UInt8]], metadata: [Entry]) {
        let entries = InstanceContent.canonical(metadata)
        guard addrs.count <= InstanceContent.entriesMax,
            entries.count <= InstanceContent.entriesMax
        else { return nil }
        var size = 1 + 2 + region.count + 2 + version.count + 4
        for address in addrs { size += 2 + address.count }
        for entry in entries { size += 4 + entry.key.count + entry.value.count }

        var packed: [UInt8] = []
        packed.reserveCapacity(size)
        packed.append(1)
        var isWritten = InstanceContent.append(region, to: &packed)
        isWritten = InstanceContent.append(version, to: &packed) && isWritten
        InstanceContent.append(count: addrs.count, to: &packed)
        for address in addrs {
            isWritten = InstanceContent.append(address, to: &packed) && isWritten
        }
        InstanceContent.append(count: entries.count, to: &packed)
        for entry in entries {
            isWritten = InstanceContent.append(entry.key, to: &packed) && isWritten
            isWritten = InstanceContent.append(entry.value, to: &packed) && isWritten
        }
        guard isWritten else { return nil }
        self.packed = packed
    }

    /// Whether no byte of it needs escaping in JSON: printable ASCII but `"`, `\`, `<`, `>`, `&`.
    /// Known once per write, so that a read copies instead of looking at each byte.
    package var isPlain: Bool { packed[0] == 1 }

    package var reader: Reader { Reader() }

    /// Walks the fields in their order. It holds a place only, the caller lends `packed`.
    package struct Reader {
        private var position = 1

        package mutating func field(of packed: Span<UInt8>) -> ByteRange {
            let length = count(in: packed)
            defer { position += length }
            return ByteRange(start: position, count: length)
        }

        package mutating func count(in packed: Span<UInt8>) -> Int {
            defer { position += 2 }
            return Int(packed[position]) << 8 | Int(packed[position + 1])
        }
    }

    /// How many entries the metadata has, and the bytes of their keys and values.
    package var metadataSize: (entries: Int, bytes: Int) {
        let span = packed.span
        var reader = self.reader
        _ = reader.field(of: span)
        _ = reader.field(of: span)
        for _ in 0..<reader.count(in: span) { _ = reader.field(of: span) }
        let entries = reader.count(in: span)
        var bytes = 0
        for _ in 0..<2 * entries { bytes += Int(reader.field(of: span).count) }
        return (entries, bytes)
    }

    /// The content with `changes` laid over its metadata; with `keepsOld` false they replace it.
    /// Nil as in `init`.
    package func merging(_ changes: [Entry], keepsOld: Bool) -> InstanceContent? {
        let parts = unpacked
        let metadata = keepsOld ? parts.metadata + changes : changes
        return InstanceContent(
            region: parts.region, version: parts.version, addrs: parts.addrs, metadata: metadata)
    }

    package struct Parts: Equatable, Sendable {
        package var region: [UInt8]
        package var version: [UInt8]
        package var addrs: [[UInt8]]
        package var metadata: [Entry]
    }

    /// The fields as values of their own. Allocates each: for rare paths and tests.
    package var unpacked: Parts {
        let span = packed.span
        var reader = self.reader
        let region = Array(packed[reader.field(of: span).range])
        let version = Array(packed[reader.field(of: span).range])
        var addrs: [[UInt8]] = []
        for _ in 0..<reader.count(in: span) {
            addrs.append(Array(packed[reader.field(of: span).range]))
        }
        var metadata: [Entry] = []
        for _ in 0..<reader.count(in: span) {
            let key = Array(packed[reader.field(of: span).range])
            metadata.append(Entry(key: key, value: Array(packed[reader.field(of: span).range])))
        }
        return Parts(region: region, version: version, addrs: addrs, metadata: metadata)
    }

    /// Sorted by key, one entry per key, the last one given.
    private static func canonical(_ metadata: [Entry]) -> [Entry] {
        if metadata.count < 2 { return metadata }
        let order = metadata.indices.sorted { left, right in
            if metadata[left].key == metadata[right].key { return left < right }
            return metadata[left].key.precedes(metadata[right].key)
        }
        var entries: [Entry] = []
        entries.reserveCapacity(metadata.count)
        for index in order {
            if let last = entries.last, last.key == metadata[index].key { entries.removeLast() }
            entries.append(metadata[index])
        }
        return entries
    }

    private static func append(count: Int, to packed: inout [UInt8]) {
        packed.append(UInt8(truncatingIfNeeded: count >> 8))
        packed.append(UInt8(truncatingIfNeeded: count))
    }

    private static func append(_ field: [UInt8], to packed: inout [UInt8]) -> Bool {
        if field.count > fieldBytesMax { return false }
        append(count: field.count, to: &packed)
        for byte in field {
            if !byte.isPlainInJSON { packed[0] = 0 }
            packed.append(byte)
        }
        return true
    }
}

extension UInt8 {
    /// Printable ASCII that JSON, as the reference writes it, leaves alone.
    package var isPlainInJSON: Bool {
        self >= 0x20 && self < 0x7F && self != UInt8(ascii: "\"") && self != UInt8(ascii: "\\")
            && self != UInt8(ascii: "<") && self != UInt8(ascii: ">") && self != UInt8(ascii: "&")
    }
}
