import Testing

@testable import DiscoveryCore
@testable import DiscoveryWire

/// `name=value` of each pair with a known name, in order.
func formPairs(_ form: [UInt8], limits: WireLimits = WireLimits()) throws(Rejection) -> [[UInt8]] {
    var fields = Fields()
    try FormReader().read(form.span, into: &fields, limits: limits)
    return fields.pairs.map { bytes($0.name.text + "=") + fields.bytes[$0.value.range] }
}

@Suite struct FormReaderTests {
    /// What Go's url.ParseQuery makes of the same text, too.
    @Test(arguments: [
        ("", []),
        ("zone=a", ["zone=a"]),
        ("zone=a&env=b&zone=c", ["zone=a", "env=b", "zone=c"]),
        ("zone", ["zone="]),
        ("zone&env=b", ["zone=", "env=b"]),
        ("zone=", ["zone="]),
        ("=a&env=b", ["env=b"]),
        ("&&zone=a&&", ["zone=a"]),
        ("zone=a=b", ["zone=a=b"]),
        ("zone==", ["zone=="]),
        ("zone=a+b%20c", ["zone=a b c"]),
        ("zone=%2B%26%3D%25", ["zone=+&=%"]),
        ("%7Aone=a", ["zone=a"]),
        ("zon%65=a", ["zone=a"]),
        ("zone=%e4%bd%a0", ["zone=你"]),
        ("ZONE=a&Zone=b&zone =c&unknown=d", []),
        ("zonezonezonezonezone=a&zone%00=b&a_rather_long_name=c", []),
        ("metadata=%7B%22a%22%3A%22b%2Cc%22%7D", [#"metadata={"a":"b,c"}"#]),
        ("zone=\u{0}a%00", ["zone=\u{0}a\u{0}"]),
    ])
    func `forms are read as Go reads them`(form: String, pairs: [String]) throws {
        #expect(try formPairs(bytes(form)).map { text($0) } == pairs)
    }

    /// Go drops these pairs, and the reference then misses a parameter.
    @Test(arguments: [
        ("zone=%zz&env=b", ["zone=%zz", "env=b"]),
        ("zone=%&env=b", ["zone=%", "env=b"]),
        ("zone=%4", ["zone=%4"]),
        ("zone=%4&env=%", ["zone=%4", "env=%"]),
        ("zone=%%41", ["zone=%A"]),
        ("zone=%4%41", ["zone=%4A"]),
        ("zone=a;env=b", ["zone=a;env=b"]),
        ("zone=a;b&env=c", ["zone=a;b", "env=c"]),
        ("%zzone=a&env=b", ["env=b"]),
        (
            #"addrs=grpc://10.0.0.1:8000&metadata={"weight":"10"}"#,
            ["addrs=grpc://10.0.0.1:8000", #"metadata={"weight":"10"}"#]
        ),
    ])
    func `no pair is lost to a bad escape or a semicolon`(form: String, pairs: [String]) throws {
        #expect(try formPairs(bytes(form)).map { text($0) } == pairs)
    }

    @Test(arguments: [
        ("zone=%ff", "zone=\u{FFFD}"),
        ("zone=%e4%bd", "zone=\u{FFFD}\u{FFFD}"),
        ("zone=a%c0%80b", "zone=a\u{FFFD}\u{FFFD}b"),
        ("zone=%ed%a0%80", "zone=\u{FFFD}\u{FFFD}\u{FFFD}"),
        ("zone=%f4%90%80%80", "zone=\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}"),
        ("zone=%e4%bd%a0%80%f0%9f%98%80", "zone=你\u{FFFD}😀"),
        ("zone=%f0%9f%98", "zone=\u{FFFD}\u{FFFD}\u{FFFD}"),
    ])
    func `bytes that are no UTF-8 become U+FFFD, one each`(form: String, pair: String) throws {
        #expect(try formPairs(bytes(form)).map { text($0) } == [pair])
    }

    @Test func `pairs are limited, empty ones cost nothing`() throws {
        var limits = WireLimits()
        limits.pairsMax = 3
        #expect(try formPairs(bytes("a=1&&&&b=2&zone=3"), limits: limits).count == 1)
        #expect(throws: Rejection("at most 3 parameters are allowed in a request")) {
            try formPairs(bytes("a=1&b=2&c=3&zone=4"), limits: limits)
        }
        #expect(
            refusal(.plain(.renew, String(repeating: "a=1&", count: 10_001)))
                == "at most 10000 parameters are allowed in a request")
        #expect(
            refusal(
                Request(
                    .renew, query: String(repeating: "a&", count: 5_001),
                    body: String(repeating: "a&", count: 5_000)))
                == "at most 10000 parameters are allowed in a request")
    }

    @Test func `ten megabytes of separators are read in one pass`() throws {
        let separators = [UInt8](repeating: UInt8(ascii: "&"), count: 10 << 20)
        #expect(try formPairs(separators + bytes("zone=a")) == [bytes("zone=a")])
    }

    @Test func `a huge request does not stay in memory`() throws {
        var reader = RequestReader()
        let big = String(repeating: "&", count: 1 << 20)
        #expect(throws: Rejection.self) { try reader.read(.plain(.renew, big)) }
        #expect(reader.fields.bytes.capacity >= 1 << 20)
        #expect(throws: Rejection.self) { try reader.read(.plain(.renew, "zone=a")) }
        #expect(reader.fields.bytes.capacity < 1 << 18)
    }

    @Test func `a request of the usual size is read into the memory of the one before`() throws {
        var reader = RequestReader()
        var batch = Batch()
        let form = bytes("zone=sh001&env=dev&appid=a.b&hostname=h1&region=sh")
        var capacities: [Int] = []
        for _ in 0..<100 {
            batch.removeAll()
            for id in 0..<8 {
                _ = try reader.read(
                    route: .renew, id: RequestID(UInt64(id)), query: Span(), body: form.span,
                    contentType: nil, holdHeader: nil, into: &batch)
            }
            capacities.append(
                reader.fields.bytes.capacity + reader.fields.pairs.capacity + batch.bytes.capacity)
        }
        #expect(Set(capacities.dropFirst()).count == 1)
    }
}
