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
              $ curl 'http://127.0.0.1:7171/discovery/nodes'
            """,
        version: "discovery \(Version.number)",
        subcommands: [ServeCommand.self, CheckConfigCommand.self])
}
