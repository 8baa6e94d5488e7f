import DiscoveryCore

/// Writes an urlencoded form as Go's `url.Values` does: letters, digits and `-_.~` as they are, a
/// space as `+`, every other byte as `%XX`. The caller appends in alphabetical order.
struct FormWriter {
    private(set) var bytes: [UInt8] = []

    mutating func append(_ name: String, _ value: Span<UInt8>) {
        begin(name)
        bytes.append(addingCapacity: 3 * value.count) { out in
            for index in 0..<value.count { FormWriter.write(value[index], to: &out) }
        }
    }

    mutating func append(_ name: String, _ number: Int64) {
        begin(name)
        bytes.append(number: number)
    }

    mutating func append(_ name: String, _ flag: Bool) {
        begin(name)
        bytes.append(flag ? "true" : "false")
    }

    private mutating func begin(_ name: String) {
        if !bytes.isEmpty { bytes.append("&") }
        bytes.append(name)
        bytes.append("=")
    }

    private static func write(_ byte: UInt8, to out: inout OutputSpan<UInt8>) {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "-"), UInt8(ascii: "_"),
            UInt8(ascii: "."), UInt8(ascii: "~"):
            out.append(byte)
        case UInt8(ascii: " "): out.append(UInt8(ascii: "+"))
        default:
            out.append(UInt8(ascii: "%"))
            out.append(hexadecimal(byte >> 4))
            out.append(hexadecimal(byte & 0xF))
        }
    }

    private static func hexadecimal(_ digit: UInt8) -> UInt8 {
        digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "A") + digit - 10
    }
}

/// A form for whoever has text: in the order given.
package enum FormText {
    package static func join(_ fields: [(String, String)]) -> String {
        var writer = FormWriter()
        for (name, value) in fields { writer.append(name, value.utf8.span) }
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}
