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
        // Each has a part of its own, and not only its name somewhere.
        for name in names {
            let part = shell == .fish ? "case '\(name)'" : "_discovery_\(name)() {"
            #expect(script.contains(part), "\(name)")
        }
        #expect(script.contains("template") && script.contains("advertise"))
    }

    @Test(arguments: [
        (Int64(1), Int64(3), "33.3 %"), (2, 3, "66.7 %"), (1, 1, "100.0 %"), (0, 5, "0.0 %"),
        (.max, 1, "922337203685477580700.0 %"), (5, 0, "500.0 %"),
        (-1, .min, "-100.0 %"),
    ])
    func `a share is a percentage, whatever a node answers`(
        _ part: Int64, _ whole: Int64, _ text: String
    ) {
        #expect(BalanceCommand.percent(part, of: whole) == text)
    }

    @Test func `metrics are read as Prometheus does`() {
        let samples = MetricSamples(
            """
            # HELP a b
            a{x="1",y="a\\"b\\\\c\\nd"} 2
            a{x="2"} 3.5e1
            b 7
            c NaN
            d{x="unfinished
            e

            """)
        #expect(samples.sum("a") == 37 && samples.sum("a", ["x": "2"]) == 35)
        #expect(samples.values(of: "y", in: "a") == ["a\"b\\c\nd"])
        #expect(samples.sum("b") == 7 && samples.sum("nothing") == 0)
    }

    @Test func `top has no rate of a node that has started again`() {
        func look(_ at: UInt64, _ text: String?) -> TopView.Look {
            TopView.Look(
                address: "n:1", at: at, samples: text.map { MetricSamples($0) }, failure: "gone")
        }
        func row(_ before: String?, _ now: String) -> [Substring] {
            TopView(before: [look(0, before)], now: [look(2_000_000_000, now)]).lines[1]
                .split(separator: " ")
        }
        let request = "discovery_requests_total"
        #expect(row("\(request) 10", "\(request) 30")[8] == "10")
        #expect(row("\(request) 30", "\(request) 10")[8] == "-")
        #expect(row(nil, "\(request) 10")[8] == "-")
        #expect(row("\(request) 1", "\(request) NaN")[8] == "-")
        let lost = TopView(before: [look(0, nil)], now: [look(1, nil)]).lines
        #expect(lost.last == "gone")
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
