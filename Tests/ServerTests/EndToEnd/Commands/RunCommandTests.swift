import Foundation
import Synchronization
import Testing

extension EndToEndTests {
    /// `discovery run`: a program that knows nothing of the registry. Here it is another node.
    @Suite struct RunCommandTests {
        private final class Program {
            let port: ReservedPort
            let child: ChildProcess

            init(_ node: NodeProcess, drain: Int = 5000) throws {
                port = try ReservedPort()
                child = try ClientCommandTests.start(Self.words(port, drain), node)
            }

            static func words(_ port: ReservedPort, _ drain: Int) throws -> [String] {
                [
                    "run", "--appid", "demo.app", "--hostname", "me", "--addr",
                    "http://\(port.address)", "--meta", "a=b", "--drain", "\(drain)",
                ] + ClientCommandTests.place + [
                    "--", try ChildProcess.discovery(), "serve", "--listen", port.address,
                    "--admin", "", "--zone", "z", "--env", "e", "--host", "h",
                ]
            }

            /// It takes requests, and has not heard of any end.
            func expectServing() throws {
                let reply = try HTTPClient(port: port.number).exchange(
                    HTTPRequest.get("/discovery/nodes"))
                #expect(reply.status == 200)
                #expect(!child.errors.text.contains("stopping"))
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
            // It serves while consumers leave it.
            try program.expectServing()
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
            try program.expectServing()
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

        @Test(arguments: [SIGHUP, SIGUSR1, SIGUSR2, SIGQUIT, SIGINT])
        func `a signal is passed on`(_ signal: Int32) throws {
            let node = try NodeProcess()
            let child = try ClientCommandTests.start(
                Self.trapping(signal, "exit 9"), node)
            #expect(eventually { child.output.text == "up\n" })
            child.send(signal)
            #expect(child.waitForEnd(within: 10) == .exited(9))
        }

        /// A program that is never registered, for its port is closed.
        /// It goes on for $n times 50 ms.
        private static func trapping(_ signal: Int32, _ action: String) -> [String] {
            ["run", "--appid", "demo.app", "--addr", "http://127.0.0.1:1"]
                + ClientCommandTests.place + [
                    "--", "/bin/bash", "-c",
                    "trap '\(action)' \(signal); n=1000; echo up; "
                        + "while ((n-- > 0)); do sleep 0.05; done; exit 7",
                ]
        }

        /// The program notes when it hears of its end; the registry has heard before.
        @Test func `it is cancelled before the program hears of its end`() throws {
            let node = try ReferencePeer()
            let folder = try TemporaryFolder()
            let seen = Mutex<[String]>([])
            let flag = folder.path(of: "flag")
            node.answer { request in
                let isStopped = FileManager.default.fileExists(atPath: flag)
                seen.withLock { $0.append("\(request.route) \(isStopped)") }
                return nil
            }
            let child = try ClientCommandTests.start(
                [
                    "run", "--appid", "demo.app", "--hostname", "me", "--addr",
                    "http://\(node.address)", "--drain", "50", "--server", node.address,
                ] + ClientCommandTests.place + [
                    "--", "/bin/bash", "-c",
                    "trap 'touch \(flag); exit 3' TERM; for i in {1..400}; do sleep 0.05; done",
                ])
            #expect(eventually { seen.withLock { $0 } == ["register false"] })
            child.send(SIGTERM)
            #expect(child.waitForEnd(within: 20) == .exited(3))
            #expect(
                seen.withLock { $0 } == ["register false", "set false", "cancel false"])
        }

        /// The system tells only the leader of the session, which is not the program.
        @Test func `a terminal that hangs up reaches the program`() throws {
            let node = try NodeProcess()
            let terminal = try startInTerminal(Self.trapping(SIGHUP, "exit 9"), node)
            #expect(eventually { terminal.child.output.text == "up\n" })
            terminal.hangUp()
            #expect(terminal.child.waitForEnd(within: 20) == .exited(9))
        }

        private func startInTerminal(_ words: [String], _ node: NodeProcess) throws -> Terminal {
            try Terminal(
                try ChildProcess.discovery(), words,
                environment: [
                    "PATH": "/usr/bin:/bin", "DISCOVERY_SERVER": "127.0.0.1:\(node.port)",
                ])
        }

        @Test(arguments: zip(["c", "\\"], [SIGINT, SIGQUIT]))
        func `a key of the terminal reaches the program once`(
            _ key: String, _ signal: Int32
        ) throws {
            let node = try NodeProcess()
            let terminal = try startInTerminal(Self.trapping(signal, "echo trapped; n=10"), node)
            let child = terminal.child
            #expect(eventually { child.output.text == "up\n" })
            try terminal.pressControl(key)
            #expect(child.waitForEnd(within: 20) == .exited(7))
            #expect(child.output.text == "up\ntrapped\n")
        }

        @Test func `Ctrl-C cancels at once, while the program ends by itself`() throws {
            let node = try NodeProcess()
            let port = try ReservedPort()
            // A drain would be seen by the status.
            let terminal = try startInTerminal(try Program.words(port, 600_000), node)
            #expect(try eventually { try node.hostnames() == ["me"] })
            try terminal.pressControl("c")
            #expect(terminal.child.waitForEnd(within: 20) == .exited(0))
            #expect(try node.hostnames() == [])
            #expect(terminal.child.errors.text.contains("stopping signal=SIGINT"))
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
