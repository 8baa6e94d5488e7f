import Logging

/// A running node: everything between the configuration and the exit code.
struct Daemon {
    let configuration: Configuration
    let logger: Logger

    /// Runs until the node is stopped.
    func run() throws {
        logger.info("started", metadata: ["listen": "\(configuration.listen)"])
    }
}
