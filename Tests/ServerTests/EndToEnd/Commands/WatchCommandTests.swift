import Foundation
import Testing

extension EndToEndTests {
    /// `discovery watch`: changes as they come, on paper or in a file.
    @Suite struct WatchCommandTests {
        private static let words = ["watch", "demo.app"] + ClientCommandTests.place
        private static let template = """
            upstream demo {
            {{each demo.app}}
                server {{host}}:{{port}} weight={{weight}}; # {{hostname}} {{meta note}}
            {{end}}
            }

            """

        @Test func `every change is printed, and the list outlives the node`() throws {
            let group = try NodeGroup(["sh001"])
            let node = try group[0]
            let watch = try ClientCommandTests.start(Self.words + ["--json"], node)
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

        @Test func `a file is replaced as a whole, when its text changes, and the command run`()
            throws
        {
            let node = try NodeProcess()
            let folder = try TemporaryFolder()
            try folder.write("in", Self.template)
            let out = folder.path(of: "out")
            let watch = try ClientCommandTests.start(
                Self.words + [
                    "--template", folder.path(of: "in"), "--output", out, "--pause", "50",
                    "--exec", "echo ran >> \(folder.path(of: "log"))",
                ], node)
            func text(_ name: String) -> String {
                (FileManager.default.contents(atPath: folder.path(of: name))).map {
                    String(decoding: $0, as: UTF8.self)
                } ?? ""
            }
            let note = [("metadata", #"{"note":"x/y","weight":"3"}"#)]
            #expect(try node.register("a", note + [("addrs", "http://10.0.0.1:80")]).code == 0)
            #expect(
                eventually {
                    text("out")
                        == "upstream demo {\n    server 10.0.0.1:80 weight=3; # a x/y\n}\n"
                })
            #expect(eventually { text("log") == "ran\n" })
            // No http address: nothing that the file would hold.
            #expect(try node.register("g", [("addrs", "grpc://10.0.0.9:80")]).code == 0)
            #expect(try node.register("b", [("addrs", "http://10.0.0.2:80/x")]).code == 0)
            #expect(eventually { text("out").contains("server 10.0.0.2:80 weight=10; # b \n") })
            #expect(eventually { text("log") == "ran\nran\n" })
            #expect(!text("out").contains("10.0.0.9"))
            watch.send(SIGTERM)
            _ = watch.waitForEnd(within: 5)
            // Not for the one without an address either.
            #expect(text("log") == "ran\nran\n")
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
                    == ["in", "log", "out"])
        }

        @Test func `what is wrong in a template is said before anything is written`() throws {
            let folder = try TemporaryFolder()
            try folder.write("in", "x\n{{end}}")
            let (source, out) = (folder.path(of: "in"), folder.path(of: "out"))
            let words = Self.words + ["--template", source, "--output"]
            let ended = try ClientCommandTests.run(words + [out])
            #expect(ended.code == 4)
            #expect(
                ended.errors
                    == "\(source): line 2: found {{end}}, allowed is {{each APPID}} before it\n")
            let odd = try ClientCommandTests.run(Self.words + ["--template", out, "--output", out])
            #expect(odd.errors == "\(out): cannot be read: No such file or directory\n")
            try folder.write("in", "x")
            let device = try ClientCommandTests.run(words + ["/dev/null"])
            #expect((device.code, device.errors) == (4, "/dev/null: it is no regular file\n"))
        }

        @Test func `a link stays a link, and a file its mode`() throws {
            let node = try NodeProcess()
            let folder = try TemporaryFolder()
            try folder.write("in", Self.template)
            try folder.write("real", "")
            let (real, link) = (folder.path(of: "real"), folder.path(of: "link"))
            let mode: [FileAttributeKey: Any] = [.posixPermissions: 0o640]
            try FileManager.default.setAttributes(mode, ofItemAtPath: real)
            try FileManager.default.createSymbolicLink(
                atPath: link, withDestinationPath: "real")
            let watch = try ClientCommandTests.start(
                Self.words + ["--template", folder.path(of: "in"), "--output", link], node)
            #expect(try node.register("a").code == 0)
            let isWritten = eventually {
                FileManager.default.contents(atPath: real).map { $0.count > 20 } ?? false
            }
            #expect(isWritten)
            #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link) == "real")
            let kept = try FileManager.default.attributesOfItem(atPath: real)[.posixPermissions]
            #expect(kept as? Int == 0o640)
            watch.send(SIGTERM)
            _ = watch.waitForEnd(within: 5)
        }

        @Test func `it ends when nobody reads what it prints`() throws {
            let node = try NodeProcess()
            let program = try ChildProcess.discovery()
            let words = (Self.words + ["--json", "--server", "127.0.0.1:\(node.port)"])
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
                ["watch", "a\u{1}"] + ClientCommandTests.place, node)
            #expect(ended.code == 2)
            #expect(
                ended.errors
                    == "the registry answered -400: appid must not contain control characters\n")
        }

        private static let nginx = "/usr/sbin/nginx"

        /// Its own nginx, on its own ports, without the machine's configuration.
        @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: nginx)))
        func `nginx is told of an instance that comes, and of one that goes`() throws {
            let node = try NodeProcess()
            let (backends, folder) = (try [NodeProcess(), NodeProcess()], try TemporaryFolder())
            let port = try ReservedPort()
            try folder.write("in", Self.template)
            try folder.write("demo.conf", "upstream demo { server 127.0.0.1:1; }\n")
            try folder.write(
                "nginx.conf",
                """
                daemon off; master_process on; worker_processes 1;
                pid \(folder.path)/pid; error_log stderr;
                events { worker_connections 64; }
                http {
                    access_log off;
                    client_body_temp_path \(folder.path)/b; proxy_temp_path \(folder.path)/p;
                    fastcgi_temp_path \(folder.path)/f; uwsgi_temp_path \(folder.path)/u;
                    scgi_temp_path \(folder.path)/s;
                    include \(folder.path)/demo.conf;
                    server { listen \(port.address); location / { proxy_pass http://demo; } }
                }
                """)
            let nginx = try ChildProcess(
                Self.nginx, ["-c", folder.path(of: "nginx.conf"), "-e", "stderr"])
            #expect(
                eventually { FileManager.default.fileExists(atPath: folder.path(of: "pid")) })
            let watch = try ClientCommandTests.start(
                Self.words + [
                    "--template", folder.path(of: "in"), "--output", folder.path(of: "demo.conf"),
                    "--pause", "50", "--exec",
                    "kill -HUP $(cat \(folder.path)/pid)",
                ], node)
            /// The nodes that answer through nginx say by their header which of them it was.
            func answering() -> Set<String> {
                var found: Set<String> = []
                for _ in 0..<6 {
                    do {
                        let client = try HTTPClient(port: port.number)
                        let reply = try client.exchange(HTTPRequest.get("/discovery/nodes"))
                        found.insert(reply.text)
                    } catch { found.insert("none") }
                }
                return found
            }
            let texts = try backends.map { try $0.get("/discovery/nodes").text }
            for (index, backend) in backends.enumerated() {
                let address = "http://127.0.0.1:\(backend.port)"
                #expect(try node.register("b\(index)", [("addrs", address)]).code == 0)
                #expect(
                    eventually(within: 15) { answering() == Set(texts.prefix(index + 1)) })
            }
            #expect(try node.cancel("b0").code == 0)
            #expect(eventually(within: 15) { answering() == [texts[1]] })
            watch.send(SIGTERM)
            _ = watch.waitForEnd(within: 5)
            nginx.send(SIGTERM)
            #expect(nginx.waitForEnd(within: 10) == .exited(0))
        }
    }
}
