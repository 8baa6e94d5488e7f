import Testing

extension EndToEndTests {
    /// brpc: bodies that nobody escaped, fetchs every five seconds, renewals straight to one node.
    @Suite struct BrpcClientTests {
        static let headers = ["User-Agent: brpc/1.0 curl/7.0", "Accept: */*"]
        static let formHeaders =
            headers + ["Content-Type: application/x-www-form-urlencoded"]
        static let key = "appid=main.test&hostname=host1&env=prod&region=sh&zone=sh001"
        static let end =
            "&env=prod&zone=sh001&region=sh&status=1&version=v1"
            + #"&metadata={"weight":"10", "cluster":"a b","sign":"100%"}"#
        static let registration =
            "appid=main.test&hostname=host1&addrs=grpc://10.0.0.1:8000&addrs=http://10.0.0.1:80"
            + end

        private func post(
            _ node: NodeProcess, _ path: String, _ body: String
        ) throws -> HTTPReply {
            try node.post("/discovery/\(path)", body, Self.formHeaders)
        }

        @Test func `the nodes are there from the first moment, in protection too`() throws {
            let node = try NodeProcess("enableprotect = true\n")
            let entry = try node.get("/discovery/nodes", Self.headers).json["data"][0]
            #expect(try entry["addr"].string == "127.0.0.1:\(node.port)")
            #expect(try entry["status"].int == 0)
        }

        @Test(arguments: [registration, registration.replacing("&addrs=http", with: ",http")])
        func `an unescaped register is understood`(_ body: String) throws {
            let node = try NodeProcess()
            #expect(try post(node, "register", body).code == 0)
            let instance = try post(node, "renew", Self.key).json["data"]
            #expect(
                try instance["addrs"].list.map { try $0.string }
                    == ["grpc://10.0.0.1:8000", "http://10.0.0.1:80"])
            #expect(try instance["metadata"].keys == ["cluster", "sign", "weight"])
            #expect(try instance["metadata"]["cluster"].string == "a b")
            #expect(try instance["metadata"]["sign"].string == "100%")
        }

        @Test func `after three renewals of nobody one register makes the next succeed`() throws {
            let node = try NodeProcess()
            for _ in 0..<3 { #expect(try post(node, "renew", Self.key).code == -404) }
            #expect(try post(node, "register", Self.registration).code == 0)
            // It renews at once and for ever if that fails.
            #expect(try post(node, "renew", Self.key).code == 0)
            #expect(try post(node, "cancel", Self.key).code == 0)
        }

        @Test func `fetchs has the map of the reference, and the array where it is asked for`()
            throws
        {
            let node = try NodeProcess()
            #expect(try post(node, "register", Self.registration).code == 0)
            let query = "/discovery/fetchs?appid=main.test&env=prod&status=1"
            let map = try node.get(query, Self.headers).json["data"]["main.test"]
            #expect(try map["instances"]["sh001"][0]["hostname"].string == "host1")
            #expect(try !map.has("zone_instances"))
            let array = try node.get(query + "&format=array", Self.headers).json["data"]
            try checkArray(array["main.test"])
            let unknown = query.replacing("main.test", with: "nope")
            #expect(try node.get(unknown, Self.headers).json["data"].keys == [])
        }

        @Test func `fetchs has the array by setting`() throws {
            let node = try NodeProcess("[compat]\ninstances_shape = \"array\"\n")
            #expect(try post(node, "register", Self.registration).code == 0)
            let query = "/discovery/fetchs?appid=main.test&env=prod&status=1&zone=sh001"
            try checkArray(node.get(query, Self.headers).json["data"]["main.test"])
            // No client that polls reads an array.
            let polls = "/discovery/polls?appid=main.test&env=prod&latest_timestamp=0"
            let polled = try node.get(polls).json["data"]["main.test"]
            #expect(try polled.hostnames == ["host1"])
        }

        private func checkArray(_ app: JSON) throws {
            let instances = try app["instances"].list
            #expect(instances.count == 1)
            #expect(try instances[0]["addrs"][0].string == "grpc://10.0.0.1:8000")
            #expect(try app["zone_instances"]["sh001"][0]["hostname"].string == "host1")
        }
    }
}
