import Testing

@testable import DiscoveryCore
@testable import DiscoveryWire

@Suite struct EscapeTests {
    private func quoted(_ value: String) -> String {
        var out: [UInt8] = []
        out.append(quoted: bytes(value).span)
        return text(out)
    }

    /// As Go's `encoding/json` of the reference's time writes them.
    @Test(arguments: [
        ("", ""), ("plain /'~", "plain /'~"), ("\"", "\\\""), ("\\", "\\\\"),
        ("<>&", #"\u003c\u003e\u0026"#),
        ("\n\r\t", #"\n\r\t"#), ("\u{8}\u{C}", #"\u0008\u000c"#), ("\u{0}", #"\u0000"#),
        ("\u{1}\u{1F}\u{B}", #"\u0001\u001f\u000b"#), ("\u{7F}", "\u{7F}"),
        ("\u{2028}\u{2029}", #"\u2028\u2029"#), ("\u{2027}\u{202A}", "\u{2027}\u{202A}"),
        ("é你😀", "é你😀"), ("\u{FFFD}", "\u{FFFD}"), ("\u{80}\u{10FFFF}", "\u{80}\u{10FFFF}"),
        ("a\u{2028}b<", #"a\u2028b\u003c"#), ("€\u{2028}", "€\\u2028"),
        ("<<<", #"\u003c\u003c\u003c"#),
    ])
    func `strings are escaped as the reference escapes them`(value: String, escaped: String) {
        #expect(quoted(value) == "\"\(escaped)\"")
    }

    @Test func `a byte is copied as it is where Core says that it may be`() {
        for byte in UInt8.min...UInt8.max {
            #expect((byte.escapeMark == 0) == byte.isPlainInJSON)
            if byte < 0x80 {
                let isCopied = quoted(text([byte])).utf8.count == 3
                #expect(isCopied == (byte.isPlainInJSON || byte == 0x7F))
            }
        }
    }

    @Test func `broken characters end nothing`() {
        for tail in [[0xE2], [0xE2, 0x80], [0xE2, 0x80, 0x80], [0xE2, 0xE2, 0x80, 0xA8]]
            as [[UInt8]]
        {
            var out: [UInt8] = []
            out.append(quoted: tail.span)
            #expect(out.count == (tail.count == 4 ? 9 : tail.count + 2))
        }
    }

    @Test func `integers of every length are written`() {
        var values: [Int64] = [.min, .max, 0, 1, -1, 9, 10, -10]
        var power: Int64 = 1
        while power <= .max / 10 {
            power *= 10
            values += [power - 1, power, power + 1, -power, power &* 7 / 3, power / 7 * 9]
        }
        var random = SplitMix64(seed: 1)
        for _ in 0..<20_000 {
            let word = random.next() >> UInt64.random(in: 0..<64, using: &random)
            values.append(Int64(bitPattern: word))
        }
        for value in values {
            var out: [UInt8] = []
            out.append(number: value)
            #expect(text(out) == String(value))
        }
    }
}
