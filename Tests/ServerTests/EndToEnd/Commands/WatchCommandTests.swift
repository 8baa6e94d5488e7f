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
            #expect(watch.errors.text.hasSuffix("the registry answers\n"))
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
            let note = [("metadata", #"{"note":"x\ny","weight":"3"}"#)]
            #expect(try node.register("a", note + [("addrs", "http://10.0.0.1:80")]).code == 0)
            #expect(
                eventually {
                    text("out")
                        == "upstream demo {\n    server 10.0.0.1:80 weight=3; # a xy\n}\n"
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
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
                    == ["in", "log", "out"])
        }

        @Test(arguments: [
            ("{{each other}}\n{{end}}", "line 1: found {{each other}}, allowed is demo.app"),
            ("x\n{{end}}", "line 2: found {{end}}, allowed is {{each APPID}} before it"),
            ("{{each demo.app}}", "line 1: found {{each demo.app}}, allowed is {{end}} behind it"),
            (
                "{{each demo.app}}\n{{each demo.app}}\n{{end}}",
                "line 2: found {{each demo.app}}, allowed is {{end}} of the one before"
            ),
            (
                "{{each demo.app}}\n{{hots}}\n{{end}}",
                "line 2: found {{hots}}, allowed is appid, zone, hostname, version, scheme, "
                    + "host, port, weight and meta KEY"
            ),
        ])
        func `what is wrong in a template is said before anything is written`(
            _ text: String, _ problem: String
        ) throws {
            let folder = try TemporaryFolder()
            try folder.write("in", text)
            let ended = try ClientCommandTests.run(
                Self.words + [
                    "--template", folder.path(of: "in"), "--output", folder.path(of: "out"),
                ])
            #expect(ended.code == 4)
            #expect(ended.errors == "\(folder.path(of: "in")): \(problem)\n")
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
