import Testing

@testable import Discovery

/// Every rule: what is written, and the sentence that the operator reads.
@Suite struct ConfigurationErrorTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var text: String
        var complaint: String
        var testDescription: String { text }

        init(_ text: String, _ complaint: String) {
            self.text = text
            self.complaint = complaint
        }
    }

    static let address = "an address like \"10.0.0.1:7171\""
    static let addresses =
        "a list of addresses that others can call, like [\"10.0.0.1:7171\"], at most 64 of them"
    static let name = "a name of at most 255 bytes without spaces or control characters"
    static let duration = "a duration like \"250ms\", \"40s\" or \"2m\""

    static func found(_ found: String, for key: String, allowed: String) -> String {
        "sample.toml: \(key): found \(found), allowed is \(allowed)"
    }

    static let values: [Case] = [
        Case(
            "httpServer.addr = \"nowhere\"",
            found("\"nowhere\"", for: "httpServer.addr", allowed: address)),
        Case(
            "httpServer.addr = \"a:70000\"",
            found("\"a:70000\"", for: "httpServer.addr", allowed: address)),
        Case("httpServer.addr = 7171", found("7171", for: "httpServer.addr", allowed: address)),
        Case(
            "httpServer.addr = \"a b:1\"",
            found("\"a b:1\"", for: "httpServer.addr", allowed: address)),
        Case(
            "httpServer.timeout = \"40\"",
            found("\"40\"", for: "httpServer.timeout", allowed: "\(duration), from 1s to 1h")),
        Case(
            "httpServer.timeout = \"10ms\"",
            found("\"10ms\"", for: "httpServer.timeout", allowed: "\(duration), from 1s to 1h")),
        Case(
            "httpServer.timeout = 40",
            found("40", for: "httpServer.timeout", allowed: "\(duration), from 1s to 1h")),
        Case(
            "httpServer.loops = 0",
            found("0", for: "httpServer.loops", allowed: "a whole number from 1 to 64")),
        Case(
            "httpServer.loops = 1.5",
            found(
                "a floating-point number", for: "httpServer.loops",
                allowed: "a whole number from 1 to 64")),
        Case(
            "httpClient.dial = \"9s9\"",
            found("\"9s9\"", for: "httpClient.dial", allowed: "\(duration), from 10ms to 60s")),
        Case(
            "httpClient.keepAlive = \"2h\"",
            found("\"2h\"", for: "httpClient.keepAlive", allowed: "\(duration), from 0s to 1h")),
        Case(
            "httpClient.timeout = \"99999999999999999999s\"",
            found(
                "\"99999999999999999999s\"", for: "httpClient.timeout",
                allowed: "\(duration), from 10ms to 1h")),
        Case(
            "cluster.advertise = \"0.0.0.0:1\"",
            found(
                "\"0.0.0.0:1\"", for: "cluster.advertise",
                allowed: "an address that others can call, like \"10.0.0.1:7171\"")),
        Case(
            "cluster.advertise = \"[::]:1\"",
            found(
                "\"[::]:1\"", for: "cluster.advertise",
                allowed: "an address that others can call, like \"10.0.0.1:7171\"")),
        Case(
            "admin.listen = \"x\"",
            found("\"x\"", for: "admin.listen", allowed: "\(address), or \"\" for none")),
        Case("nodes = \"10.0.0.1:1\"", found("\"10.0.0.1:1\"", for: "nodes", allowed: addresses)),
        Case("nodes = [\"10.0.0.1\"]", found("[\"10.0.0.1\"]", for: "nodes", allowed: addresses)),
        Case("nodes = [\"0.0.0.0:1\"]", found("[\"0.0.0.0:1\"]", for: "nodes", allowed: addresses)),
        Case("nodes = [1, [2]]", found("[1, [2]]", for: "nodes", allowed: addresses)),
        Case("zones.z2 = \"a:1\"", found("\"a:1\"", for: "zones.z2", allowed: addresses)),
        Case(
            "zones.z1 = [\"a:1\"]",
            found(
                "this node's own zone", for: "zones.z1",
                allowed: "another zone; this one's nodes belong into nodes")),
        Case(
            "nodes = [\"a:1\"]\nlimits.body_bytes_max = 262143",
            found(
                "262143", for: "limits.body_bytes_max",
                allowed: "262144 or more where there are other nodes, which send several writes at "
                    + "once")),
        Case("zones.\"z 2\" = [\"a:1\"]", found("\"z 2\"", for: "zones.z 2", allowed: name)),
        Case(
            "enableprotect = \"yes\"",
            found("\"yes\"", for: "enableprotect", allowed: "true or false")),
        Case("env.region = \"a b\"", found("\"a b\"", for: "env.region", allowed: name)),
        Case("env.host = 7", found("7", for: "env.host", allowed: name)),
        Case(
            "compat.instances_shape = \"tree\"",
            found("\"tree\"", for: "compat.instances_shape", allowed: "\"map\" or \"array\"")),
        Case(
            "log.level = \"loud\"",
            found(
                "\"loud\"", for: "log.level",
                allowed: "\"trace\" or \"debug\" or \"info\" or \"notice\" or \"warning\" "
                    + "or \"error\" or \"critical\""
            )),
        Case("log.format = 1", found("1", for: "log.format", allowed: "\"text\" or \"json\"")),
        Case(
            "limits.connections_max = 1001",
            found(
                "1001", for: "limits.connections_max",
                allowed: "a whole number from 1 to 1000 "
                    + "(the process may open 1064 files, ulimit -n, of which 64 are kept for other "
                    + "things)")),
        Case(
            "nodes = [\"a:1\", \"b:1\"]\nlimits.connections_max = 933",
            found(
                "933", for: "limits.connections_max",
                allowed: "a whole number from 1 to 932 "
                    + "(the process may open 1064 files, ulimit -n, of which 132 are kept for "
                    + "other things)")),
        Case(
            "registry.protection_ceiling_seconds = 90\nregistry.lease_seconds = 91",
            found(
                "90", for: "registry.protection_ceiling_seconds",
                allowed: "at least registry.lease_seconds, which is 91")),
        Case("registry = 5", found("5", for: "registry", allowed: "a table")),
        Case("nodez = []", "sample.toml: nodez: no such key; did you mean nodes?"),
        Case(
            "registry.lease_secnds = 90",
            "sample.toml: registry.lease_secnds: no such key; "
                + "did you mean registry.lease_seconds?"),
        Case("xyzzy = 1", "sample.toml: xyzzy: no such key"),
        Case(
            "[regstry]\nlease_seconds = 90",
            "sample.toml: [regstry]: no such key; did you mean [registry]?"),
        Case(
            "env.Zone = \"z2\"",
            "sample.toml: env.zone: also written as env.Zone; "
                + "letter case makes no difference"),
        Case(
            "a = = 1",
            "sample.toml: line 1, column 5: not TOML: Error while parsing value: "
                + "could not determine value type"),
        Case(
            "a = \"\u{0}\"",
            "sample.toml: cannot be read: it holds a zero byte, so it is not text"),
        Case("a.\"b\\u0000c\" = 1", "sample.toml: [a]: no such key"),
    ]

    @Test(arguments: values)
    func `a wrong value is named with what is allowed`(_ wrong: Case) {
        // Dotted keys first, so that a case may open a table of its own.
        let least = "env.zone = \"z1\"\nenv.DeployEnv = \"dev\"\n"
        let text = wrong.text.hasPrefix("a = ") ? wrong.text : least + wrong.text
        #expect(Samples.complaint(about: text) == wrong.complaint)
    }

    struct Range: Sendable {
        var key: String
        var range: ClosedRange<Int>
    }

    static let ranges: [Range] = [
        Range(key: "httpServer.loops", range: Configuration.loopsRange),
        Range(key: "registry.lease_seconds", range: RegistrySettings.leaseSecondsRange),
        Range(
            key: "registry.startup_protection_seconds",
            range: RegistrySettings.startupProtectionSecondsRange),
        Range(
            key: "registry.eviction_percent_per_minute", range: RegistrySettings.percentRange),
        Range(key: "registry.self_preservation_percent", range: RegistrySettings.percentRange),
        Range(
            key: "registry.protection_ceiling_seconds",
            range: RegistrySettings.protectionCeilingSecondsRange),
        Range(key: "registry.tombstone_seconds", range: RegistrySettings.tombstoneSecondsRange),
        Range(key: "registry.tombstones_max", range: RegistrySettings.tombstonesMaxRange),
        Range(key: "registry.instances_max", range: RegistrySettings.instancesMaxRange),
        Range(key: "registry.apps_max", range: RegistrySettings.appsMaxRange),
        Range(
            key: "registry.metadata_bytes_max", range: RegistrySettings.metadataBytesMaxRange),
        Range(key: "registry.addrs_max", range: RegistrySettings.addrsMaxRange),
        Range(key: "polls.hold_seconds", range: PollSettings.holdSecondsRange),
        Range(key: "polls.coalesce_milliseconds", range: PollSettings.coalesceMillisecondsRange),
        Range(key: "polls.waiters_max", range: PollSettings.waitersMaxRange),
        Range(key: "polls.apps_per_poll_max", range: PollSettings.appsPerPollMaxRange),
        Range(key: "limits.head_bytes_max", range: LimitSettings.headBytesMaxRange),
        Range(key: "limits.body_bytes_max", range: LimitSettings.bodyBytesMaxRange),
        Range(key: "limits.head_seconds", range: LimitSettings.headSecondsRange),
        Range(key: "limits.idle_seconds", range: LimitSettings.idleSecondsRange),
        Range(key: "cluster.digest_seconds", range: ClusterConfiguration.digestSecondsRange),
        Range(
            key: "cluster.comparison_seconds", range: ClusterConfiguration.comparisonSecondsRange),
        Range(
            key: "cluster.acknowledgement_milliseconds",
            range: ClusterConfiguration.acknowledgementMillisecondsRange),
        Range(
            key: "cluster.renewal_delay_milliseconds",
            range: ClusterConfiguration.renewalDelayMillisecondsRange),
        Range(key: "cluster.outbox_max", range: ClusterConfiguration.outboxMaxRange),
        Range(key: "cluster.join_seconds", range: ClusterConfiguration.joinSecondsRange),
    ]

    @Test(arguments: ranges)
    func `a number is taken at its bounds and refused beyond them`(_ rule: Range) {
        for number in [rule.range.lowerBound, rule.range.upperBound] {
            // The lease has to stay below the ceiling.
            let ceiling =
                rule.key.hasSuffix("ceiling_seconds")
                ? ""
                : "registry."
                    + "protection_ceiling_seconds = 86400\n"
            let lease = rule.key.hasSuffix("lease_seconds") ? "" : "registry.lease_seconds = 30\n"
            let text =
                ceiling + lease + "\(rule.key) = \(number)\n"
                + Samples.least
                .replacing("[env]\n", with: "")
                .replacing("zone", with: "env.zone").replacing("Deploy", with: "env.Deploy")
            #expect(Samples.complaint(about: text) == "")
        }
        let least = "env.zone = \"z1\"\nenv.DeployEnv = \"dev\"\n"
        for number in [rule.range.lowerBound - 1, rule.range.upperBound + 1, Int.min, Int.max] {
            let complaint = Samples.complaint(about: least + "\(rule.key) = \(number)")
            #expect(
                complaint
                    == Self.found(
                        "\(number)", for: rule.key,
                        allowed: "a whole number from \(rule.range.lowerBound) to "
                            + "\(rule.range.upperBound)"))
        }
    }

    @Test func `everything wrong is reported at once`() {
        let complaint = Samples.complaint(about: "polls.hold_seconds = 99\nregistry.addrs_max = 0")
        #expect(complaint.split(separator: "\n").count == 4)
    }

    @Test func `a flag and a variable are named as they were given`() {
        #expect(
            Samples.complaint(about: Samples.least, flags: ConfigurationFlags(listen: "x"))
                == "the command line: --listen: found \"x\", allowed is \(Self.address)")
        #expect(
            Samples.complaint(about: "", environment: ["ZONE": "a b", "DEPLOY_ENV": "dev"])
                == "the environment: ZONE: found \"a b\", allowed is \(Self.name)")
    }

    @Test func `a node that can tell nobody its address does not start`() {
        var lonely = Samples.machine
        lonely.addresses = []
        #expect(
            Samples.complaint(
                about: "env.zone = \"z\"\nenv.DeployEnv = \"d\"\nhttpServer.addr = \":7171\"",
                machine: lonely)
                == "sample.toml: cluster.advertise: found nothing, allowed is an address that "
                + "others can call, like \"10.0.0.1:7171\", because httpServer.addr is "
                + "\"0.0.0.0:7171\" and the machine has no address but loopback")
    }

    @Test func `a zone is never guessed`() {
        #expect(
            Samples.complaint(about: "env.DeployEnv = \"dev\"")
                == "sample.toml: env.zone: found nothing, allowed is \(Self.name); "
                + "ZONE or --zone sets it too")
    }

    @Test func `too many nodes and zones are refused`() {
        let nodes = (0...64).map { "\"10.0.0.\($0):1\"" }.joined(separator: ", ")
        #expect(
            Samples.complaint(about: "nodes = [\(nodes)]\n" + Samples.least).hasSuffix(
                Self.addresses))
        let zones = (0...64).map { "zones.y\($0) = []\n" }.joined()
        #expect(
            Samples.complaint(about: zones + Samples.least)
                == "sample.toml: zones: found 65, allowed is at most 64 zones")
        let zone = "[" + (1...64).map { "\"10.0.0.\($0):1\"" }.joined(separator: ", ") + "]"
        let five = (1...5).map { "zones.y\($0) = \(zone)\n" }.joined()
        #expect(
            Samples.complaint(about: five + Samples.least)
                == "sample.toml: zones: found 320 addresses, "
                + "allowed is at most 256 in nodes and zones")
    }

    @Test func `a file that cannot be read is named with the reason`() {
        #expect(
            throws: ConfigurationProblems(all: [
                .unreadable(path: "no-such.toml", reason: "No such file or directory")
            ])
        ) {
            try ConfigurationFile(path: "no-such.toml")
        }
        #expect(
            throws: ConfigurationProblems(all: [
                .unreadable(path: "/dev/zero", reason: "it is longer than 1048576 bytes")
            ])
        ) {
            try ConfigurationFile(path: "/dev/zero")
        }
    }
}
