import Foundation
import Testing

extension EndToEndTests {
    /// The commands of every day, against a real node.
    @Suite struct ClientCommandTests {
        struct Ended {
            let code: Int32
            let output: String
            let errors: String

            var lines: [String] { output.split(separator: "\n").map(String.init) }
        }

        static let place = ["--env", NodeProcess.env, "--zone", NodeProcess.zone]

        static func start(
            _ words: [String], _ node: NodeProcess? = nil, input: String = "/dev/null"
        ) throws -> ChildProcess {
            var environment = ["PATH": "/usr/sbin:/usr/bin:/bin"]
            if let node { environment["DISCOVERY_SERVER"] = "127.0.0.1:\(node.port)" }
            return try ChildProcess(
                try ChildProcess.discovery(), words, environment: environment, input: input)
        }

        /// `input`: path of what it reads.
        static func run(
            _ words: [String], _ node: NodeProcess? = nil, input: String = "/dev/null"
        ) throws -> Ended {
            let child = try start(words, node, input: input)
            guard case .exited(let code) = child.waitForEnd(within: 20) else {
                throw Failure("it does not end: \(words)")
            }
            return Ended(code: code, output: child.output.text, errors: child.errors.text)
        }

        private func register(_ node: NodeProcess, _ host: String, _ more: [String] = []) throws {
            let ended = try Self.run(
                ["register", "--appid", "demo.app", "--hostname", host, "--addr", "http://h:80"]
                    + Self.place + more, node)
            #expect(ended.code == 0 && ended.output.isEmpty && ended.errors.isEmpty)
        }

        @Test func `an instance is registered, shown, changed and taken out`() throws {
            let node = try NodeProcess()
            let key = ["--appid", "demo.app", "--hostname", "h1"] + Self.place
            try register(node, "h1", ["--meta", "weight=20", "--version", "v1"])
            let fetched = try Self.run(["fetch", "demo.app", "--env", "dev"], node)
            #expect(
                fetched.lines == [
                    "APP       ZONE   HOSTNAME  STATUS  WEIGHT  VERSION  ADDRS",
                    "demo.app  sh001  h1        up      20      v1       http://h:80",
                ])
            #expect(
                try Self.run(["set", "--status", "waiting", "--meta", "a=b=c"] + key, node).code
                    == 0)
            let json = try Self.run(
                ["fetch", "demo.app", "--env", "dev", "--status", "waiting", "--json"], node)
            let instance = try JSON(Array(json.output.utf8))["demo.app"]["instances"]["sh001"][0]
            #expect(try instance["metadata"]["a"].string == "b=c")
            #expect(try instance["metadata"]["weight"].string == "20")
            #expect(try Self.run(["cancel"] + key, node).code == 0)
            #expect(try node.hostnames() == [])
        }

        @Test func `exit codes tell scripts what happened, and the sentence tells people`() throws {
            let node = try NodeProcess()
            let key = ["--appid", "demo.app", "--hostname", "h1"] + Self.place
            let none = try Self.run(["fetch", "nope", "--env", "dev"], node)
            #expect((none.code, none.errors) == (1, "no instances of nope\n"))
            #expect(try Self.run(["cancel"] + key, node).code == 1)
            let refused = try Self.run(
                ["register", "--appid", "a\u{1}", "--hostname", "h", "--addr", "x"] + Self.place,
                node)
            #expect(refused.code == 2)
            #expect(
                refused.errors
                    == "the registry answered -400: appid must not contain control characters\n")
            let port = try ReservedPort().number
            let away = try Self.run(["nodes", "--server", "127.0.0.1:\(port)"])
            #expect(away.code == 3)
            #expect(away.errors == "127.0.0.1:\(port): cannot connect: Connection refused\n")
            let wrong = try Self.run(["nodes", "--server", "nowhere"])
            #expect(wrong.code == 4)
            #expect(
                wrong.errors
                    == "--server or DISCOVERY_SERVER: found \"nowhere\", allowed is an address "
                    + "like \"10.0.0.1:7171\"\n")
            #expect(try Self.run(["fetch"]).code == 64)
            #expect(try Self.run(["set"] + key, node).code == 64)
            // What answers with JSON is no registry yet.
            let admin = try Self.run(["nodes", "--server", "127.0.0.1:\(node.adminPort)"])
            #expect(admin.code == 2)
            #expect(
                admin.errors
                    == "the registry answered 404: no such page; there are /metrics /livez "
                    + "/readyz\n"
            )
            try register(node, "h2", ["--status", "waiting"])
            #expect(try Self.run(["fetch", "demo.app", "--env", "dev"], node).code == 1)
            let lacking = try Self.run(["fetch", "a"], node)
            #expect(lacking.code == 4)
            #expect(lacking.errors == "--env is needed, or DEPLOY_ENV in the environment\n")
        }

        @Test func `of several nodes the first that answers is asked`() throws {
            let node = try NodeProcess()
            let port = try ReservedPort().number
            let ended = try Self.run(
                ["nodes", "--server", "127.0.0.1:\(port),127.0.0.1:\(node.port)"])
            #expect(
                ended.lines.last?.split(separator: " ").map(String.init)
                    == ["127.0.0.1:\(node.port)", "sh001", "yes"])
        }

        @Test func `balance shows who gets how much`() throws {
            let node = try NodeProcess()
            try register(node, "h1", ["--meta", "weight=20"])
            try register(node, "h2")
            let ended = try Self.run(["balance", "demo.app"] + Self.place, node)
            #expect(
                ended.lines == [
                    "ZONE   HOSTNAME  WEIGHT  SHARE   ADDRS",
                    "sh001  h1        20      66.7 %  http://h:80",
                    "sh001  h2        10      33.3 %  http://h:80",
                ])
        }

        @Test func `top shows what nodes do, and which of them does not answer`() throws {
            let group = try NodeGroup(["sh001", "sh002"])
            try group.waitUntilMet()
            let node = try group[0]
            #expect(try node.register("h1").code == 0)
            #expect(try node.register("h2", [("status", "2")]).code == 0)
            let poller = try node.hold(latest: try node.latest())
            #expect(try node.holds(1))
            let port = try ReservedPort().number
            let ports = [try group[0].adminPort, try group[1].adminPort, port]
            let addresses = ports.map { "127.0.0.1:\($0)" }
            let ended = try Self.run(
                ["top", "--once", "--admin", addresses.joined(separator: ",")])
            #expect(ended.code == 0)
            let rows = ended.lines.map { $0.split(separator: " ").map(String.init) }
            // The instances of infra.discovery, both nodes, are among those that are up.
            #expect(rows[1].prefix(7) == [addresses[0], "sh001", "2", "3", "1", "0", "1"])
            #expect(rows[1].last == "serves")
            let peer = try #require(rows.first { $0.count > 1 && $0[1] == group.seats[1].address })
            #expect(
                peer
                    == [
                        addresses[0], group.seats[1].address, "sh002", "own", "yes", "0", "0", "ms",
                        "0",
                    ])
            #expect(ended.lines.last == "\(addresses[2]): cannot connect: Connection refused")
            #expect(
                try Self.run(["top", "--once", "--admin", addresses[2]]).code == 3)
            poller.close()
        }

        @Test func `what is exported can be imported, and diff says that it is the same`() throws {
            let (one, two) = (try NodeProcess(), try NodeProcess())
            let addresses = ["127.0.0.1:\(one.port)", "127.0.0.1:\(two.port)"]
            try register(one, "h1", ["--meta", "a=\"<&>\n", "--status", "waiting"])
            try register(one, "h2", ["--addr", "grpc://h:90"])
            let exported = try Self.run(["export"], one)
            #expect(exported.lines.count == 2)
            let differing = try Self.run(["diff"] + addresses)
            #expect(differing.code == 1)
            #expect(
                differing.lines == ["- dev demo.app sh001 h1", "- dev demo.app sh001 h2"])
            let json = try Self.run(["diff", "--json"] + addresses).lines
            #expect(try json.map { try JSON(Array($0.utf8))["second"].isNull } == [true, true])
            let folder = try TemporaryFolder()
            try folder.write("x", exported.output)
            #expect(
                try Self.run(["import", folder.path(of: "x")], two).output
                    == "registered 2 instances\n")
            // A node's answer about everything may be a second old.
            #expect(try eventually { try Self.run(["export"], two).lines.count == 2 })
            // The versions are those of the new registrations.
            let after = try Self.run(["diff"] + addresses)
            #expect(after.lines.count == 2)
            #expect(
                after.lines.allSatisfy {
                    $0.hasPrefix("~ ") && $0.contains(": dirty_timestamp ") && !$0.contains(",")
                })
            #expect(try Self.run(["diff", addresses[0], addresses[0]]).code == 0)
            try folder.write("bad", exported.output + "{\"appid\":1}\n")
            let bad = try Self.run(["import", folder.path(of: "bad")], two)
            #expect(bad.code == 4)
            #expect(
                bad.errors
                    == "\(folder.path(of: "bad")): line 3: it is no instance with addrs\n")
        }

        @Test func `an export is filtered by env, read from the input, and stopped by a refusal`()
            throws
        {
            let node = try NodeProcess()
            // What Unicode takes for the end of a line is none of NDJSON.
            try register(node, "h1", ["--meta", "a=b\u{85}c\u{2028}d"])
            try register(node, "h2", ["--env", "uat"])
            let exported = try Self.run(["export", "--env", "dev"], node)
            #expect(exported.lines.count == 1)
            let folder = try TemporaryFolder()
            try folder.write("x", exported.output + "\n \r\n")
            let imported = try Self.run(["import", "-"], node, input: folder.path(of: "x"))
            #expect(imported.output == "registered 1 instances\n")
            let shown = try Self.run(["fetch", "demo.app", "--env", "dev", "--json"], node)
            let instance = try JSON(Array(shown.output.utf8))["demo.app"]["instances"]["sh001"][0]
            #expect(try instance["metadata"]["a"].string == "b\u{85}c\u{2028}d")
            // The second of three is one that the registry does not take.
            let bad = exported.output.replacing(#""hostname":"h1""#, with: #""hostname":"""#)
            try folder.write("y", exported.output + bad + exported.output)
            let ended = try Self.run(["import", folder.path(of: "y")], node)
            #expect(ended.code == 2)
            #expect(
                ended.errors.hasPrefix(
                    "\(folder.path(of: "y")): line 2: dev demo.app sh001 : not registered, nor any "
                        + "behind it; 1 were\n"))
        }

        @Test func `nodes of the reference write null, and differ by nothing for it`() throws {
            func all(_ metadata: String, _ addrs: String) -> String {
                #"{"code":0,"data":{"a":[{"env":"dev","appid":"a","zone":"z","hostname":"h","#
                    + #""addrs":\#(addrs),"metadata":\#(metadata)}]},"message":"0"}"#
            }
            let nodes = [
                try ReferencePeer(all: all("null", "null")),
                try ReferencePeer(all: all("{}", "[]")),
                try ReferencePeer(all: all(#"{"a":"b"}"#, "[]")),
            ]
            #expect(try Self.run(["diff", nodes[0].address, nodes[1].address]).code == 0)
            let ended = try Self.run(["diff", nodes[0].address, nodes[2].address])
            #expect(ended.code == 1)
            #expect(ended.output == "~ dev a z h: metadata null {\"a\":\"b\"}\n")
        }

        @Test func `a node that is protected, or none at all, is not the last word`() throws {
            let (node, protected) = (try NodeProcess(), try ReferencePeer())
            protected.answer { _ in #"{"code":-500,"message":"-500","ttl":1}"# }
            try register(node, "h1")
            // The admin address answers 404, as a proxy would.
            for other in [protected.address, "127.0.0.1:\(node.adminPort)"] {
                let ended = try Self.run(
                    [
                        "fetch", "demo.app", "--env", "dev", "--server",
                        "\(other),127.0.0.1:\(node.port)",
                    ])
                #expect(ended.code == 0 && ended.lines.count == 2)
            }
            // And where no other one answers what HTTP said is said.
            let admin = "127.0.0.1:\(node.adminPort)"
            let ended = try Self.run(["nodes", "--server", "\(admin),\(admin)"])
            #expect(ended.code == 2 && ended.errors.hasPrefix("the registry answered 404: "))
        }

        @Test func `programs read JSON`() throws {
            let node = try NodeProcess()
            try register(node, "h1")
            let key = ["--appid", "demo.app", "--hostname", "h1"] + Self.place
            func json(_ words: [String]) throws -> JSON {
                try JSON(Array(try Self.run(words + ["--json"], node).output.utf8))
            }
            #expect(try json(["nodes"])[0]["zone"].string == "sh001")
            #expect(try json(["balance", "demo.app"] + Self.place)["total_weight"].int == 10)
            #expect(try json(["set", "--status", "waiting"] + key)["code"].int == 0)
            #expect(try json(["cancel"] + key)["code"].int == 0)
            #expect(try json(["register", "--addr", "http://h:1"] + key)["code"].int == 0)
        }

        @Test func `thousands of instances move from one node to another`() throws {
            let (one, two) = (try NodeProcess(), try NodeProcess())
            let count = 1_000
            let lines = (0..<count).map { number in
                #"{"env":"dev","zone":"sh001","appid":"app\#(number % 7)","#
                    + #""hostname":"h\#(number)","addrs":["http://10.0.0.1:\#(number + 1)"],"#
                    + #""status":1,"region":"sh","version":"","#
                    + #""metadata":{"weight":"\#(number + 1)"}}"#
            }
            let folder = try TemporaryFolder()
            func move(_ name: String, to node: NodeProcess) throws {
                #expect(
                    try Self.run(["import", folder.path(of: name)], node).output
                        == "registered \(count) instances\n")
            }
            /// What is registered does not tell when.
            func exported(from node: NodeProcess) throws -> [String] {
                try Self.run(["export"], node).lines.map {
                    $0.replacing(/"[a-z]+_timestamp":[0-9]+,?/, with: "")
                }.sorted()
            }
            try folder.write("x", lines.joined(separator: "\n"))
            try move("x", to: one)
            // A node's answer about everything may be a second old.
            #expect(try eventually { try exported(from: one).count == count })
            try folder.write("y", try Self.run(["export"], one).output)
            try move("y", to: two)
            let (left, right) = (try exported(from: one), try exported(from: two))
            #expect(left == right && Set(left).count == count)
        }
    }
}
