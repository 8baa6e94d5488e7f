import Testing

extension EndToEndTests {
    /// Schedules of zones, from the file to the poll.
    @Suite struct SchedulerTests {
        private func schedule(_ weight: Int, app: String = "demo.app") -> String {
            """
            {"app_id": "\(app)", "env": "dev",
             "clients": {"sh001": {"zones": {"sh001": {"weight": \(weight)}}}}}
            """
        }

        private func shown(_ weight: Int) -> String {
            #""scheduler":{"clients":{"sh001":{"zones":{"sh001":{"weight":\#(weight)}}}},"#
                + #""remark":""}"#
        }

        private static let poll = "/discovery/polls?env=dev&hostname=c&appid=demo.app"
        private static let fetch = "/discovery/fetch?env=dev&appid=demo.app&status=1"
        private static let balance = "/discovery/balance?env=dev&appid=demo.app&zone="

        @Test func `an edited file wakes the pollers of its application`() throws {
            let folder = try TemporaryFolder()
            try folder.write("demo.json", schedule(3))
            let node = try NodeProcess("[scheduler]\nfolder = \"\(folder.path)\"\n")
            #expect(try node.register("a").code == 0)
            let first = try node.get(Self.poll + "&latest_timestamp=0")
            #expect(first.text.contains(shown(3)), "\(first.text)")
            let latest = try node.latest()

            let held = try node.hold(latest: latest)
            try folder.write("demo.json", schedule(5))
            let told = try held.reply()
            #expect(told.text.contains(shown(5)), "\(told.text)")
            #expect(try node.latest() > latest)
            #expect(try node.metric("discovery_schedules") == 1)
            #expect(try node.metric("discovery_schedules_digest") != 0)
            let data = try node.get(Self.balance + "sh001").json["data"]
            #expect(try data["basis"].string == "scheduler")
            #expect(try data["total_weight"].int == 1)

            try folder.write("demo.json", "{")
            #expect(try eventually { try node.metric("discovery_scheduler_problems") == 1 })
            #expect(try node.get(Self.fetch).text.contains(shown(5)))
            #expect(
                node.child.errors.text.contains(
                    "scheduler: \(folder.path(of: "demo.json")): the file is not valid JSON: {; "
                        + "what it said before stays in effect"))

            try folder.remove("demo.json")
            #expect(try eventually { try !node.get(Self.fetch).text.contains("scheduler") })
            #expect(node.stop() == .exited(0))
        }

        @Test func `the array that the reference's Go SDK reads is a setting`() throws {
            let folder = try TemporaryFolder()
            try folder.write("demo.json", schedule(3))
            let node = try NodeProcess(
                "[scheduler]\nfolder = \"\(folder.path)\"\nshape = \"array\"\n")
            #expect(try node.register("a").code == 0)
            #expect(
                try node.get(Self.fetch).text.contains(
                    #""scheduler":[{"src":"sh001","dst":{"sh001":3}}]"#))
        }

        @Test func `a node without its scheduler folder serves all the same`() throws {
            let node = try NodeProcess("[scheduler]\nfolder = \"no/such/folder\"\n")
            #expect(try node.register("a").code == 0)
            #expect(try node.metric("discovery_scheduler_problems") == 1)
            #expect(
                node.child.errors.text.contains(
                    "scheduler: no/such/folder: cannot be read: No such file or directory"))
        }

        @Test func `balance tells a program without an SDK whom to call`() throws {
            let node = try NodeProcess()
            #expect(try node.register("a", [("metadata", #"{"weight":"30"}"#)]).code == 0)
            #expect(try node.register("b", [("zone", "sh002")]).code == 0)
            for (zone, basis, total) in [
                ("sh001", "own_zone", 30), ("sh002", "own_zone", 10), ("bj001", "all_zones", 40),
            ] {
                let data = try node.get(Self.balance + zone).json["data"]
                #expect(try data["basis"].string == basis)
                #expect(try data["total_weight"].int == total)
            }
            #expect(try node.get(Self.balance).code == -400)
            #expect(try node.get("/discovery/balance?env=dev&appid=x&zone=z").code == -404)
            #expect(try node.post("/discovery/balance", "").status == 405)
        }
    }
}
