internal import ArgumentParser
internal import DiscoveryWire

/// `discovery fetch APPID…`: the instances of apps.
struct FetchCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "fetch",
        abstract: "Show the instances of apps.",
        discussion: """
            EXAMPLE
              $ discovery fetch demo.hello --env dev
              $ discovery fetch demo.hello --env dev --status all --json | jq

            \(CommandFailure.exitCodes)
            """)

    @Argument(help: ArgumentHelp("Names of apps.", valueName: "appid"))
    var apps: [String]

    @OptionGroup var env: EnvOptions

    @Option(help: ArgumentHelp("Only this zone. Default: all.", valueName: "name"))
    var zone: String?

    @Option(help: "Which instances: up takes traffic, waiting does not, or all.")
    var status = Status.up

    @OptionGroup var server: ServerOptions

    enum Status: String, ExpressibleByArgument, CaseIterable {
        case up, waiting, all

        var mask: String {
            switch self {
            case .up: "1"
            case .waiting: "2"
            case .all: "3"
            }
        }
    }

    func carryOut() throws(CommandFailure) {
        var fields = [("env", try env.required()), ("status", status.mask)]
        if let zone { fields.append(("zone", zone)) }
        fields += apps.map { ("appid", $0) }
        let answer = try server.makeCaller().get(.fetchs, fields).checked("")
        let table = InstanceTable(answer.data)
        let missing = apps.filter { table.counts[$0] == nil }
        if server.json {
            try server.show(answer.data)
        } else {
            try table.show()
        }
        if !missing.isEmpty {
            throw .nothing("no instances of \(missing.joined(separator: ", "))")
        }
    }
}

/// The instances in the `data` of fetchs or polls.
struct InstanceTable {
    private var table = TextTable("APP", "ZONE", "HOSTNAME", "STATUS", "WEIGHT", "VERSION", "ADDRS")
    /// By app, of those that have instances.
    private(set) var counts: [String: Int] = [:]

    init(_ data: JSONTree) {
        for app in data.members {
            // A node set up for brpc has the map under the other name.
            let zones = app.value["instances"].members + app.value["zone_instances"].members
            for zone in zones {
                for instance in zone.value.items {
                    counts[app.name, default: 0] += 1
                    table.add(
                        app.name, zone.name, instance["hostname"].text,
                        instance["status"].integer == 1 ? "up" : "waiting",
                        Self.orDash(instance["metadata"]["weight"].text),
                        Self.orDash(instance["version"].text),
                        instance["addrs"].items.map(\.text).joined(separator: " "))
                }
            }
        }
    }

    private static func orDash(_ text: String) -> String { text.isEmpty ? "-" : text }

    /// Nothing, not even a head, if there are none.
    func show() throws(CommandFailure) {
        if !counts.isEmpty { try table.show() }
    }
}
