import Testing

@testable import DiscoveryCore
@testable import DiscoveryWire

/// Scheduler files, what clients are shown of them, and the answer of balance.
@Suite struct ScheduleTests {
    private static let file = """
        {"app_id": "a.b", "env": "dev", "remark": "sh001 is drained",
         "clients": {"sh002": {"zones": {"sh002": {"weight": 1}}},
                     "sh001": {"zones": {"sh002": {"weight": 1}, "sh001": {"weight": 3}}}}}
        """

    private func parse(
        _ json: String, _ shape: SchedulerShape = .object
    ) throws(Rejection) -> Scheduled {
        try ScheduleReader.read(bytes(json).span, shape: shape)
    }

    private func problem(_ json: String) -> String {
        do throws(Rejection) {
            _ = try parse(json)
            return "none"
        } catch {
            return error.message
        }
    }

    @Test func `a file says who sends where, for one application in one env`() throws {
        let scheduled = try parse(ScheduleTests.file)
        let schedule = try #require(scheduled.schedule)
        #expect(scheduled.app == (try appKey("dev", "a.b")))
        #expect(text(schedule.remark) == "sh001 is drained")
        let rules = schedule.rules.map { rule in
            text(rule.caller) + ": "
                + rule.shares.map { "\(text($0.zone)) \($0.weight)" }.joined(separator: ", ")
        }
        #expect(rules == ["sh001: sh001 3, sh002 1", "sh002: sh002 1"])
    }

    @Test func `the form of an entry of the reference's example file says the same`() throws {
        let other = try parse(
            """
            {"app_id": "a.b", "env": "dev", "remark": "sh001 is drained",
             "zones": [{"src": "sh001", "dst": {"sh001": 3, "sh002": 1}},
                       {"dst": {"sh002": 1}, "src": "sh002"}]}
            """)
        #expect(other.schedule == (try parse(ScheduleTests.file).schedule))
    }

    @Test func `clients are shown the shape that is set`() throws {
        let object = try parse(ScheduleTests.file, .object).schedule
        let array = try parse(ScheduleTests.file, .array).schedule
        #expect(
            text(try #require(object).encoded) == """
                {"clients":{"sh001":{"zones":{"sh001":{"weight":3},"sh002":{"weight":1}}},\
                "sh002":{"zones":{"sh002":{"weight":1}}}},"remark":"sh001 is drained"}
                """)
        #expect(
            text(try #require(array).encoded) == """
                [{"src":"sh001","dst":{"sh001":3,"sh002":1}},{"src":"sh002","dst":{"sh002":1}}]
                """)
        #expect(try #require(object).digest == (try #require(array).digest))
    }

    @Test func `fetch and polls show it between the instances and the timestamp`() throws {
        let schedule = try parse(ScheduleTests.file, .array).schedule
        let view = try view(latest: 7, zones: [("sh001", [])], schedule: schedule)
        let shown = text(try #require(schedule).encoded)
        let fragment = #"{"instances":{"sh001":[]},"scheduler":\#(shown),"latest_timestamp":7}"#
        #expect(
            answerText(.fetched(view))
                == #"{"code":0,"message":"0","ttl":1,"data":\#(fragment)}"#)
        #expect(
            answerText(.polledMany([view], missing: []))
                == #"{"code":0,"data":{"a.b":\#(fragment)},"error":{"-404":null},"message":"0"}"#)
        #expect(
            answerText(.fetchedMany([view]), shape: .array)
                == #"{"code":0,"message":"0","ttl":1,"data":{"a.b":{"instances":[],"#
                + #""zone_instances":{"sh001":[]},"scheduler":\#(shown),"latest_timestamp":7}}}"#)
    }

    @Test(arguments: [
        ("", "the file is not valid JSON: nothing"), ("{", "the file is not valid JSON: {"),
        ("[]", "found a list, allowed is an object with app_id, env and clients"),
        ("{}", "app_id: found nothing, allowed is a name of at most 255 bytes"),
        (#"{"app_id": "a"}"#, "env: found nothing, allowed is a name of at most 255 bytes"),
        (#"{"app_id": "a", "env": "e"}"#, "clients: found nothing, allowed is an object like"),
        (#"{"app_id": 7}"#, "app_id: found 7, allowed is a name"),
        (#"{"app_id": ""}"#, "app_id: found \"\", allowed is a name"),
        (#"{"env": "a\u0007"}"#, "env: found \"a?\", allowed is a name"),
        (#"{"appid": "a"}"#, "appid: no such key, allowed are app_id, env, clients (or zones)"),
        (#"{"remark": 1}"#, "remark: found 1, allowed is a string"),
        (#"{"clients": []}"#, "clients: found a list, allowed is an object like"),
        (
            #"{"clients": {}, "zones": []}"#,
            "found both clients and zones, allowed is one of them"
        ),
        (
            #"{"clients": {"sh001": {}}}"#,
            "clients.sh001: found no zones, allowed is an object with the key zones"
        ),
        (
            #"{"clients": {"sh001": {"zones": {}, "x": 1}}}"#,
            "clients.sh001.x: no such key, allowed is zones"
        ),
        (
            #"{"clients": {"sh001": {"zones": {"sh002": 1}}}}"#,
            "clients.sh001.zones.sh002: found 1, allowed is an object with the key weight"
        ),
        (
            #"{"clients": {"sh001": {"zones": {"sh002": {"weight": "1"}}}}}"#,
            "clients.sh001.zones.sh002.weight: found \"1\", allowed is a whole number from 0 to"
        ),
        (
            #"{"clients": {"sh001": {"zones": {"sh002": {"weight": -1}}}}}"#,
            "clients.sh001.zones.sh002.weight: found -1, allowed is a whole number"
        ),
        (
            #"{"clients": {"sh001": {"zones": {"sh002": {"weight": 1.5}}}}}"#,
            "clients.sh001.zones.sh002.weight: found 1.5, allowed is a whole number"
        ),
        (
            #"{"clients": {"sh001": {"zones": {"sh002": {"weight": 2147483648}}}}}"#,
            "clients.sh001.zones.sh002.weight: found 2147483648, allowed is a whole number"
        ),
        (#"{"clients": {"": {"zones": {}}}}"#, "a zone in clients: found \"\", allowed"),
        (
            #"{"clients": {"b": {"zones": {}}, "\u0062": {"zones": {}}}}"#,
            "found a key twice in one object, allowed is each once"
        ),
        (#"{"zones": [{"src": "a", "dst": {"b": 1, "b": 2}}]}"#, "found a key twice in one"),
        (#"{"zones": {}}"#, "zones: found an object, allowed is a list like"),
        (#"{"zones": [1]}"#, "zones[0]: found 1, allowed is an object with src and dst"),
        (#"{"zones": [{"src": "a"}]}"#, "zones[0]: found no src or no dst, allowed is an object"),
        (#"{"zones": [{"src": "a", "dst": {"b": true}}]}"#, "zones[0].dst.b: found true"),
        (#"{"zones": [{"source": "a"}]}"#, "zones[0].source: no such key, allowed are src and dst"),
        (
            #"{"zones": [{"src": "a", "dst": {}}, {"src": "a", "dst": {}}]}"#,
            "zones[1].src: found a zone for the second time, allowed is one rule for each zone"
        ),
    ])
    func `what is wrong is said: the key, what was found, what is allowed`(
        _ json: String, _ start: String
    ) {
        let found = problem(json)
        #expect(found.hasPrefix(start), "\(found)")
    }

    @Test func `what would be long in every answer is refused`() {
        let remark = String(repeating: "<", count: 20_000)
        #expect(
            problem(#"{"app_id": "a", "env": "e", "clients": {}, "remark": "\#(remark)"}"#)
                == "found a schedule of 120026 bytes in each answer, allowed are 65536")
    }

    @Test func `colons and quotes in values are not taken for keys`() throws {
        let scheduled = try parse(
            #"{"app_id": "a:b", "env": "e:\"c\":", "clients": {}, "remark": "x: \\"}"#)
        #expect(text(try #require(scheduled.schedule).remark) == "x: \\")
    }

    @Test func `what nests deep traps nothing`() {
        let deep = String(repeating: #"{"clients":"#, count: 600)
        #expect(problem(deep) == "the file is nested more than 16 deep")
    }

    @Test func `fuzz: no file traps, and what is taken says the same when it is read again`() throws
    {
        FuzzTests.tellSeed()
        var random = SplitMix64(seed: FuzzTests.seed)
        let list = #"{"app_id":"a","env":"e","zones":[{"src":"x","dst":{"y":1,"z":20}}]}"#
        var taken = 0
        let end = ContinuousClock.now + .seconds(Int64(FuzzTests.seconds))
        while ContinuousClock.now < end {
            let source = bytes(Bool.random(using: &random) ? ScheduleTests.file : list)
            let file = FuzzTests.mutated(source, &random)
            do throws(Rejection) {
                let found = try ScheduleReader.read(file.span, shape: .object)
                taken += 1
                guard let schedule = found.schedule else { continue }
                let clients = text(schedule.encoded).dropFirst().dropLast()
                let again = try parse(#"{"app_id":"a","env":"e",\#(clients)}"#)
                #expect(again.schedule == schedule, "\(text(file))")
                let array = ZoneSchedule(
                    rules: schedule.rules, remark: schedule.remark, shape: .array)
                let zones = text(array.encoded)
                #expect(
                    try parse(#"{"app_id":"a","env":"e","zones":\#(zones)}"#).schedule?.rules
                        == schedule.rules, "\(text(file))")
            } catch {
                #expect(!error.message.isEmpty && error.message.utf8.count < 400)
            }
        }
        #expect(taken > 100)
    }

    // MARK: balance

    @Test func `balance says the instances to use, with final weights, and why`() throws {
        let schedule = try parse(ScheduleTests.file).schedule
        let row = try Sample().row()
        let scheduled = try view(
            latest: 7, zones: [("sh001", [row, row]), ("sh002", [row])], schedule: schedule)
        let answer = answerText(.balanced(scheduled, zone: bytes("sh001")))
        #expect(answer.hasPrefix(#"{"code":0,"message":"0","ttl":1,"data":{"basis":"scheduler","#))
        #expect(answer.hasSuffix(#""total_weight":8,"latest_timestamp":7}}"#))
        let first = """
            "instances":[{"zone":"sh001","hostname":"h1","addrs":["http://1.1.1.1:80",\
            "grpc://1.1.1.1:90"],"version":"1","metadata":{"w":"10"},"weight":3},
            """
        #expect(answer.contains(first), "\(answer)")
        let elsewhere = answerText(.balanced(scheduled, zone: bytes("bj001")))
        #expect(elsewhere.contains(#""basis":"all_zones""#))
        #expect(elsewhere.contains(#""total_weight":30"#))
        let own = try view(zones: [("sh001", [row])])
        #expect(
            answerText(.balanced(own, zone: bytes("sh001"))).contains(#""basis":"own_zone""#))
    }

    @Test(arguments: [
        ("appid=a&zone=z", "env is required: the client did not say its environment (DEPLOY_ENV)"),
        ("env=e&zone=z", "appid is required"),
        ("env=e&appid=a", "zone is required: the client did not say its zone (ZONE)"),
    ])
    func `balance wants to know env, application and the caller's zone`(
        _ query: String, _ message: String
    ) {
        #expect(throws: Rejection(message)) { try read(Request(.balance, query: query)) }
    }
}
