import Testing

@testable import DiscoveryCore
@testable import DiscoveryWire

@Suite struct RequestRuleTests {
    private static let key = "zone=z&env=e&appid=a&hostname=h"
    private static let register = key + "&addrs=x&status=1"

    @Test(arguments: [
        (Route.renew, "env=e&appid=a&hostname=h", "zone is required"),
        (.renew, "zone=&env=e&appid=a&hostname=h", "zone is required"),
        (.renew, "zone=z&appid=a&hostname=h", "env is required: the client did not say its"),
        (.renew, "zone=z&env=e&hostname=h", "appid is required"),
        (.cancel, "zone=z&env=e&appid=a", "hostname is required"),
        (.register, key + "&status=1", "addrs is required"),
        (.register, key + "&status=1&addrs=,,&addrs=", "addrs is required"),
        (.register, key + "&addrs=x", "status is required"),
        (.register, key + "&addrs=x&status=", "status is required"),
        (.set, "zone=z&env=e&appid=a&hostname=,", "hostname is required"),
        (.fetch, "env=e&appid=a", "status is required"),
        (.fetch, "appid=a&status=1", "env is required"),
        (.fetchs, "env=e&appid=,&status=1", "appid is required"),
        (.poll, "env=e", "appid is required"),
        (.polls, "appid=a&latest_timestamp=0", "env is required"),
        (.polls, "env=e&latest_timestamp=0", "appid is required"),
    ])
    func `a missing parameter is named`(route: Route, form: String, message: String) throws {
        #expect(try #require(refusal(.plain(route, form))).hasPrefix(message))
    }

    @Test(arguments: ["0", "3", "9", "-1", "4294967297", "18446744073709551616"])
    func `a register takes status 1 and 2 only`(status: String) throws {
        let form = Self.key + "&addrs=x&status=" + status
        let message = try #require(refusal(.plain(.register, form)))
        #expect(
            message == "status must be 1 or 2, got \(status)"
                || message == "status is out of range, got \(status)")
    }

    @Test(arguments: [
        ("1", 1), ("2", 2), ("3", 3), ("9", 1), ("%2B2", 2), ("4611686018427387905", 1),
    ])
    func `the status of a fetch is a mask`(status: String, mask: Int) throws {
        let fetch = try read(.plain(.fetch, "env=e&appid=a&status=" + status)).fetch
        #expect(fetch?.statuses == UInt8(mask))
    }

    @Test(arguments: ["0", "4", "-1", "-9223372036854775808"])
    func `a status mask without 1 and 2 is refused`(status: String) {
        #expect(
            refusal(.plain(.fetch, "env=e&appid=a&status=" + status))
                == "status must be 1 (up), 2 (waiting) or 3 (both), got \(status)")
    }

    @Test(arguments: [
        ("abc", "must be a whole number, got abc"), ("1.5", "must be a whole number, got 1.5"),
        ("-", "must be a whole number, got -"), ("%2B", "must be a whole number, got +"),
        ("0x10", "must be a whole number, got 0x10"), ("1_0", "must be a whole number, got 1_0"),
        ("%201", "must be a whole number, got  1"), ("--1", "must be a whole number, got --1"),
        ("1%00", "must be a whole number, got 1?"),
        ("9223372036854775808", "is out of range, got 9223372036854775808"),
        ("-9223372036854775809", "is out of range, got -9223372036854775809"),
        ("99999999999999999999999999", "is out of range, got 99999999999999999999999999"),
    ])
    func `numbers that are none are refused with what was sent`(number: String, problem: String) {
        #expect(
            refusal(Request(.poll, query: "env=e&appid=a&latest_timestamp=" + number))
                == "latest_timestamp " + problem)
        #expect(
            refusal(.plain(.renew, Self.key + "&dirty_timestamp=" + number))
                == "dirty_timestamp " + problem)
    }

    @Test(arguments: [
        ("", Int64(0)), ("0", 0), ("%2B5", 5), ("-5", -5), ("007", 7),
        ("9223372036854775807", .max), ("-9223372036854775808", .min),
        ("0000000000000000000000000000001", 1),
    ])
    func `numbers are whole numbers of 64 bits`(number: String, value: Int64) throws {
        let reading = try read(
            Request(.poll, query: "env=e&appid=a&latest_timestamp=" + number))
        #expect(reading.batch.pollTargets.map(\.latest) == [value])
    }

    @Test func `a version below zero is none`() throws {
        let form = Self.key + "&dirty_timestamp=-5"
        #expect(try read(.plain(.renew, form)).renewal?.dirty == 0)
    }

    @Test(arguments: ["1", "t", "T", "true", "True", "TRUE"])
    func `what Go takes for true is true`(flag: String) throws {
        #expect(
            try read(.plain(.renew, Self.key + "&replication=" + flag)).renewal?.origin == .peer)
        #expect(try read(.plain(.renew, Self.key + "&from_zone=" + flag)).renewal?.origin == .zone)
    }

    @Test(arguments: ["", "0", "yes", "on", "tRUE", "TrUE", "truE", "TRUe", "%20true", "2", "11"])
    func `everything else is false`(flag: String) throws {
        let form = Self.key + "&from_zone=\(flag)&replication=" + flag
        #expect(try read(.plain(.renew, form)).renewal?.origin == .client)
    }

    @Test(arguments: [
        (nil, Int64(30_000)), ("40000", 30_000), ("1500", 1480), ("20", 0), ("19", 19), ("1", 1),
        ("0", 30_000), ("-5", 30_000), ("x", 30_000), ("", 30_000), ("9223372036854775807", 30_000),
        ("9223372036854775808", 30_000), ("30019", 29_999), ("30020", 30_000),
    ])
    func `a client's own time limit shortens a poll`(header: String?, hold: Int64) throws {
        let query = "env=e&appid=a&latest_timestamp=0"
        for route in [Route.poll, .polls] {
            let poll = try read(Request(route, query: query, hold: header)).poll
            #expect(poll?.hold == hold * 1_000_000)
        }
    }

    @Test func `a poll asks for one application, whatever its name`() throws {
        let reading = try read(Request(.poll, query: "env=e&appid=a,b&appid=c&zone=z"))
        let poll = try #require(reading.poll)
        #expect(poll.isSingle && !poll.wantsAll)
        #expect(reading.targets(poll.first, poll.count) == ["e a,b@0"])
        #expect(text(reading.batch.bytes[poll.zone.range]) == "z")
    }

    @Test(arguments: [
        ("appid=a&appid=b&latest_timestamp=1", "got 1 for 2"), ("appid=a", "got 0 for 1"),
        ("appid=a,b,c&latest_timestamp=1,2", "got 2 for 3"),
        ("appid=a&latest_timestamp=1,2", "got 2 for 1"),
        ("appid=a,a&latest_timestamp=1", "got 1 for 2"),
    ])
    func `a polls needs one timestamp per application`(query: String, counts: String) {
        #expect(
            refusal(Request(.polls, query: "env=e&" + query))
                == "latest_timestamp must be given once per appid: \(counts)")
    }

    @Test(arguments: [3, 16, 17, 500])
    func `of equal applications the first counts`(count: Int) throws {
        let names = (0..<count).map { "app\($0 % 3 == 0 ? 0 : $0)" }
        let stamps = (0..<count).map(String.init)
        let reading = try read(
            Request(
                .polls,
                query: "env=e&appid=\(names.joined(separator: ","))&latest_timestamp="
                    + stamps.joined(separator: ",")))
        let poll = try #require(reading.poll)
        let expected = (0..<count).filter { $0 == 0 || $0 % 3 != 0 }
        #expect(reading.targets(poll.first, poll.count) == expected.map { "e app\($0)@\($0)" })
        let many = try read(
            Request(.fetchs, query: "env=e&status=1&appid=" + names.joined(separator: "&appid=")))
        let fetch = try #require(many.fetchMany)
        #expect(many.targets(fetch.first, fetch.count) == expected.map { "e app\($0)@0" })
    }

    @Test func `body comes before query, and an empty value gives way`() throws {
        let reading = try read(
            Request(.renew, query: "zone=q&env=q&hostname=q", body: "zone=b&env=&appid=b&appid=c"))
        let renewal = try #require(reading.renewal)
        #expect(reading.fields(renewal.key) == "q b b q")
    }

    @Test func `a GET does not look at its body`() throws {
        let query = "env=e&appid=a&status=1"
        let request = Request(.fetch, query: query, body: "zone=b", type: "multipart/form-data")
        #expect(try read(request).fetch?.zone.isEmpty == true)
        #expect(try read(Request(.nodes)).batch.inputs.count == 1)
        #expect(try read(Request(.fetchAll, query: "x=%")).batch.inputs.count == 1)
    }

    @Test(arguments: [
        ("multipart/form-data; boundary=x", "multipart/form-data is not read"),
        ("Multipart/Form-Data", "multipart/form-data is not read"),
        ("application/xml", "XML is not read"), (" text/xml;charset=utf-8", "XML is not read"),
    ])
    func `types that are not read say what to send`(type: String, message: String) throws {
        let sent = try #require(refusal(Request(.renew, body: Self.key, type: type)))
        #expect(sent.hasPrefix(message) && sent.contains("application/x-www-form-urlencoded"))
        // Nothing was sent in it: the parameters are in the query.
        #expect(refusal(Request(.renew, query: Self.key, type: type)) == nil)
    }

    @Test(arguments: [
        nil, "", "text/plain", "application/jsonp", "application", "application/xmlx",
    ])
    func `every other type is a form`(type: String?) {
        #expect(refusal(Request(.renew, body: Self.key, type: type)) == nil)
    }

    @Test func `fields have limits that the message names`() {
        let long = String(repeating: "x", count: 256)
        #expect(
            refusal(.plain(.renew, "zone=z&env=e&appid=a&hostname=" + long))
                == "hostname may have at most 255 bytes, got 256")
        #expect(refusal(.plain(.renew, "zone=z&env=e&appid=a&hostname=" + long.dropLast())) == nil)
        #expect(
            refusal(Request(.fetch, query: "env=e&appid=a&status=1&zone=" + long))
                == "zone may have at most 255 bytes, got 256")
        #expect(
            refusal(Request(.polls, query: "env=e&latest_timestamp=0&appid=" + long))
                == "appid may have at most 255 bytes, got 256")
        let longer = String(repeating: "x", count: 1025)
        for name in ["region", "version", "addrs", "color"] {
            #expect(
                refusal(.plain(.register, Self.register + "&\(name)=\(longer)"))
                    == "\(name) may have at most 1024 bytes, got 1025")
        }
        #expect(
            refusal(
                .plain(
                    .register,
                    Self.key + "&status=1&addrs="
                        + String(repeating: "a,", count: 129)))
                == "addrs may be given at most 128 times, got 129")
        #expect(
            refusal(
                .plain(
                    .register,
                    Self.register + "&metadata="
                        + String(repeating: "x", count: 60_001)))
                == "metadata may have at most 60000 bytes, got 60001")
        #expect(
            refusal(
                Request(
                    .fetchs,
                    query: "env=e&status=1&appid="
                        + String(repeating: "a,", count: 2001)))
                == "appid may be given at most 2000 times, got 2001")
    }

    @Test(arguments: ["%00", "a%0Ab", "%7F", "%1b[31m", "\t"])
    func `control characters are kept out of names`(name: String) {
        for field in ["zone", "env", "appid", "hostname"] {
            let form = "\(field)=\(name)&" + Self.key
            #expect(
                refusal(.plain(.renew, form)) == "\(field) must not contain control characters")
        }
    }

    @Test func `a refused request leaves the batch as it was`() throws {
        var reader = RequestReader()
        var batch = try reader.read(.plain(.renew, Self.key)).batch
        let before = (batch.bytes, batch.pollTargets.count, batch.inputs.count)
        let query = bytes("env=e&appid=a,b&latest_timestamp=1,x")
        #expect(throws: Rejection.self) {
            try reader.read(
                route: .polls, id: RequestID(1), query: query.span, body: Span(), contentType: nil,
                holdHeader: nil, into: &batch)
        }
        #expect(batch.bytes == before.0)
        #expect(batch.pollTargets.count == before.1 && batch.inputs.count == before.2)
    }

    @Test func `messages repeat 64 printable bytes at most`() {
        let long = String(repeating: "é", count: 100)
        #expect(Message.quote(long) == String(repeating: "é", count: 32) + "...")
        #expect(Message.quote("a" + long) == "a" + String(repeating: "é", count: 31) + "...")
        #expect(Message.quote("a\u{1B}[0m\n\u{2028}\u{202E}") == "a?[0m???")
        #expect(Message.quote("") == "nothing")
    }

    @Test func `the shape of fetches can be set`() throws {
        var settings = WireSettings()
        settings.shape = .array
        var reader = RequestReader(settings: settings)
        let query = "env=e&appid=a&status=1&latest_timestamp=0"
        #expect(try reader.read(Request(.fetchs, query: query)).outcome.shape == .array)
        #expect(try reader.read(Request(.fetch, query: query)).outcome.shape == .array)
        #expect(try reader.read(Request(.polls, query: query)).outcome.shape == .byZone)
    }
}
