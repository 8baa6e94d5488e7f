import Foundation
import Testing

extension EndToEndTests {
    /// `discovery run`: a program that knows nothing of the registry. Here it is another node.
    @Suite struct RunCommandTests {
        private final class Program {
            let port: ReservedPort
            let child: ChildProcess

            init(_ node: NodeProcess, drain: Int = 5000) throws {
                port = try ReservedPort()
                child = try ClientCommandTests.start(
                    [
                        "run", "--appid", "demo.app", "--hostname", "me", "--addr",
                        "http://\(port.address)", "--meta", "a=b", "--drain", "\(drain)",
                    ] + ClientCommandTests.place + [
                        "--", try ChildProcess.discovery(), "serve", "--listen", port.address,
                        "--admin", "", "--zone", "z", "--env", "e", "--host", "h",
                    ], node)
            }

            /// The program's own process.
            func process() throws -> pid_t {
                let path = "/proc/\(child.id)/task/\(child.id)/children"
                let text = try String(contentsOfFile: path, encoding: .utf8)
                guard let id = pid_t(text.trimmingCharacters(in: .whitespaces)) else {
                    throw Failure("no program: \(text)")
                }
                return id
            }
        }

        private func statuses(_ node: NodeProcess) throws -> [Int] {
            let reply = try node.get(NodeProcess.fetch("demo.app"))
            if try reply.code == -404 { return [] }
            return try reply.json["data"]["instances"]["sh001"].list.map {
                try $0["status"].int
            }
        }

        @Test func `it is registered once it listens, and leaves in order`() throws {
            let node = try NodeProcess()
            let program = try Program(node)
            #expect(try eventually { try node.hostnames() == ["me"] })
            let reply = try node.get(NodeProcess.fetch("demo.app")).text
            #expect(reply.contains(#""addrs":["http://\#(program.port.address)"]"#))
            #expect(reply.contains(#""metadata":{"a":"b"}"#))
            program.child.send(SIGTERM)
            #expect(try eventually { try statuses(node) == [2] })
            #expect(try eventually(within: 20) { try statuses(node) == [] })
            #expect(program.child.waitForEnd(within: 20) == .exited(0))
            #expect(program.child.errors.text.contains("stopping signal=SIGTERM"))
        }

        @Test func `a second signal ends the drain`() throws {
            let node = try NodeProcess()
            let program = try Program(node, drain: 600_000)
            #expect(try eventually { try node.hostnames() == ["me"] })
            program.child.send(SIGINT)
            #expect(try eventually { try statuses(node) == [2] })
            program.child.send(SIGTERM)
            #expect(program.child.waitForEnd(within: 10) == .exited(0))
            #expect(try node.hostnames() == [])
        }

        @Test func `a registry that hangs does not keep the program from ending`() throws {
            let node = try NodeProcess()
            let program = try Program(node, drain: 600_000)
            #expect(try eventually { try node.hostnames() == ["me"] })
            try node.pause()
            program.child.send(SIGTERM)
            // Not the ten minutes of the drain: nobody has heard of it.
            #expect(program.child.waitForEnd(within: 30) == .exited(0))
            node.child.send(SIGCONT)
        }

        @Test func `other signals are passed on`() throws {
            let node = try NodeProcess()
            let child = try ClientCommandTests.start(
                ["run", "--appid", "demo.app", "--addr", "http://127.0.0.1:1"]
                    + ClientCommandTests.place + [
                        "--", "/bin/bash", "-c",
                        "trap 'exit 9' HUP; echo up; while :; do sleep 0.05; done",
                    ], node)
            #expect(eventually { child.output.text == "up\n" })
            child.send(SIGHUP)
            #expect(child.waitForEnd(within: 10) == .exited(9))
        }

        @Test func `a program that crashes is cancelled at once, and its code passed on`() throws {
            let node = try NodeProcess()
            let program = try Program(node)
            #expect(try eventually { try node.hostnames() == ["me"] })
            kill(try program.process(), SIGKILL)
            #expect(program.child.waitForEnd(within: 5) == .exited(137))
            #expect(try node.hostnames() == [])
        }

        @Test func `a program that never listens is never registered`() throws {
            let node = try NodeProcess()
            let port = try ReservedPort()
            let ended = try ClientCommandTests.run(
                ["run", "--appid", "demo.app", "--addr", "http://\(port.address)"]
                    + ClientCommandTests.place + ["--", "/bin/sh", "-c", "sleep 0.5; exit 7"],
                node)
            #expect(ended.code == 7)
            #expect(try node.metric("discovery_writes_total", ["kind": "register"]) == 0)
        }

        @Test func `what cannot be started, or reached, is said`() throws {
            let words = ["run", "--appid", "a", "--addr", "http://127.0.0.1:1"]
            let none = try ClientCommandTests.run(
                words + ClientCommandTests.place + ["--", "/no/such/program"])
            #expect(none.code == 4)
            #expect(
                none.errors
                    == "/no/such/program: cannot be started: No such file or directory\n")
            #expect(
                try ClientCommandTests.run(words + ClientCommandTests.place).code == 64)
            let odd = try ClientCommandTests.run(
                ["run", "--appid", "a", "--addr", "h"] + ClientCommandTests.place
                    + ["--", "true"])
            #expect(
                odd.errors
                    == "--addr: found \"h\", allowed is an address like \"http://10.0.0.1:8080\"\n")
        }
    }
}
