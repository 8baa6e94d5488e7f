import DiscoveryCore

/// Writes one instance in the field order of the reference.
enum InstanceWriter {
    /// The pieces between the fields.
    private struct Pieces: Sendable {
        let region = Literal<11>(#"{"region":""#)
        let zone = Literal<10>(#"","zone":""#)
        let env = Literal<9>(#"","env":""#)
        let appid = Literal<11>(#"","appid":""#)
        let hostname = Literal<14>(#"","hostname":""#)
        let addrs = Literal<11>(#"","addrs":["#)
        let version = Literal<13>(#"],"version":""#)
        let metadata = Literal<14>(#"","metadata":{"#)
        let status = Literal<11>(#"},"status":"#)
        let registered = Literal<17>(#","reg_timestamp":"#)
        let up = Literal<16>(#","up_timestamp":"#)
        let renewed = Literal<19>(#","renew_timestamp":"#)
        let dirty = Literal<19>(#","dirty_timestamp":"#)
        let latest = Literal<20>(#","latest_timestamp":"#)
    }

    private static let pieces = Pieces()

    /// Room for the pieces, the quotes around nothing, the status and five timestamps.
    private static let fixedBytes = 256 + 5 * JSONBound.integer

    /// The instance of -404 for a renew of an unknown host, as the reference answers: all zero.
    static let blank = """
        {"region":"","zone":"","env":"","appid":"","hostname":"","addrs":null,"version":"",\
        "metadata":null,"status":0,"reg_timestamp":0,"up_timestamp":0,"renew_timestamp":0,\
        "dirty_timestamp":0,"latest_timestamp":0}
        """

    /// No fewer bytes than `write` appends. Each packed field has two length bytes, which pay for
    /// its quotes and comma once doubled.
    static func bound(_ instance: Instance, env: [UInt8]?) -> Int {
        let content = instance.content
        let contentBytes = content.packed.count * (content.isPlain ? 2 : JSONBound.escaped)
        let keyBytes = instance.key.packed.count + (env?.count ?? 0)
        return fixedBytes + contentBytes + keyBytes * JSONBound.escaped
    }

    /// `env` stands in for the instance's own one if given.
    static func write(
        _ instance: Instance, renewed: Int64, env: [UInt8]?, to out: inout OutputSpan<UInt8>
    ) {
        let content = instance.content
        let isPlain = content.isPlain
        let packed = content.packed.span
        var reader = content.reader
        out.write(pieces.region)
        writeField(&reader, packed, isPlain, &out)
        writeKey(instance.key, env, to: &out)
        let version = reader.field(of: packed)
        out.write(pieces.addrs)
        for index in 0..<reader.count(in: packed) {
            out.append(UInt8(ascii: index == 0 ? "\"" : ","))
            if index > 0 { out.append(UInt8(ascii: "\"")) }
            writeField(&reader, packed, isPlain, &out)
            out.append(UInt8(ascii: "\""))
        }
        out.write(pieces.version)
        write(packed.extracting(version.bounds), isPlain, &out)
        out.write(pieces.metadata)
        for index in 0..<reader.count(in: packed) {
            if index > 0 { out.append(UInt8(ascii: ",")) }
            out.append(UInt8(ascii: "\""))
            writeField(&reader, packed, isPlain, &out)
            out.append(UInt8(ascii: "\""))
            out.append(UInt8(ascii: ":"))
            out.append(UInt8(ascii: "\""))
            writeField(&reader, packed, isPlain, &out)
            out.append(UInt8(ascii: "\""))
        }
        writeNumbers(instance, renewed, to: &out)
    }

    private static func writeKey(
        _ key: InstanceKey, _ env: [UInt8]?, to out: inout OutputSpan<UInt8>
    ) {
        let packed = key.packed.span
        // The fields lie behind one length byte each: env, appid, zone, hostname.
        let appid = 1 &+ Int(packed[0])
        let zone = appid &+ 1 &+ Int(packed[appid])
        let hostname = zone &+ 1 &+ Int(packed[zone])
        out.write(pieces.zone)
        writeName(packed.extracting(zone &+ 1..<hostname), to: &out)
        out.write(pieces.env)
        if let env {
            out.writeEscaped(env.span)
        } else {
            writeName(packed.extracting(1..<appid), to: &out)
        }
        out.write(pieces.appid)
        writeName(packed.extracting(appid &+ 1..<zone), to: &out)
        out.write(pieces.hostname)
        writeName(packed.extracting(hostname &+ 1..<packed.count), to: &out)
    }

    private static func writeNumbers(
        _ instance: Instance, _ renewed: Int64, to out: inout OutputSpan<UInt8>
    ) {
        out.write(pieces.status)
        out.append(UInt8(ascii: "0") + instance.status.rawValue)
        out.write(pieces.registered)
        out.write(instance.registered)
        out.write(pieces.up)
        out.write(instance.up)
        out.write(pieces.renewed)
        out.write(renewed)
        out.write(pieces.dirty)
        out.write(instance.dirty)
        out.write(pieces.latest)
        out.write(instance.latest)
        out.append(UInt8(ascii: "}"))
    }

    @inline(__always)
    private static func writeField(
        _ reader: inout InstanceContent.Reader, _ packed: Span<UInt8>, _ isPlain: Bool,
        _ out: inout OutputSpan<UInt8>
    ) {
        write(packed.extracting(reader.field(of: packed).bounds), isPlain, &out)
    }

    @inline(__always)
    private static func write(
        _ bytes: Span<UInt8>, _ isPlain: Bool, _ out: inout OutputSpan<UInt8>
    ) {
        if isPlain { out.write(bytes) } else { out.writeEscaped(bytes) }
    }

    /// Names are nearly always plain: one pass without a branch per byte, then a copy.
    @inline(__always)
    private static func writeName(_ bytes: Span<UInt8>, to out: inout OutputSpan<UInt8>) {
        var marks: UInt8 = 0
        for index in 0..<bytes.count { marks |= bytes[index].escapeMark }
        write(bytes, marks == 0, &out)
    }
}
