import DiscoveryCore
import DiscoveryWire
import Foundation
import Testing

@testable import Discovery

/// The files under config/, as an operator starts from them.
@Suite struct ConfigurationFilesTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "config").path

    /// Every TOML file under config/, by its path in it.
    private static let files = (FileManager.default.subpaths(atPath: root) ?? [])
        .filter { $0.hasSuffix(".toml") }.sorted()

    private static let token = ["DISCOVERY_TOKEN": "0123456789abcdef"]

    private func load(
        _ file: String, environment: [String: String] = [:]
    ) throws -> Configuration.Loaded {
        try Configuration.load(
            file: ConfigurationFile(path: "\(Self.root)/\(file)"), flags: ConfigurationFlags(),
            environment: ConfigurationEnvironment(environment), machine: Samples.machine)
    }

    @Test func `the example of a schedule is one`() throws {
        let text = try String(
            contentsOfFile: "\(Self.root)/schedulers/example.json", encoding: .utf8)
        let scheduled = try ScheduleReader.read(text.utf8.span, shape: .object)
        #expect(scheduled.schedule?.rules.count == 2)
    }

    @Test func `there are the files that are known, and no others`() {
        let nodes = (1...5).map { "cluster/node\($0).toml" }
        #expect(Self.files == nodes + ["discovery.toml", "production.toml"])
    }

    @Test(arguments: files)
    func `every file starts a node, with nothing to warn about`(_ file: String) throws {
        let loaded = try load(file, environment: Self.token)
        #expect(loaded.configuration.advice.isEmpty)
        #expect(loaded.ignoredKeys.isEmpty)
    }

    @Test func `the five nodes of the cluster know each other and nobody else`() throws {
        let files = Self.files.filter { $0.hasPrefix("cluster/") }
        let nodes = try files.map { try load($0).configuration }
        #expect(nodes.map(\.identity.host) == (1...5).map { "node\($0)" })
        #expect(nodes.map(\.identity.zone) == ["sh001", "sh001", "sh001", "sh002", "sh002"])
        #expect(nodes.map(\.listen.port) == [7171, 7173, 7175, 7177, 7179])
        #expect(nodes.map(\.admin?.port) == [7172, 7174, 7176, 7178, 7180])
        #expect(Set(nodes.map(\.identity.env)).count == 1)
        for node in nodes {
            #expect(node.loops == 1)
            #expect(node.listen.host == "127.0.0.1")
            #expect(node.advertise == node.listen)
            let others = nodes.filter { $0.identity.zone != node.identity.zone }
            #expect(
                node.nodes
                    == nodes.filter { $0.identity.zone == node.identity.zone }.map(\.listen))
            #expect(
                node.zones == [
                    RemoteZone(name: others[0].identity.zone, nodes: others.map(\.listen))
                ])
            #expect(!node.cluster.isOpen, "a cluster to start from warns about nothing")
        }
    }

    @Test func `the example of a production node listens everywhere and says where it is`() throws {
        let node = try load("production.toml", environment: Self.token).configuration
        #expect(node.listen.isWildcard)
        #expect(node.nodes.contains(node.advertise))
        #expect(node.nodes.count == 3)
        #expect(node.cluster.token == Self.token["DISCOVERY_TOKEN"])
        #expect(node.registry.startupProtection)
    }
}
