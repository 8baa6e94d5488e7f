import Testing

@testable import Discovery

@Suite struct AddressRangeTests {
    struct Row: Sendable, CustomTestStringConvertible {
        var range: String
        var inside: [String]
        var outside: [String]
        /// As it is printed; nil: as it is written.
        var printed: String?
        var testDescription: String { range }
    }

    static let rows: [Row] = [
        Row(
            range: "10.0.0.1", inside: ["10.0.0.1", "::ffff:10.0.0.1", "::FFFF:a00:1"],
            outside: ["10.0.0.0", "10.0.0.2", "::10.0.0.1", "::1"]),
        Row(
            range: "10.1.0.0/16", inside: ["10.1.0.0", "10.1.255.255", "::ffff:10.1.2.3"],
            outside: ["10.0.255.255", "10.2.0.0", "::ffff:10.2.0.0"]),
        Row(
            range: "10.0.0.128/25", inside: ["10.0.0.128", "10.0.0.255"],
            outside: ["10.0.0.127", "10.0.1.0", "10.0.1.128"]),
        Row(
            range: "10.0.0.6/31", inside: ["10.0.0.6", "10.0.0.7"],
            outside: ["10.0.0.5", "10.0.0.8"]),
        Row(
            range: "128.0.0.0/1", inside: ["128.0.0.0", "255.255.255.255"],
            outside: ["127.255.255.255", "8000::"]),
        Row(
            range: "0.0.0.0/0", inside: ["0.0.0.0", "255.255.255.255", "::ffff:1.2.3.4"],
            outside: ["::", "::1", "2001:db8::1"]),
        Row(
            range: "192.0.2.7/32", inside: ["192.0.2.7"], outside: ["192.0.2.6"],
            printed: "192.0.2.7"),
        Row(
            range: "::1", inside: ["::1", "0:0:0:0:0:0:0:1"], outside: ["::", "::2", "0.0.0.1"]),
        Row(
            range: "2001:db8::/32",
            inside: ["2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"],
            outside: ["2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db9::", "32.1.13.184"]),
        Row(
            range: "fe80::/10", inside: ["fe80::1%eth0", "febf::1"],
            outside: ["fec0::1", "fe7f::"]),
        Row(
            range: "::/0", inside: ["::", "ffff::"],
            outside: ["0.0.0.0", "10.0.0.1", "::ffff:10.0.0.1"]),
        Row(
            range: "2001:DB8:0::1/128", inside: ["2001:db8::1"], outside: ["2001:db8::2"],
            printed: "2001:db8::1"),
        Row(
            range: "::ffff:10.0.0.0/104", inside: ["10.9.9.9"], outside: ["11.0.0.0", "::1"],
            printed: "10.0.0.0/8"),
        Row(
            range: "::ffff:0.0.0.0/96", inside: ["10.9.9.9", "0.0.0.0"], outside: ["::", "::1"],
            printed: "0.0.0.0/0"),
    ]

    @Test(arguments: rows)
    func `a range holds what shares its first bits`(_ row: Row) throws {
        let range = try #require(AddressRange(row.range))
        for text in row.inside {
            #expect(range.contains(try #require(IPAddress(text))), "\(text)")
        }
        for text in row.outside {
            #expect(!range.contains(try #require(IPAddress(text))), "\(text)")
        }
        #expect(range.description == row.printed ?? row.range)
        #expect(AddressRange(range.description) == range)
    }

    @Test(arguments: [
        "", "/", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/8/8",
        "10.0.0.0/8 ", " 10.0.0.1", "10.0.0.0/٨", "10.0.0.0/0008", "10.0.0.0/255.0.0.0",
        "10.0.0.0/99999999999999999999", "10.0.0.1/8", "10.0.0.1/31", "0.0.0.1/0", "10.0.0",
        "10.0.0.256", "010.0.0.1", "10.0.0.1:7171", "[::1]", "::1/129", "::1/127", "2001:db8::1/32",
        "::ffff:10.0.0.0/95", "::ffff:10.0.0.1/104", "fe80::1%eth0", "fe80::%1/10", ":::",
        "1::2::3",
        "node1.example", "localhost", "*", "10.0.0.1\u{0}", "10.0.0.1\u{0}/8",
    ])
    func `anything else is no range`(_ text: String) {
        #expect(AddressRange(text) == nil)
    }

    @Test(arguments: ["", "x", "10.0.0.1/32", "10.0.0.1:80", "%eth0", "::1\u{0}"])
    func `what is no literal is no address`(_ text: String) {
        #expect(IPAddress(text) == nil)
    }
}
