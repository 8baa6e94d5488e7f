import Testing

@testable import DiscoveryCore
@testable import DiscoveryWire

@Suite struct HTTPDateTests {
    private func read(_ text: String) -> Int64? { HTTPDate.read(bytes(text).span) }

    @Test(arguments: [
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0), ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777),
        ("Thu, 29 Feb 2024 12:00:00 GMT", 1_709_208_000),
        ("Tue, 29 Feb 2000 23:59:59 GMT", 951_868_799),
        ("Wed, 31 Dec 1969 23:59:59 GMT", -1), ("Fri, 01 Mar 2024 00:00:00 GMT", 1_709_251_200),
        ("Tue, 14 Nov 2023 22:13:20 GMT", 1_700_000_000),
        ("Thu, 31 Dec 2026 23:59:60 GMT", 1_798_761_600),
        ("Fri, 11 Apr 2262 23:47:16 GMT", 9_223_372_036),
        ("Mon, 01 Jan 1900 00:00:00 GMT", -2_208_988_800),
    ])
    func `a date is read to the second`(text: String, seconds: Int64) {
        #expect(read(text) == seconds * 1_000_000_000)
    }

    /// Against the days counted one by one.
    @Test func `every day of four centuries is read`() {
        let names = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
        let months = [
            "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
        ]
        var dayNumber = 0
        for year in 1970..<2262 {
            for month in 0..<12 {
                let isLeap = year % 400 == 0 || (year % 4 == 0 && year % 100 != 0)
                let lengths = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
                for day in 1...lengths[month] {
                    let padded = day < 10 ? "0\(day)" : "\(day)"
                    let text = "\(names[dayNumber % 7]), \(padded) \(months[month]) \(year)"
                    let expected = Int64(dayNumber) * 86_400_000_000_000
                    if read("\(text) 00:00:00 GMT") != expected { Issue.record("\(text)") }
                    dayNumber += 1
                }
            }
        }
    }

    @Test(arguments: [
        "", "Sun, 06 Nov 1994 08:49:37 GM", "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Mon, 06 Nov 1994 08:49:37 GMT", "Sun, 06 nov 1994 08:49:37 GMT",
        "Sun, 6 Nov 1994 08:49:37 GMT ", "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 00 Nov 1994 08:49:37 GMT", "Thu, 31 Nov 1994 08:49:37 GMT",
        "Wed, 29 Feb 2023 12:00:00 GMT", "Mon, 29 Feb 2100 12:00:00 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 Nov 1994 08:60:00 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT", "Sun, 06 Nov 1994 08.49.37 GMT",
        "Sun, 06-Nov-1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994 GMT ", "Sun, +6 Nov 1994 08:49:37 GMT",
        "Sat, 01 Jan 0000 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT",
        "Fri, 11 Apr 2262 23:47:17 GMT", "Sun, 06 Nov 19é4 08:49:37 GMT",
    ])
    func `what is no such date, or out of range, is none`(text: String) {
        #expect(read(text) == nil)
    }
}

@Suite struct NodeHeaderTests {
    @Test(arguments: [
        (0, "1 0000000000000000"), (0xC0FFEE, "1 0000000000c0ffee"),
        (UInt64.max, "1 ffffffffffffffff"),
    ])
    func `a node is named by version and id`(id: UInt64, value: String) {
        #expect(NodeHeader.name == "Discovery-Node")
        #expect(NodeHeader.value(NodeID(id)) == value)
        #expect(NodeHeader.read(bytes(value).span) == NodeID(id))
        #expect(NodeHeader.read(bytes(value.uppercased()).span) == NodeID(id))
    }

    @Test(arguments: [
        "", "1", "1 ", "2 0000000000c0ffee", "10000000000c0ffee00", "1 0000000000c0ffe",
        "1 0000000000c0ffee0", "1 0000000000c0ffeg", "1  000000000c0ffee0", "1 -00000000000c0ff",
        "é 000000000000000", "01 000000000c0ffee",
    ])
    func `another version, or garbage, names nobody`(value: String) {
        #expect(NodeHeader.read(bytes(value).span) == nil)
    }

    @Test func `no header names nobody`() {
        #expect(NodeHeader.read(nil) == nil)
    }
}
