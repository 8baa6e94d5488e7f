import Foundation
import Testing

extension EndToEndTests {
    /// `discovery watch --output`: a file that is kept up to date.
    @Suite struct RenderedFileTests {
        private static let words = ["watch", "demo.app"] + ClientCommandTests.place
        private static let template = """
            upstream demo {
            {{each demo.app}}
                server {{host}}:{{port}} weight={{weight}}; # {{hostname}}
            {{end}}
            }

            """

        /// With a template in it.
        private func makeFolder() throws -> TemporaryFolder {
            let folder = try TemporaryFolder()
            try folder.write("in", Self.template)
            return folder
        }

        /// With an instance, a.
        private func makeNode() throws -> NodeProcess {
            let node = try NodeProcess()
            #expect(try node.register("a").code == 0)
            return node
        }

        /// `output`: the file's name in the folder.
        private func start(
            _ folder: TemporaryFolder, _ node: NodeProcess?, _ more: [String] = [],
            output: String = "out"
        ) throws -> ChildProcess {
            try ClientCommandTests.start(
                Self.words + [
                    "--template", folder.path(of: "in"), "--output", folder.path(of: output),
                ] + more, node)
        }

        private func end(_ watch: ChildProcess) {
            watch.send(SIGTERM)
            _ = watch.waitForEnd(within: 5)
        }

        @Test func `a file is replaced as a whole, when its text changes, and the command run`()
            throws
        {
            let node = try NodeProcess()
            let folder = try makeFolder()
            let out = folder.path(of: "out")
            let watch = try start(
                folder, node,
                [
                    "--pause", "50",
                    "--exec", "echo ran >> \(folder.path(of: "log"))",
                ])
            let note = [("metadata", #"{"weight":"3"}"#)]
            #expect(try node.register("a", note + [("addrs", "http://10.0.0.1:80")]).code == 0)
            #expect(
                eventually {
                    folder.text("out")
                        == "upstream demo {\n    server 10.0.0.1:80 weight=3; # a\n}\n"
                })
            #expect(eventually { folder.text("log") == "ran\n" })
            let first = try Self.number(of: out)
            // No http address: nothing that the file would hold.
            #expect(try node.register("g", [("addrs", "grpc://10.0.0.9:80")]).code == 0)
            #expect(try node.register("b", [("addrs", "http://10.0.0.2:80/x")]).code == 0)
            #expect(
                eventually { folder.text("out").contains("server 10.0.0.2:80 weight=10; # b\n") })
            #expect(eventually { folder.text("log") == "ran\nran\n" })
            #expect(!folder.text("out").contains("10.0.0.9"))
            // Another file, put in the place of the first.
            #expect(try Self.number(of: out) != first)
            end(watch)
            // Not for the one without an address either.
            #expect(folder.text("log") == "ran\nran\n")
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
                    == ["in", "log", "out"])
        }

        private static func number(of path: String) throws -> UInt64 {
            let attributes = try FileManager.default.attributesOfItem(atPath: path)
            return try #require(attributes[.systemFileNumber] as? UInt64)
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

        @Test func `a link to a file that is not there yet stays one too`() throws {
            let node = try makeNode()
            let folder = try makeFolder()
            let link = folder.path(of: "link")
            try FileManager.default.createSymbolicLink(
                atPath: link, withDestinationPath: "real")
            let watch = try start(folder, node, output: "link")
            #expect(eventually { folder.text("real").contains("# a\n") })
            #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link) == "real")
            end(watch)
            try FileManager.default.createSymbolicLink(
                atPath: folder.path(of: "loop"), withDestinationPath: "loop")
            let loop = folder.path(of: "loop")
            let ended = try ClientCommandTests.run(
                Self.words + ["--template", folder.path(of: "in"), "--output", loop], node)
            #expect(ended.errors == "\(loop): it is a link to a link, and so on\n")
        }

        @Test func `a burst of changes is one replacement`() throws {
            let node = try makeNode()
            let folder = try makeFolder()
            let log = folder.path(of: "log")
            let watch = try start(
                folder, node,
                [
                    "--pause", "8000", "--exec", "echo ran >> \(log)",
                ])
            #expect(eventually { folder.text("log") == "ran\n" })
            for host in ["b", "c", "d", "e"] { #expect(try node.register(host).code == 0) }
            #expect(eventually(within: 40) { folder.text("out").contains("# e\n") })
            #expect(eventually { folder.text("log") == "ran\nran\n" })
            watch.send(SIGTERM)
            #expect(watch.waitForEnd(within: 5) == .killed(signal: SIGTERM))
        }

        @Test func `what cannot be written is said once, and written when it can be`() throws {
            let node = try makeNode()
            let folder = try makeFolder()
            let out = folder.path(of: "later/out")
            let watch = try start(folder, node, output: "later/out")
            let complaint = "\(out): cannot be written: No such file or directory\n"
            #expect(eventually { watch.errors.text == complaint })
            // It is tried again before there are news.
            try FileManager.default.createDirectory(
                atPath: folder.path(of: "later"), withIntermediateDirectories: true)
            #expect(eventually(within: 20) { folder.text("later/out").contains("# a\n") })
            end(watch)
            #expect(watch.errors.text == complaint)
        }

        @Test func `a link stays a link, and a file its mode`() throws {
            let node = try NodeProcess()
            let folder = try makeFolder()
            try folder.write("real", "")
            let (real, link) = (folder.path(of: "real"), folder.path(of: "link"))
            let mode: [FileAttributeKey: Any] = [.posixPermissions: 0o640]
            try FileManager.default.setAttributes(mode, ofItemAtPath: real)
            try FileManager.default.createSymbolicLink(
                atPath: link, withDestinationPath: "real")
            let watch = try start(folder, node, output: "link")
            #expect(try node.register("a").code == 0)
            let isWritten = eventually {
                FileManager.default.contents(atPath: real).map { $0.count > 20 } ?? false
            }
            #expect(isWritten)
            #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link) == "real")
            let kept = try FileManager.default.attributesOfItem(atPath: real)[.posixPermissions]
            #expect(kept as? Int == 0o640)
            end(watch)
        }

        /// Which has no `balance`, and writes null for no metadata.
        @Test func `a node of the reference is watched like one of ours`() throws {
            let node = try ReferencePeer()
            let list = #"""
                {"code":0,"data":{"demo.app":{"instances":{"sh001":[{"env":"dev","zone":"sh001",\#
                "appid":"demo.app","hostname":"a","addrs":["http://10.0.0.1:80"],"status":1,\#
                "metadata":{"weight":"20"}}],"sh002":[{"env":"dev","zone":"sh002",\#
                "appid":"demo.app","hostname":"b","addrs":["http://10.0.0.2:80"],"status":1,\#
                "metadata":null}]},"scheduler":{"clients":{"sh001":{"zones":{"sh001":{"weight":3},\#
                "sh002":{"weight":1}}}},"remark":""},"latest_timestamp":7}},\#
                "error":{"-404":null},"message":"0"}
                """#
            node.answer { request in
                guard request.route == "polls" else { return nil }
                return request.path.contains("latest_timestamp=0")
                    ? list : #"{"code":-304,"message":"-304","ttl":1}"#
            }
            let folder = try makeFolder()
            let watch = try start(folder, nil, ["--server", node.address])
            let lines = [
                "upstream demo {", "    server 10.0.0.1:80 weight=3; # a",
                "    server 10.0.0.2:80 weight=1; # b", "}", "",
            ]
            #expect(eventually { folder.text("out") == lines.joined(separator: "\n") })
            end(watch)
            #expect(watch.errors.text == "")
        }

        /// It fails at its first run and at its third.
        @Test func `a command that fails again is told of again`() throws {
            let node = try makeNode()
            let folder = try makeFolder()
            let log = folder.path(of: "log")
            let watch = try start(
                folder, node,
                [
                    "--pause", "0", "--exec",
                    "echo ran >> \(log); [ $(($(wc -l < \(log)) % 2)) = 0 ]",
                ])
            #expect(eventually(within: 25) { folder.text("log") == "ran\nran\n" })
            #expect(try node.register("b").code == 0)
            #expect(eventually(within: 25) { folder.text("log") == "ran\nran\nran\nran\n" })
            end(watch)
            #expect(watch.errors.lines.count { $0.contains(": ended with 1; it is run") } == 2)
        }

        @Test func `a command that fails is run again though nothing changes`() throws {
            let node = try makeNode()
            let folder = try makeFolder()
            let log = folder.path(of: "log")
            let watch = try start(
                folder, node,
                [
                    "--exec",
                    "echo ran >> \(log); [ $(wc -l < \(log)) -ge 2 ]",
                ])
            // A poll is held for 30 s.
            #expect(eventually(within: 25) { folder.text("log") == "ran\nran\n" })
            end(watch)
            #expect(folder.text("log") == "ran\nran\n")
            #expect(watch.errors.text.contains(": ended with 1; it is run again soon\n"))
        }

        /// What is known of it stays, and does not keep the file from following the others.
        @Test func `an app that is gone does not freeze the file`() throws {
            let node = try NodeProcess()
            let other = [("appid", "other.app"), ("addrs", "http://10.0.0.9:90")]
            #expect(try node.register("o", other).code == 0)
            #expect(try node.register("a").code == 0)
            let folder = try TemporaryFolder()
            try folder.write(
                "in",
                "{{each demo.app}}\n{{hostname}}\n{{end}}\n{{each other.app}}\n{{host}}\n{{end}}\n"
            )
            let watch = try start(folder, node, ["other.app", "--pause", "0"])
            #expect(eventually { folder.text("out") == "a\n10.0.0.9\n" })
            // An emptied list is told to who waits for it.
            #expect(try node.holds(1))
            #expect(try node.cancel("o", [("appid", "other.app")]).code == 0)
            #expect(try node.register("b").code == 0)
            #expect(eventually { folder.text("out") == "a\nb\n10.0.0.9\n" })
            end(watch)
            #expect(
                watch.errors.text
                    == "\(folder.path(of: "out")): keeps the last instances of other.app, which "
                    + "has none any more\n")
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
            let watch = try start(
                folder, node,
                [
                    "--pause", "50", "--exec",
                    "kill -HUP $(cat \(folder.path)/pid)",
                ], output: "demo.conf")
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
            end(watch)
            nginx.send(SIGTERM)
            #expect(nginx.waitForEnd(within: 10) == .exited(0))
        }
    }
}
