internal import ArgumentParser
internal import DiscoveryWire

/// `discovery nodes`: the nodes of the registry.
struct NodesCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "nodes",
        abstract: "Show the nodes of the registry.",
        discussion: """
            Those of the asked node's zone, and whether it reaches them. Nodes of other zones are \
            instances of the app infra.discovery.

            EXAMPLE
              $ discovery nodes --server 10.0.0.1:7171
              $ discovery fetch infra.discovery --env prod

            \(CommandFailure.exitCodes)
            """)

    @OptionGroup var server: ServerOptions

    func carryOut() throws(CommandFailure) {
        let answer = try server.makeCaller().get(.nodes, []).checked("no nodes")
        if server.json { return try server.show(answer.data) }
        var table = TextTable("ADDR", "ZONE", "REACHED")
        for node in answer.data.items {
            table.add(
                node["addr"].text, node["zone"].text, node["status"].integer == 0 ? "yes" : "no")
        }
        try table.show()
    }
}
