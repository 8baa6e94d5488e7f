import ArgumentParser

/// The program: `discovery`, with its subcommands.
@main
struct DiscoveryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "discovery",
        abstract: "A service registry: providers register and renew, consumers long-poll.",
        discussion: """
            The HTTP API, the configuration file and the cluster protocol are those of \
            bilibili/discovery, so its clients and its nodes work with this one.

            EXAMPLE
              $ discovery check-config config/discovery.toml
              $ discovery serve --config config/discovery.toml
              $ discovery nodes --server 127.0.0.1:7171
            """,
        version: "discovery \(Version.number)",
        subcommands: [ServeCommand.self, CheckConfigCommand.self],
        groupedSubcommands: [
            CommandGroup(
                name: "Reading",
                subcommands: [
                    FetchCommand.self, WatchCommand.self, NodesCommand.self, BalanceCommand.self,
                    DiffCommand.self, ExportCommand.self, TopCommand.self,
                ]),
            CommandGroup(
                name: "Writing",
                subcommands: [
                    RunCommand.self, RegisterCommand.self, SetCommand.self, CancelCommand.self,
                    ImportCommand.self,
                ]),
        ])
}
