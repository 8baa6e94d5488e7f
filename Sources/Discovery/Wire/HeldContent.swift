import DiscoveryCore

/// The content of an instance as another node holds it. What is in it was taken from a client by
/// that node, but the bytes come over the network: it is held to the limits of a register.
enum HeldContent {
    static func make(
        region: [UInt8], version: [UInt8], addrs: [[UInt8]], metadata: [InstanceContent.Entry],
        _ limits: WireLimits
    ) throws(Rejection) -> InstanceContent {
        try check(region, "region", limits)
        guard !region.contains(where: { $0 < 0x20 || $0 == 0x7F }) else {
            throw Rejection("region must not contain control characters")
        }
        try check(version, "version", limits)
        guard !addrs.isEmpty, addrs.count <= limits.addrsMax else {
            throw Rejection(
                "an instance has 1 to \(limits.addrsMax) addrs, got \(addrs.count)")
        }
        for address in addrs {
            guard !address.isEmpty else { throw Rejection("an instance has an empty address") }
            try check(address, "addrs", limits)
        }
        guard metadata.count <= limits.heldEntriesMax else {
            throw Rejection(
                "metadata may have at most \(limits.heldEntriesMax) entries, got "
                    + "\(metadata.count)")
        }
        let bytes = metadata.reduce(0) { $0 + $1.key.count + $1.value.count }
        guard bytes <= limits.heldMetadataBytesMax else {
            throw Rejection(
                "metadata may have at most \(limits.heldMetadataBytesMax) bytes, got \(bytes)")
        }
        let content = InstanceContent(
            region: region, version: version, addrs: addrs, metadata: metadata)
        guard let content else { throw Rejection("the instance is too large") }
        return content
    }

    /// Takes apart what is packed and packs it again: only the one packed form that equal contents
    /// have is taken, or equal versions would not be settled alike on all nodes.
    static func read(_ packed: [UInt8], _ limits: WireLimits) throws(Rejection) -> InstanceContent {
        var walk = Walk(packed)
        let region = try walk.field()
        let version = try walk.field()
        var addrs: [[UInt8]] = []
        for _ in 0..<(try walk.count(max: limits.addrsMax)) { addrs.append(try walk.field()) }
        var metadata: [InstanceContent.Entry] = []
        for _ in 0..<(try walk.count(max: limits.heldEntriesMax)) {
            let key = try walk.field()
            metadata.append(InstanceContent.Entry(key: key, value: try walk.field()))
        }
        let content = try make(
            region: region, version: version, addrs: addrs, metadata: metadata, limits)
        guard content.packed == packed else {
            throw Rejection("an instance is not packed in its canonical form")
        }
        return content
    }

    private static func check(
        _ field: [UInt8], _ name: String, _ limits: WireLimits
    ) throws(Rejection) {
        guard field.count <= limits.fieldBytesMax else {
            throw Rejection(
                "\(name) may have at most \(limits.fieldBytesMax) bytes, got \(field.count)")
        }
    }

    /// As `InstanceContent.Reader`, of bytes that nobody has looked at yet.
    private struct Walk {
        private let packed: [UInt8]
        private var position = 1

        init(_ packed: [UInt8]) { self.packed = packed }

        mutating func field() throws(Rejection) -> [UInt8] {
            let length = try number()
            guard packed.count - position >= length else { throw Walk.broken }
            let field = Array(packed[position..<position + length])
            position += length
            // What is marked as plain turns out to be ASCII when it is packed again.
            guard packed[0] == 1 || UTF8Repair.firstInvalid(in: field.span, from: 0) == nil else {
                throw Rejection("an instance has text that is not UTF-8")
            }
            return field
        }

        mutating func count(max: Int) throws(Rejection) -> Int {
            let count = try number()
            // Each is at least its two length bytes.
            guard count <= max, count <= (packed.count - position) / 2 else { throw Walk.broken }
            return count
        }

        private mutating func number() throws(Rejection) -> Int {
            guard packed.count - position >= 2 else { throw Walk.broken }
            defer { position += 2 }
            return Int(packed[position]) << 8 | Int(packed[position + 1])
        }

        private static var broken: Rejection {
            Rejection("an instance is broken off or over a limit")
        }
    }
}

extension WireLimits {
    /// `color` becomes an entry beside those that were sent as metadata.
    var heldEntriesMax: Int { metadataEntriesMax + 1 }
    /// Numbers are longer as the text that is kept (`1e99`) than as they were sent, and `color`
    /// comes on top: what a node has taken in is never more than this.
    var heldMetadataBytesMax: Int {
        metadataBytesMax + metadataEntriesMax * WireLimits.numberTextBytesMax + fieldBytesMax
    }
    /// 38 digits and an exponent of -128 to 127, written out.
    private static let numberTextBytesMax = 170
}
