import ArgumentParser

/// `discovery check-config FILE`: says what `serve` would say about a file, without starting.
struct CheckConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check-config",
        abstract: "Check a configuration file without starting.",
        discussion: """
            Prints every setting in effect as a line of TOML, then "ok". Prints what is wrong to \
            stderr instead, one line each, and exits with 1.

            EXAMPLE
              $ discovery check-config config/discovery.toml | tail -1
              ok
            """)

    @Argument(help: ArgumentHelp("Configuration file.", valueName: "file"))
    var file: String

    mutating func run() throws {
        do throws(ConfigurationProblems) {
            let loaded = try Configuration.load(
                file: ConfigurationFile(path: file), flags: ConfigurationFlags(),
                environment: .current(), machine: .current())
            for setting in loaded.effective {
                StandardStream.output.write(line: setting.description)
            }
            for sentence in loaded.configuration.advice {
                StandardStream.output.write(line: "# advice: \(sentence)")
            }
            for key in loaded.ignoredKeys {
                StandardStream.output.write(
                    line: "# ignored: \(key) means something to the reference only")
            }
            StandardStream.output.write(line: "ok")
        } catch {
            StandardStream.error.write(line: error.description)
            throw ExitCode.failure
        }
    }
}
