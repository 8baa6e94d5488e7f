/// What the command line says about the configuration. It wins over the file.
struct ConfigurationFlags: Sendable, Equatable {
    var listen: String?
    var advertise: String?
    var admin: String?
    var zone: String?
    var env: String?
    var host: String?
    /// Replaces the file's `nodes` unless empty.
    var nodes: [String] = []
    var loops: Int?

    /// The flags as keys of the file.
    var entries: [SettingEntry] {
        var entries: [SettingEntry] = []
        func add(_ flag: String, _ table: String, _ key: String, _ value: SettingValue?) {
            guard let value else { return }
            entries.append(
                SettingEntry(
                    origin: "the command line", spelling: flag, table: table, key: key,
                    value: value))
        }
        add("--listen", "httpServer", "addr", listen.map { .string($0) })
        add("--advertise", "cluster", "advertise", advertise.map { .string($0) })
        add("--admin", "admin", "listen", admin.map { .string($0) })
        add("--zone", "env", "zone", zone.map { .string($0) })
        add("--env", "env", "DeployEnv", env.map { .string($0) })
        add("--host", "env", "host", host.map { .string($0) })
        add("--node", "", "nodes", nodes.isEmpty ? nil : .list(nodes.map { .string($0) }))
        add("--loops", "httpServer", "loops", loops.map { .integer($0) })
        return entries
    }
}
