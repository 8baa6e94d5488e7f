import DiscoveryCore
import DiscoveryHTTP
import Testing

@testable import Discovery

@Suite struct ClusterConfigurationTests {
    static let addressRanges =
        "a list of IP addresses and ranges, like [\"10.0.0.1\", \"10.1.0.0/16\", "
        + "\"2001:db8::/32\"], with no bits set behind a range's prefix, at most 256 of them"
    static let token = "a text of at most 255 visible ASCII characters, other than \"(set)\""

    private static func file(_ lines: String) -> String { "\(Samples.least)[cluster]\n\(lines)" }

    @Test func `every key is taken over`() throws {
        let text = Self.file(
            """
            token = "0123456789abcdef"
            allow = ["10.0.0.1", "10.1.0.0/16", "2001:DB8::/32", "10.0.0.1", "::ffff:10.0.0.1"]
            digest_seconds = 11
            comparison_seconds = 301
            acknowledgement_milliseconds = 101
            renewal_delay_milliseconds = 201
            outbox_max = 100001
            join_seconds = 16
            """)
        let cluster = try Samples.load(text).configuration.cluster
        #expect(cluster.token == "0123456789abcdef")
        #expect(cluster.allow.map(\.description) == ["10.0.0.1", "10.1.0.0/16", "2001:db8::/32"])
        #expect(cluster.digestSeconds == 11)
        #expect(cluster.comparisonSeconds == 301)
        #expect(cluster.acknowledgementMilliseconds == 101)
        #expect(cluster.renewalDelayMilliseconds == 201)
        #expect(cluster.outboxMax == 100_001)
        #expect(cluster.joinSeconds == 16)
    }

    @Test func `the node is told all of it`() throws {
        let text =
            "nodes = [\"10.0.0.1:7171\", \"[2001:db8::1]:7171\"]\nzones.z3 = [\"node3:1\"]\n"
            + "zones.z2 = [\"10.2.0.1:1\", \"10.2.0.2:2\"]\n"
            + Self.file(
                """
                digest_seconds = 11
                comparison_seconds = 301
                acknowledgement_milliseconds = 101
                renewal_delay_milliseconds = 201
                outbox_max = 100001
                join_seconds = 16
                """)
        let settings = try Samples.load(text).configuration.nodeSettings.cluster
        #expect(
            settings.seeds == [
                ClusterSettings.Seed(address: "10.0.0.1:7171", zone: "z1"),
                ClusterSettings.Seed(address: "[2001:db8::1]:7171", zone: "z1"),
                ClusterSettings.Seed(address: "10.2.0.1:1", zone: "z2"),
                ClusterSettings.Seed(address: "10.2.0.2:2", zone: "z2"),
                ClusterSettings.Seed(address: "node3:1", zone: "z3"),
            ])
        #expect(settings.digestInterval == 11 * Duration.second)
        #expect(settings.comparisonInterval == 301 * Duration.second)
        #expect(settings.acknowledgementWait == 101 * Duration.millisecond)
        #expect(settings.renewalDelay == 201 * Duration.millisecond)
        #expect(settings.outboxMax == 100_001)
        #expect(settings.joinTimeout == 16 * Duration.second)
    }

    @Test func `the defaults are the node's own, and room is left for all that are configured`()
        throws
    {
        let configured = try Samples.load(Samples.least).configuration.nodeSettings.cluster
        let builtIn = ClusterSettings()
        #expect(configured.seeds.isEmpty)
        #expect(configured.digestInterval == builtIn.digestInterval)
        #expect(configured.comparisonInterval == builtIn.comparisonInterval)
        #expect(configured.acknowledgementWait == builtIn.acknowledgementWait)
        #expect(configured.renewalDelay == builtIn.renewalDelay)
        #expect(configured.outboxMax == builtIn.outboxMax)
        #expect(configured.joinTimeout == builtIn.joinTimeout)
        #expect(configured.callTimeout == builtIn.callTimeout)
        #expect(configured.pullTimeout == builtIn.pullTimeout)
        #expect(configured.fetchAllTimeout == builtIn.fetchAllTimeout)
        #expect(ClusterConfiguration.seedsMax <= builtIn.nodesMax)
        // As many calls as the node may have under way, and a probe beside them: what waits for a
        // connection would run out of time.
        let loops = try Samples.load(Samples.least).configuration.loopConfiguration
        #expect(loops.limits.callConnectionsMax > configured.relaysMax)
    }

    @Test(arguments: [("40s", 10_000, 2000), ("5s", 5000, 2000), ("100ms", 100, 100)])
    func `no request takes longer than httpClient.timeout`(_ row: (String, Int64, Int64)) throws {
        let text = Samples.least + "[httpClient]\ntimeout = \"\(row.0)\""
        let settings = try Samples.load(text).configuration.nodeSettings.cluster
        #expect(settings.pullTimeout == row.1 * Duration.millisecond)
        #expect(settings.callTimeout == row.2 * Duration.millisecond)
        let whole = ["40s": 40_000, "5s": 5000, "100ms": 100][row.0, default: 0]
        #expect(settings.fetchAllTimeout == Int64(whole) * Duration.millisecond)
    }

    @Test(arguments: [
        "\"hunter 2\"", "\"hunter2\\n\"", "\"hunter2ü\"", "\"(set)\"",
        "\"hunter2" + String(repeating: "x", count: 249) + "\"", "[\"hunter2\"]", "20260102",
    ])
    func `a token that is not allowed is not shown either`(_ value: String) {
        #expect(
            Samples.complaint(about: Self.file("token = \(value)"))
                == "sample.toml: cluster.token: found something else, which is not shown, "
                + "allowed is \(Self.token)")
    }

    @Test func `a token is never printed`() throws {
        let text = Self.file("token = \"0123456789abcdef\"")
        let loaded = try Samples.load(text)
        #expect(loaded.effective.contains { $0.description == "cluster.token = \"(set)\"" })
        #expect(!loaded.effective.contains { $0.value.contains("0123456789abcdef") })
        #expect(!loaded.configuration.advice.contains { $0.contains("0123456789abcdef") })
        let environment = ["DISCOVERY_TOKEN": "hunter 2"]
        #expect(
            Samples.complaint(about: Samples.least, environment: environment)
                == "the environment: DISCOVERY_TOKEN: found something else, which is not shown, "
                + "allowed is \(Self.token)")
        let none = try Samples.load(Samples.least).effective
        #expect(none.contains { $0.description == "cluster.token = \"\"" })
    }

    @Test(arguments: [
        ("\"10.0.0.1\"", ["\"10.0.0.1\""]),
        ("[\"10.0.0.1\", \"10.0.0.0/33\", 7, \"node2\"]", ["\"10.0.0.0/33\"", "7", "\"node2\""]),
        ("[\"10.0.0.1/8\"]", ["\"10.0.0.1/8\""]),
        ("[\"10.0.0.1:7171\"]", ["\"10.0.0.1:7171\""]),
        ("[[\"10.0.0.1\"]]", ["[\"10.0.0.1\"]"]),
    ])
    func `each address that is none is named`(_ row: (value: String, found: [String])) {
        let complaints = row.found.map {
            "sample.toml: cluster.allow: found \($0), allowed is \(Self.addressRanges)"
        }
        #expect(
            Samples.complaint(about: Self.file("allow = \(row.value)"))
                == complaints.joined(separator: "\n"))
    }

    @Test func `too many addresses are refused`() {
        let ranges = (0...256).map { "\"10.\($0 / 2).0.\($0 % 2)\"" }.joined(separator: ", ")
        let complaint = Samples.complaint(about: Self.file("allow = [\(ranges)]"))
        #expect(complaint.hasSuffix(Self.addressRanges))
        #expect(complaint.split(separator: "\n").count == 1)
    }

    @Test(arguments: [
        ("", "", 0),
        ("nodes = [\"10.0.0.1:1\"]\n", "", 1),
        ("zones.z2 = [\"10.0.0.1:1\"]\n", "", 1),
        ("zones.z2 = []\n", "", 0),
        ("nodes = [\"10.0.0.1:1\"]\n", "token = \"0123456789abcdef\"", 0),
        ("nodes = [\"10.0.0.1:1\"]\n", "allow = [\"10.0.0.1\"]", 0),
    ])
    func `a cluster that anyone can join is warned about`(_ row: (String, String, Int)) throws {
        let advice = try Samples.load(row.0 + Self.file(row.1)).configuration.advice
        #expect(advice.count == row.2)
        for sentence in advice {
            #expect(sentence.contains("can join the cluster"))
            #expect(sentence.contains("cluster.token"))
            #expect(sentence.contains("cluster.allow"))
        }
    }

    @Test func `a token that can be guessed is warned about`() throws {
        let advice = try Samples.load(Self.file("token = \"0123456789abcde\"")).configuration.advice
        #expect(
            advice == ["cluster.token has 15 characters and can be guessed; use 16 or more"])
    }
}
