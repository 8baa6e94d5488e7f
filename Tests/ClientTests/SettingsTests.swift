import Logging
import Testing

@testable import DiscoveryClient

/// What a client is told before it begins.
@Suite struct SettingsTests {
    private func makeClient(
        _ change: (inout ClientConfiguration) -> Void
    ) throws -> DiscoveryClient {
        var configuration = ClientConfiguration(
            nodes: ["n1:1"], env: "dev", zone: "sh001", hostname: "me")
        change(&configuration)
        return try DiscoveryClient(
            configuration, transport: ScriptedTransport { _ in .silence },
            random: SystemRandomNumberGenerator(),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    @Test func `a configuration says what it lacks`() throws {
        #expect(throws: DiscoveryError.misconfigured("ZONE is not set")) {
            try ClientConfiguration(environment: ["DISCOVERY_NODES": "a:1,b:2", "DEPLOY_ENV": "e"])
        }
        let configuration = try ClientConfiguration(
            environment: [
                "DISCOVERY_NODES": "a:1, b:2", "DEPLOY_ENV": "e", "ZONE": "z", "HOSTNAME": "h",
            ])
        #expect(configuration.nodes == ["a:1", "b:2"] && configuration.region.isEmpty)
    }

    @Test func `a setting that cannot be right is said at once`() throws {
        for node in [
            "http://a:1", "a", "a:0", ":1", "a:99999", "a b:1", "a?x:80", "a#x:80", "u@h:80",
            "[::1:80", "[]:80", "::1:80", "a:+80",
        ] {
            #expect(
                throws: DiscoveryError.misconfigured(
                    "a node is an address like 10.0.0.1:7171, not \"\(node)\"")
            ) { try makeClient { $0.nodes = [node] } }
        }
        #expect(throws: DiscoveryError.misconfigured("no node of the registry is configured")) {
            try makeClient { $0.nodes = [] }
        }
        #expect(throws: DiscoveryError.self) {
            try makeClient { $0.renewInterval = .zero }
        }
        #expect(throws: DiscoveryError.self) {
            try makeClient { $0.pollTimeout = .seconds(Int64.max) }
        }
        #expect(throws: DiscoveryError.misconfigured("zone is empty")) {
            try makeClient { $0.zone = "" }
        }
        _ = try makeClient { $0.nodes = ["[::1]:7171", "node-1.local:7171"] }
    }
}
