import Testing

extension EndToEndTests {
    /// Input that nobody should send. It is refused by name, counted, and harms nobody.
    @Suite struct BadInputTests {
        let node: NodeProcess

        init() throws { node = try NodeProcess() }

        /// A refusal in the registry's own words, on a connection that is kept.
        private func expectRefusal(
            _ route: String, _ reply: HTTPReply, names word: String,
            location: SourceLocation = #_sourceLocation
        ) throws {
            #expect(try reply.code == -400, "\(reply.text)", sourceLocation: location)
            #expect(try reply.message.contains(word), "\(reply.text)", sourceLocation: location)
            let labels = ["route": route, "code": "-400"]
            let count = try node.metric("discovery_requests_total", labels)
            #expect(count == refusals(route), sourceLocation: location)
            #expect(try node.get("/discovery/nodes").code == 0, sourceLocation: location)
        }

        private final class Tally {
            var counts: [String: Int] = [:]
        }

        private let tally = Tally()

        /// How many there should be with the one just now.
        private func refusals(_ route: String) -> Int {
            tally.counts[route, default: 0] += 1
            return tally.counts[route, default: 0]
        }

        @Test func `every parameter that is missing is named`() throws {
            let needed: [String: [String]] = [
                "register": ["zone", "env", "appid", "hostname", "addrs", "status"],
                "renew": ["zone", "env", "appid", "hostname"],
                "cancel": ["zone", "env", "appid", "hostname"],
                "set": ["zone", "env", "appid", "hostname"],
            ]
            for (route, names) in needed {
                for name in names {
                    let form = Form.register("a", [(name, "")])
                    try expectRefusal(
                        route, node.post("/discovery/\(route)", form), names: name)
                }
            }
            let asked: [String: [String]] = [
                "fetch": ["env", "appid", "status"], "fetchs": ["env", "appid", "status"],
                "poll": ["env", "appid"], "polls": ["env", "appid", "latest_timestamp"],
            ]
            for (route, names) in asked {
                for name in names {
                    let query = ["env=dev", "appid=a", "status=1", "latest_timestamp=0"]
                        .filter { !$0.hasPrefix(name) }.joined(separator: "&")
                    try expectRefusal(
                        route, node.get("/discovery/\(route)?\(query)"), names: name)
                }
            }
        }

        static let numbers = [
            "9223372036854775808", "-9223372036854775809", String(repeating: "9", count: 400),
            "0x10", "1.5", "1e3", "-", "+", "ten", "1 2",
        ]

        @Test(arguments: numbers)
        func `a number that is none or does not fit is refused`(_ number: String) throws {
            for name in ["status", "dirty_timestamp"] {
                try expectRefusal("register", node.register("a", [(name, number)]), names: name)
            }
            for route in ["renew", "cancel"] {
                let form = Form.key("a", [("dirty_timestamp", number)])
                try expectRefusal(
                    route, node.post("/discovery/\(route)", form), names: "dirty_timestamp")
            }
            for name in ["status", "set_timestamp"] {
                let form = Form.key("a", [(name, number)])
                try expectRefusal("set", node.post("/discovery/set", form), names: name)
            }
            let escaped = Form.escape(number)
            let query = "env=dev&appid=a&latest_timestamp=\(escaped)&status=\(escaped)"
            for route in ["fetch", "fetchs"] {
                try expectRefusal(
                    route, node.get("/discovery/\(route)?\(query)"), names: "status")
            }
            for route in ["poll", "polls"] {
                try expectRefusal(
                    route, node.get("/discovery/\(route)?\(query)"), names: "latest_timestamp")
            }
        }

        @Test(arguments: ["0", "3", "-1", "257", "4294967297", "9223372036854775807"])
        func `a status that is none is refused`(_ status: String) throws {
            try expectRefusal("register", node.register("a", [("status", status)]), names: "status")
            let form = Form.key("a", [("status", status)])
            try expectRefusal("set", node.post("/discovery/set", form), names: "status")
        }

        @Test(arguments: ["9223372036854775807", "-9223372036854775808"])
        func `the last numbers that fit do no harm`(_ number: String) throws {
            #expect(try node.register("a").code == 0)
            for origin in ["replication", "from_zone", "neither"] {
                let changes = [
                    ("dirty_timestamp", number), ("latest_timestamp", number),
                    ("set_timestamp", number), ("reg_timestamp", number), (origin, "true"),
                ]
                for path in ["renew", "register", "set", "cancel"] {
                    let form = Form.register("a", changes)
                    #expect(
                        [0, -400, -404, -409].contains(
                            try node.post(
                                "/discovery/\(path)", form
                            ).code))
                }
            }
            #expect(try node.register("a").code == 0)
            let poll = "/discovery/polls?env=dev&appid=demo.app&latest_timestamp=\(number)"
            for limit in ["1", "x", "-1", "9223372036854775807", "9223372036854775808", ""] {
                let client = try node.connect()
                try client.send(HTTPRequest.get(poll, ["x1-bmspy-timeout: \(limit)"]))
                if limit == "1" || number.first == "-" {
                    #expect(try client.reply().code == 0)
                } else {
                    #expect(try node.holds(1))
                }
                client.close()
                #expect(try node.holds(0))
            }
        }

        @Test(arguments: [
            "[]", "12", "true", #""text""#, #"{"a":{}}"#, #"{"a":[1]}"#, "{", "}", "{a:1}",
            #"{"a":"b"}x"#, "nul", String(repeating: "[", count: 50_000),
            String(repeating: #"{"a":"#, count: 10_000), #"{"a":"\ud800"}"#,
        ])
        func `metadata of a wrong kind is refused`(_ metadata: String) throws {
            try expectRefusal(
                "register", node.register("a", [("metadata", metadata)]), names: "metadata")
            #expect(try node.register("a").code == 0)
            let form = Form.key("a", [("metadata", metadata)])
            try expectRefusal("set", node.post("/discovery/set", form), names: "metadata")
        }

        @Test func `scalars in metadata are kept as text`() throws {
            let metadata = #"{"n":10,"f":1.5,"b":true,"z":null,"s":"x"}"#
            #expect(try node.register("a", [("metadata", metadata)]).code == 0)
            let kept = try node.post("/discovery/renew", Form.key("a")).json["data"]["metadata"]
            for (name, text) in [("n", "10"), ("f", "1.5"), ("b", "true"), ("z", ""), ("s", "x")] {
                #expect(try kept[name].string == text)
            }
        }

        @Test func `invalid UTF-8 is repaired and NUL is refused in names`() throws {
            let form = Form.register("a").replacing("hostname=a", with: "hostname=%FF%C0x%ED%A0")
            #expect(try node.post("/discovery/register", form + "&version=%00%FE").code == 0)
            let all = try node.get("/discovery/fetch?env=dev&appid=demo.app&status=1")
            #expect(try all.json["data"].hostnames[0].hasPrefix("\u{FFFD}"))
            for (name, byte) in [
                ("zone", "%00"), ("env", "%0A"), ("appid", "%7F"), ("hostname", "%1b"),
            ] {
                let bad = Form.register("a", [(name, "x")]) + byte
                try expectRefusal("register", node.post("/discovery/register", bad), names: name)
            }
            let raw =
                Array("metadata=".utf8) + [0, 0xFF, 0x80] + Array("&\(Form.register("r"))".utf8)
            let client = try node.connect()
            try client.send(
                HTTPRequest.head("POST", "/discovery/register", [])
                    + "Content-Length: \(raw.count)\r\n\r\n")
            try client.send(raw)
            #expect(try client.reply().code == -400)
        }

        @Test func `names and lists over their limits are refused`() throws {
            let long = String(repeating: "x", count: 256)
            for name in ["zone", "env", "appid", "hostname"] {
                try expectRefusal("register", node.register("a", [(name, long)]), names: "255")
            }
            let commas = (0..<65).map { "http://h\($0)" }.joined(separator: ",")
            try expectRefusal("register", node.register("a", [("addrs", commas)]), names: "64")
            func metadata(_ count: Int) -> String {
                #"{"a":""# + String(repeating: "x", count: count) + #""}"#
            }
            #expect(try node.register("a", [("metadata", metadata(59_900))]).code == 0)
            try expectRefusal(
                "register", node.register("a", [("metadata", metadata(60_001))]), names: "60000")
            let apps = (0..<201).map { "a\($0)" }.joined(separator: ",")
            try expectRefusal(
                "polls", node.get("/discovery/polls?env=dev&appid=\(apps)&latest_timestamp=0"),
                names: "200")
            let pairs = String(repeating: "a=b&", count: 10_001)
            try expectRefusal("renew", node.post("/discovery/renew", pairs), names: "10000")
        }

        @Test func `bodies of other types are read as forms or refused by name`() throws {
            let form = Form.register("a")
            let path = "/discovery/register"
            for type in ["text/plain", "application/octet-stream", "", "x", "application/jsonx"] {
                #expect(try node.post(path, form, ["Content-Type: \(type)"]).code == 0)
            }
            #expect(try node.post(path, form, []).code == 0)
            for (type, word) in [
                ("multipart/form-data; boundary=x", "multipart"), ("application/xml", "XML"),
                ("Text/XML; charset=utf-8", "XML"), ("application/json", "JSON"),
            ] {
                let reply = try node.post(path, form, ["Content-Type: \(type)"])
                try expectRefusal("register", reply, names: word)
            }
            let json =
                #"{"zone":"sh001","env":"dev","AppID":"demo.app","hostname":"j","status":1,"#
                + #""addrs":["http://10.0.0.1:80"],"metadata":{"weight":10}}"#
            #expect(try node.post(path, json, ["Content-Type: application/json"]).code == 0)
            let deep = String(repeating: "[", count: 200_000)
            try expectRefusal(
                "register", node.post(path, deep, ["Content-Type: application/json"]),
                names: "nested")
        }
    }
}
