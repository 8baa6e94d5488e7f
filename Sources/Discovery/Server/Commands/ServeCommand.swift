import ArgumentParser
import Logging

/// `discovery serve`: reads the configuration, sets up the log and runs a node until it is stopped.
struct ServeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Run a node until it gets SIGTERM or SIGINT.",
        discussion: """
            Settings come from four places; the first that has one wins: these flags, the file, \
            the environment (REGION, ZONE, DEPLOY_ENV, HOSTNAME, DISCOVERY_NODES, \
            DISCOVERY_TOKEN), the built-in defaults. A wrong key or value stops the start and says \
            what is allowed. Every key is explained in config/discovery.toml; `discovery \
            check-config` shows what is in effect.

            EXAMPLE
              $ discovery serve --config config/discovery.toml --zone sh002
              $ node=http://127.0.0.1:7171/discovery
              $ curl -d 'region=sh&zone=sh002&env=dev&appid=demo.app' \\
                  -d 'hostname=a&status=1&addrs=http://10.0.0.1:80' $node/register
              $ curl "$node/fetch?env=dev&appid=demo.app&status=1"
              $ curl http://127.0.0.1:7172/metrics
            """)

    @Option(help: ArgumentHelp("Configuration file. Default: none.", valueName: "file"))
    var config: String?

    @Option(
        help: ArgumentHelp(
            "Address to serve on. Default: 127.0.0.1:7171. Overrides [httpServer] addr.",
            valueName: "host:port"))
    var listen: String?

    @Option(
        help: ArgumentHelp(
            """
            Address that clients and other nodes call. Default: the one of --listen, or the \
            machine's first if that is 0.0.0.0. Overrides [cluster] advertise.
            """, valueName: "host:port"))
    var advertise: String?

    @Option(
        help: ArgumentHelp(
            "Machine room of this node. Default: $ZONE. Overrides [env] zone.", valueName: "name"))
    var zone: String?

    @Option(
        help: ArgumentHelp(
            "Deployment environment. Default: $DEPLOY_ENV. Overrides [env] DeployEnv.",
            valueName: "name"))
    var env: String?

    @Option(
        help: ArgumentHelp(
            "Hostname of this node. Default: $HOSTNAME or the machine's. Overrides [env] host.",
            valueName: "name"))
    var host: String?

    @Option(
        help: ArgumentHelp(
            """
            A node of this zone; repeat the flag for each. Default: none. Together they override \
            nodes.
            """, valueName: "host:port"))
    var node: [String] = []

    @Option(
        help: ArgumentHelp(
            """
            Address of /metrics, /livez and /readyz; "" serves them nowhere. Default: \
            127.0.0.1:7172. Overrides [admin] listen.
            """, valueName: "host:port"))
    var admin: String?

    @Option(
        help: ArgumentHelp(
            """
            Event loops, 1 to 64. Default: one per core, at most 4. Overrides [httpServer] loops.
            """, valueName: "count"))
    var loops: Int?

    mutating func run() throws {
        let loaded: Configuration.Loaded
        do throws(ConfigurationProblems) {
            loaded = try Configuration.load(
                file: config.map { path throws(ConfigurationProblems) in
                    try ConfigurationFile(path: path)
                },
                flags: flags, environment: .current(), machine: .current())
        } catch {
            StandardStream.error.write(line: error.description)
            throw ExitCode.failure
        }
        let settings = loaded.configuration.log
        let log = LogQueue { StandardStream.error.write($0) }
        // A second is plenty for a collector that reads; one that does not must not hold the end
        // up.
        defer { log.flush(milliseconds: 1_000) }
        LoggingSystem.bootstrap { _ in
            LineLogHandler(settings: settings) { log.append($0) }
        }
        let logger = Logger(label: "discovery")
        report(loaded, to: logger)
        try Daemon(configuration: loaded.configuration, logger: logger, log: log).run()
    }

    /// The flags as the configuration takes them.
    var flags: ConfigurationFlags {
        ConfigurationFlags(
            listen: listen, advertise: advertise, admin: admin, zone: zone, env: env, host: host,
            nodes: node, loops: loops)
    }

    /// Says what an operator should know before the first request.
    private func report(_ loaded: Configuration.Loaded, to logger: Logger) {
        for sentence in loaded.configuration.advice {
            logger.warning("\(sentence)")
        }
        if !loaded.ignoredKeys.isEmpty {
            logger.debug(
                "keys of the reference that mean nothing here",
                metadata: ["keys": "\(loaded.ignoredKeys.joined(separator: " "))"])
        }
        let files = Machine.raiseOpenFilesLimit()
        let wanted = loaded.configuration.limits.connectionsMax
        if files < wanted {
            logger.warning(
                "fewer files than connections can be opened",
                metadata: ["files": "\(files)", "connections_max": "\(wanted)"])
        }
    }
}
