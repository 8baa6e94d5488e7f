import Foundation
import Testing

extension EndToEndTests {
    /// Starts that cannot succeed say why, and the commands around the start.
    @Suite struct StartTests {
        private func run(
            _ words: [String], environment: [String: String] = [:]
        ) throws -> ChildProcess {
            let child = try ChildProcess(
                ChildProcess.discovery(), words, environment: environment)
            guard child.waitForEnd(within: 10) != .none else {
                throw Failure("it still runs: \(words)")
            }
            return child
        }

        private static let identity = ["--zone", "sh001", "--env", "dev", "--host", "n"]

        private func withFile(_ text: String, _ action: (String) throws -> Void) throws {
            let folder = try TemporaryFolder()
            try folder.write("discovery.toml", text)
            try action(folder.path(of: "discovery.toml"))
        }

        @Test(arguments: [1, 2])
        func `a taken port is named`(_ loops: Int) throws {
            let node = try NodeProcess(loops: loops)
            let free = "127.0.0.1:0"
            let taken = "127.0.0.1:\(node.port)"
            for (listen, admin, port) in [
                (taken, free, node.port), (free, "127.0.0.1:\(node.adminPort)", node.adminPort),
            ] {
                let child = try run(
                    ["serve", "--listen", listen, "--admin", admin, "--loops", "\(loops)"]
                        + Self.identity)
                #expect(child.ending == .exited(1))
                #expect(
                    child.errors.text.contains(
                        "cannot listen on 127.0.0.1 port \(port): Address already in use"))
                #expect(!child.errors.text.contains("listening on"))
            }
        }

        @Test(arguments: ["serve", "check-config"])
        func `every mistake of a configuration is named`(_ command: String) throws {
            let text = """
                nodes = "10.0.0.1:7171"
                [registry]
                lease_seconds = 0
                lease_secnds = 90
                [polls]
                hold_seconds = 39
                [env]
                zone = "sh 001"
                DeployEnv = "dev"
                """
            try withFile(text) { file in
                let child = try run(
                    command == "serve" ? ["serve", "--config", file] : ["check-config", file])
                #expect(child.ending == .exited(1))
                let lines = child.errors.lines
                for (key, words) in [
                    ("nodes", "allowed is a list"),
                    ("registry.lease_seconds", "allowed is a whole number from 1 to 3600"),
                    ("registry.lease_secnds", "did you mean registry.lease_seconds?"),
                    ("polls.hold_seconds", "found 39"), ("env.zone", "without spaces"),
                ] {
                    #expect(
                        lines.contains { $0.hasPrefix("\(file): \(key): ") && $0.contains(words) },
                        "\(key): \(child.errors.text)")
                }
                #expect(lines.count == 5)
                #expect(child.output.text == "")
            }
        }

        @Test func `what is no configuration is refused`() throws {
            let missing = try run(["serve", "--config", "no-such-file.toml"])
            #expect(missing.ending == .exited(1))
            #expect(missing.errors.text.contains("no-such-file.toml: cannot be read"))
            let nameless = try run(["serve", "--listen", "127.0.0.1:0", "--admin", ""])
            #expect(nameless.ending == .exited(1))
            #expect(nameless.errors.text.contains("ZONE or --zone"))
            #expect(nameless.errors.text.contains("DEPLOY_ENV or --env"))
            for words in [
                ["serve", "--loops", "many"], ["serve", "--no-such-flag"], ["nonsense"],
            ] {
                #expect(try run(words).ending == .exited(64))
            }
            let loops = try run(["serve", "--loops", "65"] + Self.identity)
            #expect(loops.ending == .exited(1))
            #expect(loops.errors.text.contains("--loops: found 65"))
        }

        @Test func `the version and a good configuration are shown`() throws {
            let version = try run(["--version"])
            #expect(version.ending == .exited(0))
            #expect(version.output.text == "discovery 1.0.0\n")
            #expect(version.errors.text == "")
            try withFile("[env]\nzone = \"sh001\"\nDeployEnv = \"dev\"\n") { file in
                let check = try run(
                    ["check-config", file], environment: ["REGION": "sh", "HOSTNAME": "n1"])
                #expect(check.ending == .exited(0))
                #expect(check.output.lines.contains { $0.contains("lease_seconds = 90") })
                #expect(check.output.lines.contains { $0.contains("region = \"sh\"") })
                #expect(check.output.lines.last == "ok")
                #expect(check.errors.text == "")
            }
        }

        @Test func `logs are JSON where they are asked for`() throws {
            let node = try NodeProcess("[log]\nformat = \"json\"\nlevel = \"debug\"\n")
            #expect(try node.register("a\"b").code == 0)
            let line = node.child.errors.wait(within: 2) { lines in
                lines.first { $0.contains("instance registered") }
            }
            let event = try JSON(Array(try #require(line).utf8))
            #expect(try event["level"].string == "debug")
            #expect(try event["fields"]["hostname"].string == "a\"b")
        }
    }
}
