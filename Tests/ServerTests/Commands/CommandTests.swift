import ArgumentParser
import Foundation
import Testing

@testable import Discovery

@Suite struct CommandTests {
    static let flags = [
        "--config", "--listen", "--advertise", "--zone", "--env", "--host", "--node", "--admin",
        "--loops",
    ]

    @Test func `help names every flag, its default and what it overrides`() {
        let help = ServeCommand.helpMessage(columns: 1000)
        for flag in Self.flags {
            let line = help.split(separator: "\n").first { $0.hasPrefix("  \(flag) <") }
            #expect(line?.contains("Default: ") == true, "\(flag)")
            if flag != "--config" { #expect(line?.contains("verride") == true, "\(flag)") }
        }
        #expect(help.contains("EXAMPLE"))
        #expect(CheckConfigCommand.helpMessage().contains("EXAMPLE"))
        #expect(DiscoveryCommand.helpMessage().contains("serve"))
        #expect(DiscoveryCommand.helpMessage().contains("fetch"))
        #expect(DiscoveryCommand.configuration.version == "discovery 1.0.0")
    }

    @Test(arguments: [CompletionShell.bash, .zsh, .fish])
    func `completions know every command and its flags`(_ shell: CompletionShell) {
        let script = DiscoveryCommand.completionScript(for: shell)
        let names = [
            "serve", "check-config", "fetch", "watch", "nodes", "balance", "diff", "export", "run",
            "register", "set", "cancel", "import", "top",
        ]
        for name in names { #expect(script.contains(name), "\(name)") }
        #expect(script.contains("template") && script.contains("advertise"))
    }

    @Test func `every command of every day teaches by examples and says its exit codes`() {
        let commands: [any ClientCommand.Type] = [
            FetchCommand.self, WatchCommand.self, NodesCommand.self, BalanceCommand.self,
            DiffCommand.self, ExportCommand.self, RunCommand.self, RegisterCommand.self,
            SetCommand.self, CancelCommand.self, ImportCommand.self, TopCommand.self,
        ]
        for command in commands {
            let help = command.helpMessage(columns: 200)
            #expect(help.contains("EXAMPLE\n  $ discovery "), "\(command)")
            #expect(help.contains("EXIT CODES"), "\(command)")
            #expect(help.contains("DISCOVERY_SERVER") || help.contains("The one node"))
        }
    }

    @Test func `flags reach the configuration`() throws {
        let words = [
            "serve", "--config", "f", "--listen", "l", "--advertise", "a", "--zone", "z", "--env",
            "e", "--host", "h", "--node", "n1", "--node", "n2", "--admin", "", "--loops", "3",
        ]
        let command = try #require(DiscoveryCommand.parseAsRoot(words) as? ServeCommand)
        #expect(command.config == "f")
        #expect(
            command.flags
                == ConfigurationFlags(
                    listen: "l", advertise: "a", admin: "", zone: "z", env: "e", host: "h",
                    nodes: ["n1", "n2"], loops: 3))
    }

    @Test(arguments: [
        ["serve", "--loops", "x"], ["serve", "--frobnicate"], ["check-config"], ["x"],
    ])
    func `wrong usage exits with 64`(_ words: [String]) {
        let error = #expect(throws: (any Error).self) {
            try DiscoveryCommand.parseAsRoot(words)
        }
        #expect(error.map { DiscoveryCommand.exitCode(for: $0) } == .validationFailure)
    }

    @Test func `check-config exits with 1 when something is wrong`() throws {
        var command = try #require(
            DiscoveryCommand.parseAsRoot(["check-config", "no-such.toml"]) as? CheckConfigCommand)
        #expect(throws: ExitCode.failure) { try command.run() }
    }
}
