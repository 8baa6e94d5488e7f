import Foundation
import Testing

extension EndToEndTests {
    /// What `make cluster` runs: config/cluster/run.sh, on its own files but for the ports.
    @Suite struct ClusterScriptTests {
        private struct Row {
            let name: String
            let process: pid_t
            let port: UInt16
        }

        /// The script, on a copy of its folder.
        private final class Script {
            private let folder: TemporaryFolder
            private let ports: [ReservedPort]
            let child: ChildProcess

            init() throws {
                folder = try TemporaryFolder()
                ports = try (0..<10).map { _ in try ReservedPort() }
                let manager = FileManager.default
                for name in try manager.contentsOfDirectory(atPath: Self.original.path) {
                    let file = Self.original.appending(path: name)
                    var text = try String(contentsOf: file, encoding: .utf8)
                    for (index, port) in ports.enumerated() {
                        text = text.replacing(
                            "127.0.0.1:\(7171 + index)\"", with: "127.0.0.1:@\(port.number)\"")
                    }
                    text = text.replacing("127.0.0.1:@", with: "127.0.0.1:")
                    try folder.write(name, text)
                }
                child = try ChildProcess(
                    "/bin/bash",
                    [folder.path(of: "run.sh"), ChildProcess.discovery()],
                    environment: ["PATH": "/usr/bin:/bin", "TMPDIR": folder.path])
            }

            /// The nodes end with the script, and only so.
            deinit {
                child.send(SIGTERM)
                _ = child.waitForEnd(within: 20)
            }

            /// What it prints once all five serve.
            func rows() throws -> [Row] {
                let lines = child.output.wait(within: 30) { lines in
                    lines.contains { $0.hasPrefix("logs: ") } ? lines : nil
                }
                guard let lines else { throw Failure("no table:\n\(child.errors.text)") }
                return lines.compactMap { line in
                    let words = line.split(separator: " ").map(String.init)
                    guard words.count == 5, let process = pid_t(words[2]),
                        let serves = URL(string: words[3]), let port = serves.port,
                        let number = UInt16(exactly: port)
                    else { return nil }
                    return Row(name: words[0], process: process, port: number)
                }
            }

            private static let original = URL(filePath: #filePath).deletingLastPathComponent()
                .deletingLastPathComponent().deletingLastPathComponent()
                .deletingLastPathComponent().deletingLastPathComponent()
                .appending(path: "config/cluster")
        }

        @Test func `five nodes tell each other of a register, and go on when one is killed`() throws
        {
            let script = try Script()
            let rows = try script.rows()
            #expect(rows.map(\.name) == ["node1", "node2", "node3", "node4", "node5"])
            try expectTold("a", at: 0, rows)

            kill(rows[1].process, SIGKILL)
            let ended = script.child.output.wait(within: 10) { lines in
                lines.first { $0 == "node2 has ended with 137" }
            }
            #expect(ended != nil)
            let left = rows.filter { $0.name != "node2" }
            try expectTold("b", at: 3, left)
            let shown = try eventually {
                let nodes = try ask(left[0], HTTPRequest.get("/discovery/nodes"))
                let entries = try nodes.json["data"].list
                return try entries.contains {
                    try $0["addr"].string == "127.0.0.1:\(rows[1].port)"
                        && $0["status"].int == 1
                }
            }
            #expect(shown)

            script.child.send(SIGTERM)
            #expect(script.child.waitForEnd(within: 10) == .exited(0))
            #expect(script.child.output.text.contains("stopped; the logs are in "))
            for row in left { #expect(throws: Failure.self) { try HTTPClient(port: row.port) } }
        }

        private func ask(_ row: Row, _ request: String) throws -> HTTPReply {
            try HTTPClient(port: row.port).exchange(request)
        }

        /// Registers a host at one node while a poll hangs on each of the others.
        private func expectTold(_ host: String, at place: Int, _ rows: [Row]) throws {
            var polls: [HTTPClient] = []
            for (index, row) in rows.enumerated() where index != place {
                let reply = try ask(row, HTTPRequest.get(NodeProcess.fetch("demo.app")))
                let latest =
                    try reply.code == -404 ? 0 : reply.json["data"]["latest_timestamp"].int
                let poll = try HTTPClient(port: row.port)
                try poll.send(
                    HTTPRequest.get(
                        "/discovery/polls?env=dev&appid=demo.app&latest_timestamp=\(latest)"))
                polls.append(poll)
            }
            let written = try ask(
                rows[place], HTTPRequest.post("/discovery/register", Form.register(host)))
            #expect(try written.code == 0)
            for poll in polls {
                let reply = try poll.reply(within: 5)
                #expect(try reply.code == 0)
                #expect(try reply.json["data"]["demo.app"].hostnames.contains(host))
            }
        }
    }
}
