import Foundation
import Testing

extension EndToEndTests {
    /// `discovery watch`: changes as they come.
    @Suite struct WatchCommandTests {
        private static let printing = ["watch", "demo.app", "--env", NodeProcess.env]

        @Test func `every change is printed, and the list outlives the node`() throws {
            let group = try NodeGroup(["sh001"])
            let node = try group[0]
            let watch = try ClientCommandTests.start(Self.printing + ["--json"], node)
            #expect(try node.register("a").code == 0)
            #expect(eventually { watch.output.lines.count == 1 })
            #expect(try node.register("b").code == 0)
            #expect(eventually { watch.output.lines.count == 2 })
            let last = try #require(watch.output.lines.last)
            #expect(try JSON(Array(last.utf8))["demo.app"].hostnames == ["a", "b"])
            try group.kill(0)
            #expect(eventually { watch.errors.text.contains("asked again soon") })
            let again = try group.start(0)
            #expect(try again.register("c").code == 0)
            #expect(eventually(within: 15) { watch.output.lines.count >= 3 })
            #expect(eventually { watch.errors.text.hasSuffix("the registry answers\n") })
            watch.send(SIGTERM)
            #expect(watch.waitForEnd(within: 5) == .killed(signal: SIGTERM))
        }

        @Test func `what a node says moves no cursor`() throws {
            let node = try ReferencePeer()
            node.answer { _ in #"{"code":-503,"message":"\u001b[2J","ttl":1}"# }
            let watch = try ClientCommandTests.start(
                Self.printing + ["--server", node.address])
            #expect(eventually { watch.errors.lines.count == 2 })
            watch.send(SIGTERM)
            _ = watch.waitForEnd(within: 5)
            #expect(
                watch.errors.lines == [
                    "the registry answered -503: ?[2J", "what is known stays; asked again soon",
                ])
        }

        @Test(arguments: [["--zone", "z"], ["--scheme", "grpc"], ["--pause", "1"], ["--raw"]])
        func `what would mean nothing is refused`(_ words: [String]) throws {
            #expect(try ClientCommandTests.run(Self.printing + words).code == 64)
        }

        @Test func `it ends when nobody reads what it prints`() throws {
            let node = try NodeProcess()
            let program = try ChildProcess.discovery()
            let words = (Self.printing + ["--json", "--server", "127.0.0.1:\(node.port)"])
                .joined(separator: " ")
            let shell = try ChildProcess(
                "/bin/bash", ["-c", "set -o pipefail; \(program) \(words) | head -1"])
            #expect(try node.register("a").code == 0)
            #expect(eventually { shell.output.lines.count == 1 })
            var count = 0
            let hasEnded = try eventually(within: 10) {
                count += 1
                _ = try node.register("h\(100 + count)")
                return shell.waitForEnd(within: 0.05) != .none
            }
            #expect(hasEnded && shell.ending == .exited(141))
        }

        @Test func `what the registry refuses for ever ends it`() throws {
            let node = try NodeProcess()
            let ended = try ClientCommandTests.run(
                ["watch", "a\u{1}", "--env", NodeProcess.env], node)
            #expect(ended.code == 2)
            #expect(
                ended.errors
                    == "the registry answered -400: appid must not contain control characters\n")
        }
    }
}
