import Testing

@testable import DiscoveryCore
@testable import DiscoveryWire

@Suite struct MetadataTests {
    private static let key = "zone=z&env=e&appid=a&hostname=h"
    private static let register = key + "&addrs=x&status=1&metadata="

    private func outcome(_ json: String) throws(Rejection) -> MetadataReader.Outcome {
        try MetadataReader.read(bytes(json).span, WireLimits())
    }

    @Test(arguments: [
        ("{}", []), (" { } ", []), (#"{"a":"x"}"#, ["a=x"]), (#"{"a":10}"#, ["a=10"]),
        (#"{"a":1.5,"b":true,"c":false,"d":null}"#, ["a=1.5", "b=true", "c=false", "d="]),
        (#"{"a":-0.25}"#, ["a=-0.25"]), (#"{"":""}"#, ["="]),
        (#"{"a":9223372036854775807}"#, ["a=9223372036854775807"]),
        (#"{"a":18446744073709551616}"#, ["a=18446744073709551616"]),
        (#"{"a":12345678901234567890123456789}"#, ["a=12345678901234567890123456789"]),
        (#"{"a":"1","b":"\u00e9\n\"\\"}"#, ["a=1", "b=é\n\"\\"]),
        (#"{"a" : "你" , "b":"😀"}"#, ["a=你", "b=😀"]),
        (#"{"a":"\u0000"}"#, ["a=\u{0}"]), (#"{"true":true}"#, ["true=true"]),
    ])
    func `scalars become strings`(json: String, entries: [String]) throws {
        guard case .entries(let read) = try outcome(json) else {
            Issue.record("\(json) is no object")
            return
        }
        #expect(read.map { text($0.key) + "=" + text($0.value) }.sorted() == entries)
    }

    @Test(arguments: [
        (#"{"a":{}}"#, #"metadata must be an object of strings: "a" is an object"#),
        (#"{"a":{"b":1}}"#, #"metadata must be an object of strings: "a" is an object"#),
        (#"{"b":"x","a":["y"]}"#, #"metadata must be an object of strings: "a" is an array"#),
        ("[]", "metadata must be a JSON object, got an array"),
        ("12", "metadata must be a JSON object, got a scalar"),
        (#""s""#, "metadata must be a JSON object, got a scalar"),
        ("true", "metadata must be a JSON object, got a scalar"),
        ("{", "metadata is not valid JSON: {"), ("x", "metadata is not valid JSON: x"),
        (#"{"a":"b"}}"#, #"metadata is not valid JSON: {"a":"b"}}"#),
        (#"{"a":"b"]"#, #"metadata is not valid JSON: {"a":"b"]"#),
        (#"{'a':'b'}"#, "metadata is not valid JSON: {'a':'b'}"),
        ("{\"a\":\"\u{1}\"}", "metadata is not valid JSON: {\"a\":\"?\"}"),
        (#"{a:1}"#, "metadata is not valid JSON: {a:1}"),
    ])
    func `what would be lost is refused`(json: String, message: String) {
        #expect(throws: Rejection(message)) { try outcome(json) }
    }

    @Test func `nothing and null are no metadata`() throws {
        #expect(try outcome("") == .nothing)
        #expect(try outcome("null") == .null)
        #expect(try outcome(" null\n") == .null)
    }

    /// Foundation trapped on 512 opening brackets and nothing behind them.
    @Test(arguments: [10, 16, 17, 511, 512, 513, 29_999])
    func `deep nesting is refused and traps nothing`(depth: Int) {
        let json =
            #"{"a":"# + String(repeating: "[", count: depth)
            + String(repeating: "]", count: depth) + "}"
        #expect(throws: Rejection.self) { try outcome(json) }
        #expect(throws: Rejection.self) { try outcome(String(repeating: "[", count: depth)) }
        #expect(throws: Rejection.self) {
            try outcome(String(repeating: #"{"a":"#, count: depth))
        }
        let quoted = #"{"a":"\"["# + String(repeating: "[", count: depth) + "\"}"
        #expect(refusal(.plain(.register, Self.register + quoted)) == nil)
    }

    @Test func `entries are limited`() throws {
        func object(_ count: Int, _ value: String) -> String {
            "{" + (0..<count).map { "\"k\($0)\":\(value)" }.joined(separator: ",") + "}"
        }
        for value in ["\"v\"", "1"] {
            guard case .entries(let entries) = try outcome(object(512, value)) else {
                Issue.record("512 entries are refused")
                return
            }
            #expect(entries.count == 512)
            #expect(throws: Rejection("metadata may have at most 512 entries, got 513")) {
                try outcome(object(513, value))
            }
        }
    }

    /// Both ways of reading agree wherever the short one answers at all.
    @Test(arguments: [
        #"{"a":"x"}"#, #"{ "a" : "x" , "b" : "" }"#, "{\t\"a\"\n:\r\"x\"}", "{}",
        #"{"é":"你"}"#, #"{"/":"{}[],:"}"#, "{\"a\":\"\u{7F}\u{2028}\"}",
    ])
    func `the short way reads what Foundation reads`(json: String) throws {
        let source = bytes(json)
        let entries = MetadataReader.plainEntries(source.span, 512)
        let plain = try #require(entries)
        guard case .entries(let full) = try JSONReader.metadata(bytes(json).span, WireLimits())
        else {
            Issue.record("\(json) is no object")
            return
        }
        func content(_ entries: [InstanceContent.Entry]) -> InstanceContent? {
            InstanceContent(region: [], version: [], addrs: [], metadata: entries)
        }
        #expect(content(plain) == content(full))
    }

    /// Go takes the last of equal names; where Foundation reads, because of the escape, the first
    /// is all there is.
    @Test func `of equal names the last counts unless Foundation reads them`() throws {
        func metadata(_ json: String) throws -> [String] {
            let registration = try read(.plain(.register, Self.register + json)).registration
            return try #require(registration).content.unpacked.metadata.map { text($0.value) }
        }
        #expect(try metadata(#"{"a":"x","a":"y"}"#) == ["y"])
        #expect(try metadata(#"{"a":"x","a":"\n"}"#) == ["x"])
    }

    @Test(arguments: [
        ("&color=red", ["color=red"]), ("&color=red&metadata={\"a\":\"b\"}", ["a=b", "color=red"]),
        ("&color=red&metadata={\"color\":\"blue\"}", ["color=blue"]), ("&color=", []),
        ("&color=red&metadata=null", ["color=red"]),
    ])
    func `color is kept as metadata`(form: String, metadata: [String]) throws {
        let register = Self.key + "&addrs=x&status=1" + form
        let content = try #require(try read(.plain(.register, register)).registration).content
        #expect(
            content.unpacked.metadata.map { text($0.key) + "=" + text($0.value) } == metadata)
    }

    @Test func `a set changes metadata host by host`() throws {
        let hosts = "zone=z&env=e&appid=a&hostname=h1,h2,h3"
        func metadata(_ form: String) throws -> [String] {
            try #require(try read(.plain(.set, hosts + form)).setting).changes.map { change in
                switch change.metadata {
                case .unchanged: "unchanged"
                case .cleared: "cleared"
                case .merged(let entries):
                    entries.map { text($0.key) + "=" + text($0.value) }.joined(separator: " ")
                }
            }
        }
        #expect(try metadata("") == ["unchanged", "unchanged", "unchanged"])
        #expect(try metadata("&metadata=") == ["unchanged", "unchanged", "unchanged"])
        #expect(
            try metadata("&metadata={\"a\":1,\"b\":\"x,y\"}&metadata=&metadata=null")
                == ["a=1 b=x,y", "unchanged", "cleared"])
        #expect(try metadata("&color=red") == ["color=red", "color=red", "color=red"])
        #expect(
            refusal(.plain(.set, hosts + "&metadata={}"))
                == "metadata must be given once per hostname: got 1 for 3")
        #expect(
            refusal(.plain(.set, hosts + "&metadata={}&metadata=[]&metadata="))
                == "metadata must be a JSON object, got an array")
    }

    @Test func `a set has a status per host or none`() throws {
        let hosts = "zone=z&env=e&appid=a&hostname=h1&hostname=h2"
        let setting = try #require(try read(.plain(.set, hosts + "&status=2,1")).setting)
        #expect(setting.changes.map(\.status) == [.waiting, .up])
        #expect(try read(.plain(.set, hosts)).setting?.changes.map(\.status) == [nil, nil])
        #expect(
            refusal(.plain(.set, hosts + "&status=1"))
                == "status must be given once per hostname: got 1 for 2")
        #expect(
            refusal(.plain(.set, hosts + "&status=1,4294967297"))
                == "status must be 1 or 2, got 4294967297")
    }

    @Test(arguments: [
        ("[]", "the body must be a JSON object"), ("1", "the body must be a JSON object"),
        ("{", "the body is not valid JSON: {"), ("zone=z", "the body is not valid JSON: zone=z"),
        (#"{"zone":{"a":1}}"#, "zone must be a string, got an object"),
        (#"{"zone":[["a"]]}"#, "zone must be a string, got an array"),
        (#"{"metadata":{"a":{}}}"#, #"metadata must be an object of strings: "a" is an object"#),
        (#"{"zone":null}"#, "zone is required: the client did not say its zone (ZONE)"),
    ])
    func `a JSON body is read as strictly as a form`(body: String, message: String) {
        let request = Request(.register, body: body, type: "application/json")
        #expect(refusal(request) == message)
    }

    @Test func `a JSON body sets metadata by arrays of objects`() throws {
        let body =
            #"{"zone":"z","env":"e","appid":"a","hostname":["h1","h2"],"status":[1,2],"#
            + #""metadata":[{"a":"<\u2028"},null],"set_timestamp":1700000000123456789}"#
        let request = Request(.set, body: body, type: "application/json")
        let setting = try #require(try read(request).setting)
        #expect(setting.changes.map(\.status) == [.up, .waiting])
        #expect(setting.dirty == 1_700_000_000_123_456_789)
        guard case .merged(let entries) = setting.changes[0].metadata,
            case .unchanged = setting.changes[1].metadata
        else {
            Issue.record("the metadata is \(setting.changes)")
            return
        }
        #expect(entries == [entry("a", "<\u{2028}")])
    }

    @Test func `a JSON body has a limit`() {
        let body = "{\"zone\":\"" + String(repeating: "x", count: 1 << 20) + "\"}"
        #expect(
            refusal(Request(.renew, body: body, type: "application/json"))
                == "a JSON body may have at most 1048576 bytes, got 1048587")
    }

    /// Foundation took it for UTF-16, in which a letter may hold the byte of a quote: the brackets
    /// behind it were not counted, and 512 of them trapped.
    @Test(arguments: [1, 511, 512, 513, 5_000])
    func `nesting hidden in UTF-16 is refused and traps nothing`(depth: Int) {
        let text = "{\"a\":\"\u{122}\",\"b\":" + String(repeating: "[", count: depth)
        var low: [UInt8] = []
        var high: [UInt8] = []
        for unit in text.utf16 {
            low += [UInt8(truncatingIfNeeded: unit), UInt8(truncatingIfNeeded: unit >> 8)]
            high += [UInt8(truncatingIfNeeded: unit >> 8), UInt8(truncatingIfNeeded: unit)]
        }
        for bytes in [low, high] {
            #expect(throws: Rejection.self) {
                try MetadataReader.read(bytes.span, WireLimits())
            }
            var fields = Fields()
            #expect(throws: Rejection.self) {
                try JSONReader.readBody(bytes.span, into: &fields, limits: WireLimits())
            }
        }
    }

    @Test func `too many values are refused before they are read`() {
        let limits = WireLimits()
        var fields = Fields()
        let body = "{\"addrs\":[" + String(repeating: "[],", count: limits.pairsMax) + "[]]}"
        #expect(throws: Rejection("at most 10000 parameters are allowed in a request")) {
            try JSONReader.readBody(bytes(body).span, into: &fields, limits: limits)
        }
        let metadata = "{\"a\":[" + String(repeating: "1,", count: 20_000) + "1]}"
        #expect(throws: Rejection("metadata may have at most 512 entries, got 20001")) {
            try outcome(metadata)
        }
    }
}
