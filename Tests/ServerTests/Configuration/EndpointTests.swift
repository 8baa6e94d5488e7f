import Testing

@testable import Discovery

@Suite struct EndpointTests {
    @Test(
        arguments: [
            ("10.0.0.1:7171", "10.0.0.1", 7171, "10.0.0.1:7171"),
            ("name-1.example_x:1", "name-1.example_x", 1, "name-1.example_x:1"),
            (":80", "0.0.0.0", 80, "0.0.0.0:80"),
            ("[::1]:65535", "::1", 65535, "[::1]:65535"),
            ("[fe80::1%eth0]:0", "fe80::1%eth0", 0, "[fe80::1%eth0]:0"),
            ("localhost:007", "localhost", 7, "localhost:7"),
        ] as [(String, String, UInt16, String)])
    func `an address is read and written`(_ row: (String, String, UInt16, String)) {
        let endpoint = Endpoint(row.0)
        #expect(endpoint == Endpoint(host: row.1, port: row.2))
        #expect(endpoint?.description == row.3)
    }

    @Test(arguments: [
        "", ":", "a", "a:", "a:65536", "a:-1", "a:+1", "a: 1", "a b:1", "::1:80", "[]:1", "[::1]",
        "[::1:1", "[a]:1", "http://a:1", "a:1/", "ä:1", "a:١",
        String(repeating: "a", count: 254) + ":1",
    ])
    func `anything else is no address`(_ text: String) {
        #expect(Endpoint(text) == nil)
    }

    @Test(arguments: [
        ("250ms", 250), ("1s", 1000), ("80s", 80_000), ("2m", 120_000), ("1h", 3_600_000),
        ("1m20s", 80_000), ("0", 0), ("0s", 0),
    ])
    func `a duration is read`(_ row: (String, Int)) {
        #expect(DurationText.milliseconds(row.0) == row.1)
        #expect(DurationText.milliseconds(DurationText.text(milliseconds: row.1)) == row.1)
    }

    @Test(arguments: [
        "", "1", "s", "1 s", "-1s", "1.5s", "1S", "1us", "1s2", "9223372036854775807h",
        "99999999999999999999ms", "9223372036854775807ms1ms", "١s",
    ])
    func `anything else is no duration`(_ text: String) {
        #expect(DurationText.milliseconds(text) == nil)
    }
}
