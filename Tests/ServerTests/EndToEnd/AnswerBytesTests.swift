import Testing

extension EndToEndTests {
    /// Whole answers, byte for byte: clients were written against those of the reference.
    @Suite struct AnswerBytesTests {
        let node: NodeProcess

        init() throws { node = try NodeProcess() }

        static let done = #"{"code":0,"message":"0","ttl":1}"#

        static func instance(
            _ host: String, app: String = "demo.app", zone: String = "sh001",
            metadata: String = #"{"weight":"10"}"#
        ) -> String {
            #"{"region":"sh","zone":"\#(zone)","env":"dev","appid":"\#(app)","#
                + #""hostname":"\#(host)","addrs":["http://10.0.0.1:80"],"version":"v1","#
                + #""metadata":\#(metadata),"#
                + #""status":1,"reg_timestamp":T,"up_timestamp":T,"renew_timestamp":T,"#
                + #""dirty_timestamp":T,"latest_timestamp":T}"#
        }

        /// The head of an answer with a code, its Date and its length put in.
        private func head(_ code: String?, _ reply: HTTPReply) -> String {
            "HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\n"
                + (code.map { "Kratos-Status-Code: \($0)\r\n" } ?? "")
                + "Kratos-Trace-Id: \r\nDate: \(reply.header("Date") ?? "")\r\n"
                + "Content-Length: \(reply.body.count)"
        }

        private func expect(
            _ reply: HTTPReply, code: String?, _ body: String,
            location: SourceLocation = #_sourceLocation
        ) throws {
            #expect(reply.textWithoutTimes == body, sourceLocation: location)
            #expect(reply.head == head(code, reply), sourceLocation: location)
            let date = try #require(reply.header("Date"), sourceLocation: location)
            #expect(
                date.wholeMatch(
                    of: /[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} 20[0-9]{2} [0-9:]{8} GMT/)
                    != nil, sourceLocation: location)
        }

        @Test func `writes answer as recorded`() throws {
            try expect(node.register("a"), code: "0", Self.done)
            let renew = "/discovery/renew"
            try expect(
                node.post(renew, Form.key("a")), code: "0",
                #"{"code":0,"message":"0","ttl":1,"data":\#(Self.instance("a"))}"#)
            try expect(
                node.post(renew, Form.key("b")), code: "-404",
                #"{"code":-404,"message":"-404","ttl":1,"data":{"region":"","zone":"","env":"","#
                    + #""appid":"","hostname":"","addrs":null,"version":"","metadata":null,"#
                    + #""status":0,"reg_timestamp":0,"up_timestamp":0,"renew_timestamp":0,"#
                    + #""dirty_timestamp":0,"latest_timestamp":0}}"#)
            for change in [("appid", "nope"), ("zone", "nope"), ("env", "nope")] {
                try expect(
                    node.post(renew, Form.key("a", [change])), code: "-404",
                    #"{"code":-404,"message":"-404","ttl":1,"data":null}"#)
            }
            for (dirty, code) in [("1", "-409"), ("9000000000000000000", "-404")] {
                try expect(
                    node.post(
                        renew,
                        Form.key("a", [("replication", "true"), ("dirty_timestamp", dirty)])),
                    code: code,
                    #"{"code":\#(code),"message":"\#(code)","ttl":1,"data":\#(Self.instance("a"))}"#
                )
            }
            try expect(
                node.post("/discovery/set", Form.key("a", [("status", "1")])), code: "0", Self.done)
            try expect(node.post("/discovery/cancel", Form.key("a")), code: "0", Self.done)
            try expect(
                node.post("/discovery/cancel", Form.key("a")), code: "-404",
                #"{"code":-404,"message":"-404","ttl":1}"#)
        }

        @Test func `fetches answer as recorded`() throws {
            try expect(
                node.get("/discovery/fetch?env=dev&appid=demo.app&status=1"), code: "-404",
                #"{"code":-404,"message":"-404","ttl":1,"data":null}"#)
            let all = #"{"code":0,"message":"0","ttl":1,"data":"#
            try expect(
                node.get("/discovery/fetchs?env=dev&appid=demo.app&status=1"), code: "0",
                all + "{}}")
            _ = try node.register("b")
            _ = try node.register("a")
            _ = try node.register("c", [("zone", "sh000")])
            let (a, b) = (Self.instance("a"), Self.instance("b"))
            let c = Self.instance("c", zone: "sh000")
            let app = #"{"instances":{"sh000":[\#(c)],"sh001":[\#(a),\#(b)]},"latest_timestamp":T}"#
            let query = "?env=dev&appid=demo.app&status=1"
            try expect(node.get("/discovery/fetch\(query)"), code: "0", all + app + "}")
            try expect(
                node.get("/discovery/fetch\(query)&zone=sh000"), code: "0",
                all + #"{"instances":{"sh000":[\#(c)]},"latest_timestamp":T}}"#)
            try expect(
                node.get("/discovery/fetch\(query)&zone=nope"), code: "-404",
                #"{"code":-404,"message":"-404","ttl":1,"data":{"instances":{},"#
                    + #""latest_timestamp":T}}"#)
            try expect(
                node.get("/discovery/fetch?env=dev&appid=demo.app&status=2&zone=sh001"), code: "0",
                all + #"{"instances":{"sh001":[]},"latest_timestamp":T}}"#)
            try expect(
                node.get("/discovery/fetchs\(query)&appid=nope"), code: "0",
                all + #"{"demo.app":\#(app)}}"#)
            try expect(
                node.get("/discovery/fetchs\(query)&zone=sh000&format=array"), code: "0",
                all + #"{"demo.app":{"instances":[\#(c)],"zone_instances":{"sh000":[\#(c)]},"#
                    + #""latest_timestamp":T}}}"#)
            let own =
                #"{"region":"","zone":"sh001","env":"dev","appid":"infra.discovery","#
                + #""hostname":"node1","addrs":["http://127.0.0.1:\#(node.port)"],"version":"","#
                + #""metadata":{},"status":1,"reg_timestamp":T,"up_timestamp":T,"#
                + #""renew_timestamp":T,"dirty_timestamp":T,"latest_timestamp":T}"#
            try expect(
                node.get("/discovery/fetch/all"), code: "0",
                all + #"{"demo.app":[\#(c),\#(a),\#(b)],"infra.discovery":[\#(own)]}}"#)
            // The one answer with a header more than the reference's: how nodes know each other.
            var nodes = try node.get("/discovery/nodes")
            let mark = try #require(
                nodes.head.firstMatch(of: /\r\nDiscovery-Node: 1 [0-9a-f]{16}/))
            nodes.head.removeSubrange(mark.range)
            try expect(
                nodes, code: "0",
                all + #"[{"addr":"127.0.0.1:\#(node.port)","status":0,"zone":"sh001"}]}"#)
        }

        @Test func `polls answer as recorded`() throws {
            try expect(
                node.get("/discovery/poll?env=dev&appid=nope&hostname=h"), code: "-404",
                #"{"code":-404,"message":"nope not found"}"#)
            _ = try node.register("a")
            let app = #"{"instances":{"sh001":[\#(Self.instance("a"))]},"latest_timestamp":T}"#
            try expect(
                node.get("/discovery/poll?env=dev&appid=demo.app&hostname=h"), code: "0",
                #"{"code":0,"message":"0","ttl":1,"data":\#(app)}"#)
            let polls = "/discovery/polls?env=dev&hostname=h&appid=demo.app&latest_timestamp=0"
            try expect(
                node.get(polls), code: "0",
                #"{"code":0,"data":{"demo.app":\#(app)},"error":{"-404":null},"message":"0"}"#)
            try expect(
                node.get(polls + "&appid=nope&latest_timestamp=0"), code: "0",
                #"{"code":0,"data":{"demo.app":\#(app)},"error":{"-404":["nope"]},"message":"0"}"#)
            for path in ["poll", "polls"] {
                try expect(
                    node.get(
                        "/discovery/\(path)?env=dev&appid=demo.app&hostname=h"
                            + "&latest_timestamp=9000000000000000000",
                        ["x1-bmspy-timeout: 1"]),
                    code: "0",
                    path == "poll"
                        ? #"{"code":0,"message":"0","ttl":1,"data":\#(app)}"#
                        : #"{"code":0,"data":{"demo.app":\#(app)},"error":{"-404":null},"#
                            + #""message":"0"}"#)
            }
            try expect(
                node.get(
                    "/discovery/polls?env=dev&appid=nope&latest_timestamp=0",
                    ["x1-bmspy-timeout: 1"]),
                code: "-304", #"{"code":-304,"message":"-304","ttl":1}"#)
        }

        @Test func `what cannot be read is -400 without a code in the head`() throws {
            try expect(
                node.post("/discovery/renew", "env=dev"), code: nil,
                #"{"code":-400,"message":"zone is required: the client did not say its "#
                    + #"zone (ZONE)","ttl":1}"#)
            try expect(
                node.register("a", [("status", "9")]), code: nil,
                #"{"code":-400,"message":"status must be 1 or 2, got 9","ttl":1}"#)
            try expect(
                node.get("/discovery/polls?env=dev&appid=a&appid=b&latest_timestamp=0"), code: nil,
                #"{"code":-400,"message":"latest_timestamp must be given once per appid: "#
                    + #"got 1 for 2","ttl":1}"#)
        }

        static let paths = [
            "register", "renew", "cancel", "set", "fetch", "fetchs", "fetch/all", "poll", "polls",
            "nodes",
        ]

        @Test func `a wrong method is 405 and a wrong path 404, in plain text`() throws {
            let client = try node.connect()
            func head(_ status: String, _ reply: HTTPReply, _ allow: String = "") -> String {
                "HTTP/1.1 \(status)\r\nContent-Type: text/plain\r\n\(allow)Kratos-Trace-Id: \r\n"
                    + "Date: \(reply.header("Date") ?? "")\r\nContent-Length: 18"
            }
            for (index, path) in Self.paths.enumerated() {
                let right = index < 4 ? "POST" : "GET"
                let allow = "Allow: \(right)\r\n"
                for method in ["GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"]
                where method != right {
                    let reply = try client.exchange(
                        "\(method) /discovery/\(path) HTTP/1.1\r\nHost: node\r\n\r\n",
                        toHead: method == "HEAD")
                    #expect(reply.head == head("405 Method Not Allowed", reply, allow))
                    #expect(reply.text == (method == "HEAD" ? "" : "Method Not Allowed"))
                }
                for wrong in ["/discovery/\(path)/", "/\(path)", "/Discovery/\(path)", "/metrics"] {
                    let reply = try client.exchange(HTTPRequest.get(wrong))
                    #expect(reply.head == head("404 Not Found", reply))
                    #expect(reply.text == "404 page not found")
                }
            }
        }

        @Test(arguments: [
            "/discovery//nodes", "/discovery/./nodes", "/x/../discovery/nodes",
            "/discovery%2Fnodes", "/disco%76ery/nodes", "http://node/discovery/nodes",
        ])
        func `a path that can be tidied up is served`(_ target: String) throws {
            #expect(try node.get(target).code == 0)
        }
    }
}
