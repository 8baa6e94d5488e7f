import Logging
import Testing

@testable import DiscoveryClient

/// A client of scripted nodes.
enum Scripted {
    static let done = #"{"code":0,"message":"0","ttl":1}"#
    static let unchanged = #"{"code":-304,"message":"-304","ttl":1}"#
    static let notFound = #"{"code":-404,"message":"-404","ttl":1}"#

    static func makeClient(
        _ transport: ScriptedTransport, nodes: [String] = ["n1:1"],
        _ change: (inout ClientConfiguration) -> Void = { _ in }
    ) throws -> DiscoveryClient {
        var configuration = ClientConfiguration(
            nodes: nodes, env: "dev", zone: "sh001", hostname: "me")
        configuration.drainTime = .zero
        // A busy machine may take a minute for what takes none.
        configuration.requestTimeout = .seconds(3_600)
        change(&configuration)
        return try DiscoveryClient(
            configuration, transport: transport, random: SystemRandomNumberGenerator(),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    /// Runs the client for as long as `body` takes.
    static func running(
        _ client: DiscoveryClient, _ body: (DiscoveryClient) async throws -> Void
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await client.run() }
            try await body(client)
            group.cancelAll()
        }
    }

    /// News of an app for who has none, else silence.
    static func answerOnce(
        _ asked: ScriptedTransport.Asked, _ app: String, latest: Int, hosts: [String]
    ) -> ScriptedTransport.Reply {
        guard asked.request.route == "polls" else { return .body(done) }
        let apps = asked.values("appid")
        guard let place = apps.firstIndex(of: app),
            Int(asked.values("latest_timestamp")[place]) ?? 0 < latest
        else { return .silence }
        return .body(newsJSON([(app, latest, hosts)]))
    }

    /// Polls hang, and every write is taken.
    static func takeWrites(_ asked: ScriptedTransport.Asked) -> ScriptedTransport.Reply {
        asked.request.route == "polls" ? .silence : .body(done)
    }
}
