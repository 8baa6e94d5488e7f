import Foundation
import Testing

@testable import Discovery

@Suite struct ConfigurationTests {
    @Test func `a file that says the least gets every default`() throws {
        let loaded = try Samples.load(Samples.least)
        var expected = Configuration(
            identity: NodeIdentity(zone: "z1", env: "dev", host: "made-up"))
        expected.loops = 4
        expected.limits.connectionsMax = 1000
        expected.polls.waitersMax = 1000
        #expect(loaded.configuration == expected)
        #expect(loaded.ignoredKeys.isEmpty)
    }

    @Test func `a file of the reference starts a node unchanged`() throws {
        let path = Self.root + "/Tests/ServerTests/Fixtures/reference.toml"
        let loaded = try Configuration.load(
            file: ConfigurationFile(path: path), flags: ConfigurationFlags(),
            environment: ConfigurationEnvironment([:]), machine: Samples.machine)
        let configuration = loaded.configuration
        #expect(
            configuration.identity
                == NodeIdentity(region: "bj", zone: "bj001", env: "uat", host: "node-a"))
        #expect(configuration.nodes.map(\.description) == ["10.1.0.10:7171", "10.1.0.11:7171"])
        #expect(configuration.zones.map(\.name) == ["bj002", "bj003"])
        #expect(configuration.zones.map(\.nodes.count) == [2, 1])
        #expect(configuration.registry.startupProtection)
        #expect(configuration.listen == Endpoint(host: "10.1.0.10", port: 7171))
        #expect(configuration.advertise == configuration.listen)
        #expect(configuration.limits.requestMilliseconds == 40_000)
        #expect(configuration.peerClient.dialMilliseconds == 250)
        #expect(configuration.peerClient.keepAliveMilliseconds == 120_000)
        #expect(configuration.peerClient.requestMilliseconds == 30_000)
        #expect(
            loaded.ignoredKeys
                == ["httpServer.readTimeout", "httpClient.breaker", "log.stdout", "log.dir"])
    }

    @Test func `the file in config has every default and every key`() throws {
        let path = Self.root + "/config/discovery.toml"
        let text = try String(contentsOfFile: path, encoding: .utf8)
        let fromFile = try Samples.load(text)
        let builtIn = try Samples.load(
            """
            [env]
            region = "sh"
            zone = "sh001"
            DeployEnv = "dev"
            """)
        #expect(fromFile.configuration == builtIn.configuration)

        var table = ""
        var written: Set<String> = []
        for line in text.split(separator: "\n") {
            let line = line.drop { $0 == "#" || $0 == " " }
            if line.hasPrefix("["), line.hasSuffix("]") {
                table = String(line.dropFirst().dropLast())
                written.insert(table)
            } else if let equals = line.firstRange(of: " = ") {
                let key = String(line[..<equals.lowerBound])
                written.insert(table.isEmpty ? key : "\(table).\(key)")
            }
        }
        #expect(Set(fromFile.knownKeys).subtracting(written).isEmpty)
    }

    @Test func `what check-config prints is a file with the same settings`() throws {
        let path = Self.root + "/Tests/ServerTests/Fixtures/reference.toml"
        let first = try Configuration.load(
            file: ConfigurationFile(path: path), flags: ConfigurationFlags(),
            environment: ConfigurationEnvironment([:]), machine: Samples.machine)
        let text = first.effective.map(\.description).joined(separator: "\n")
        let second = try Samples.load(text)
        #expect(second.configuration == first.configuration)
        #expect(second.effective == first.effective)
        let printed = Set(first.effective.map(\.key))
        #expect(Set(first.knownKeys).subtracting(printed) == ["zones"])
    }

    @Test func `flags win over the file, all of them`() throws {
        let flags = ConfigurationFlags(
            listen: ":0", advertise: "a.example:1", admin: "", zone: "z2", env: "prod",
            host: "other", nodes: ["10.0.0.1:1", "10.0.0.2:2"], loops: 2)
        let text = """
            nodes = ["10.0.0.9:9"]
            [env]
            zone = "z1"
            host = "h1"
            DeployEnv = "dev"
            [httpServer]
            addr = "127.0.0.1:7171"
            loops = 9
            [cluster]
            advertise = "b.example:1"
            [admin]
            listen = "127.0.0.1:9"
            """
        let configuration = try Samples.load(text, flags: flags).configuration
        #expect(configuration.listen == Endpoint(host: "0.0.0.0", port: 0))
        #expect(configuration.advertise == Endpoint(host: "a.example", port: 1))
        #expect(configuration.admin == nil)
        #expect(configuration.identity == NodeIdentity(zone: "z2", env: "prod", host: "other"))
        #expect(configuration.nodes.map(\.description) == ["10.0.0.1:1", "10.0.0.2:2"])
        #expect(configuration.loops == 2)
    }

    @Test func `the environment fills gaps and nothing else`() throws {
        let environment = [
            "REGION": "r9", "ZONE": "z9", "DEPLOY_ENV": "e9", "HOSTNAME": "h9",
            "DISCOVERY_NODES": "10.0.0.1:1,10.0.0.2:2", "DISCOVERY_TOKEN": "t9,u", "PATH": "x",
        ]
        let empty = try Samples.load("[env]\nregion = \"\"", environment: environment)
            .configuration
        #expect(
            empty.identity == NodeIdentity(region: "r9", zone: "z9", env: "e9", host: "h9"))
        #expect(empty.nodes.count == 2)
        #expect(empty.cluster.token == "t9,u")

        let full = try Samples.load(
            """
            nodes = ["10.0.0.3:3"]
            [env]
            region = "r1"
            zone = "z1"
            host = "h1"
            DeployEnv = "e1"
            [cluster]
            token = "t1"
            """, environment: environment
        ).configuration
        #expect(full.identity == NodeIdentity(region: "r1", zone: "z1", env: "e1", host: "h1"))
        #expect(full.nodes.map(\.description) == ["10.0.0.3:3"])
        #expect(full.cluster.token == "t1")

        let unset = try Samples.load(Samples.least, environment: ["ZONE": "", "REGION": ""])
        #expect(unset.configuration.identity.zone == "z1")
    }

    @Test func `a node that listens everywhere tells others its first address`() throws {
        let text = Samples.least + "[httpServer]\naddr = \"0.0.0.0:7171\""
        let configuration = try Samples.load(text).configuration
        #expect(configuration.listen.isWildcard)
        #expect(configuration.advertise == Endpoint(host: "10.9.9.9", port: 7171))
    }

    @Test func `limits that depend on each other give way to the smaller one`() throws {
        let text =
            Samples.least + """
                [httpServer]
                timeout = "5s"
                [limits]
                connections_max = 10
                [polls]
                waiters_max = 20
                """
        let configuration = try Samples.load(text).configuration
        #expect(configuration.polls.holdSeconds == 5)
        #expect(configuration.polls.waitersMax == 10)
    }

    @Test func `a short lease is allowed with a warning`() throws {
        let settings = try Samples.load(Samples.least + "[registry]\nlease_seconds = 40")
            .configuration.registry
        #expect(settings.leaseSeconds == 40)
        #expect(settings.advice.count == 1)
        #expect(RegistrySettings().advice.isEmpty)
    }

    @Test func `this machine has a core and a file to open`() {
        let machine = Machine.current()
        #expect(machine.cores >= 1)
        #expect(machine.filesMax >= 1)
        #expect(!machine.addresses.contains("127.0.0.1"))
        #expect(
            machine.addresses.allSatisfy {
                Endpoint("[\($0)]:1") != nil || Endpoint("\($0):1") != nil
            })
    }

    private static let root = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path
}
