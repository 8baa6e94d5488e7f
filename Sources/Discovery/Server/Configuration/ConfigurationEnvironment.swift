/// The environment variables of the reference, and our own. They fill what the file leaves out.
struct ConfigurationEnvironment: Sendable, Equatable {
    /// Variables by name; only those that count are kept.
    var variables: [String: String]

    /// Which variable fills which key. `DISCOVERY_NODES` is what the reference's clients read; it
    /// means the same nodes. `DISCOVERY_TOKEN` keeps a secret out of a file that many may read.
    static let keys: [(variable: String, table: String, key: String)] = [
        ("REGION", "env", "region"),
        ("ZONE", "env", "zone"),
        ("DEPLOY_ENV", "env", "DeployEnv"),
        ("HOSTNAME", "env", "host"),
        (nodesVariable, "", "nodes"),
        ("DISCOVERY_TOKEN", "cluster", "token"),
    ]

    /// Holds addresses joined by commas.
    static let nodesVariable = "DISCOVERY_NODES"

    /// Takes what counts out of all variables.
    init(_ variables: [String: String]) {
        self.variables = variables.filter { variable in
            Self.keys.contains { $0.variable == variable.key }
        }
    }

    /// The variables as keys of the file; empty ones count as unset.
    var entries: [SettingEntry] {
        Self.keys.compactMap { variable, table, key in
            guard let value = variables[variable], !value.isEmpty else { return nil }
            let items = value.split(separator: ",").map { SettingValue.string(String($0)) }
            return SettingEntry(
                origin: "the environment", spelling: variable, table: table, key: key,
                value: variable == Self.nodesVariable ? .list(items) : .string(value))
        }
    }
}
