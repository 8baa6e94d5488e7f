/// Names one registered instance: (env, appid, zone, hostname).
///
/// Packed as four fields, each behind one length byte, in that order. So the tuple is one
/// allocation, is compared and hashed in one pass, no separator can be forged (env `a`, appid `b-c`
/// differs from env `a-b`, appid `c`), and the key of its application is a prefix of it.
package struct InstanceKey: Hashable, Sendable {
    package let packed: [UInt8]

    /// `packed` must hold exactly four fields.
    package init(packed: [UInt8]) {
        self.packed = packed
        precondition(
            PackedKey.end(of: 4, in: packed.span) == packed.count, "an instance key has four fields"
        )
    }

    /// Fails if a field is longer than `PackedKey.fieldBytesMax`.
    package init?(env: [UInt8], appid: [UInt8], zone: [UInt8], hostname: [UInt8]) {
        var packed: [UInt8] = []
        for field in [env, appid, zone, hostname] {
            guard PackedKey.append(field.span, to: &packed) else { return nil }
        }
        self.init(packed: packed)
    }

    package var env: ByteRange { PackedKey.field(0, of: packed.span) }
    package var appid: ByteRange { PackedKey.field(1, of: packed.span) }
    package var zone: ByteRange { PackedKey.field(2, of: packed.span) }
    package var hostname: ByteRange { PackedKey.field(3, of: packed.span) }

    /// Whether its host name sorts before the other's.
    func isHostPreceding(_ other: InstanceKey) -> Bool {
        let (left, right) = (hostname.range, other.hostname.range)
        let (leftBytes, rightBytes) = (packed.span, other.packed.span)
        return leftBytes.extracting(left).precedes(rightBytes.extracting(right))
    }

    /// The key of its application, as a prefix of `packed`.
    package var application: ByteRange {
        ByteRange(start: 0, count: PackedKey.end(of: 2, in: packed.span))
    }
}

/// Names one application: (env, appid), packed as the first two fields of an `InstanceKey`.
package struct AppKey: Hashable, Sendable {
    package let packed: [UInt8]

    package init(packed: [UInt8]) {
        self.packed = packed
        precondition(
            PackedKey.end(of: 2, in: packed.span) == packed.count,
            "an application key has two fields")
    }

    /// Fails if a field is longer than `PackedKey.fieldBytesMax`.
    package init?(env: [UInt8], appid: [UInt8]) {
        var packed: [UInt8] = []
        guard PackedKey.append(env.span, to: &packed), PackedKey.append(appid.span, to: &packed)
        else { return nil }
        self.init(packed: packed)
    }

    package var env: ByteRange { PackedKey.field(0, of: packed.span) }
    package var appid: ByteRange { PackedKey.field(1, of: packed.span) }
}

/// The layout shared by both keys: fields of at most 255 bytes, each behind its length.
package enum PackedKey {
    /// One length byte. Host names end at 253 characters.
    package static let fieldBytesMax = 255

    /// Appends one field; false and nothing appended if it is too long.
    package static func append(_ field: Span<UInt8>, to packed: inout [UInt8]) -> Bool {
        if field.count > fieldBytesMax { return false }
        packed.append(UInt8(field.count))
        for index in 0..<field.count { packed.append(field[index]) }
        return true
    }

    /// Where the first `count` fields end.
    package static func end(of count: Int, in packed: Span<UInt8>) -> Int {
        var position = 0
        for _ in 0..<count { position += 1 + Int(packed[position]) }
        return position
    }

    package static func field(_ index: Int, of packed: Span<UInt8>) -> ByteRange {
        let start = end(of: index, in: packed)
        return ByteRange(start: start + 1, count: Int(packed[start]))
    }
}
