@testable import Discovery

/// What the configuration tests start from: everything made up, nothing from this machine.
enum Samples {
    static let machine = Machine(
        cores: 8, filesMax: 1064, hostName: "made-up", addresses: ["10.9.9.9", "2001:db8::9"])

    /// The least a file must say.
    static let least = """
        [env]
        zone = "z1"
        DeployEnv = "dev"

        """

    static func load(
        _ text: String, flags: ConfigurationFlags = ConfigurationFlags(),
        environment: [String: String] = [:], machine: Machine = machine
    ) throws(ConfigurationProblems) -> Configuration.Loaded {
        try Configuration.load(
            file: ConfigurationFile(path: "sample.toml", text: text), flags: flags,
            environment: ConfigurationEnvironment(environment), machine: machine)
    }

    /// What is wrong with the text, one line each; empty when nothing is.
    static func complaint(
        about text: String, flags: ConfigurationFlags = ConfigurationFlags(),
        environment: [String: String] = [:], machine: Machine = machine
    ) -> String {
        do throws(ConfigurationProblems) {
            _ = try load(text, flags: flags, environment: environment, machine: machine)
            return ""
        } catch {
            return error.description
        }
    }
}
