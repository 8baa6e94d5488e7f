import Testing

@testable import DiscoveryCore
@testable import DiscoveryWire

/// Answers of other nodes: what nodes of the reference were recorded to answer, and what no node
/// should.
@Suite struct PeerReplyTests {
    private static let stamp: Int64 = 1_700_000_000_123_456_789
    private static let second: Int64 = 1_000_000_000

    /// As the reference writes an instance.
    static func instance(
        addrs: String = #"["http://1.1.1.1:80","grpc://1.1.1.1:90"]"#,
        metadata: String = #"{"w":"10"}"#, status: String = "1", hostname: String = "h1",
        renewed: String = "1700000000123456789", env: String = "dev", dirty: String = "17"
    ) -> String {
        #"{"region":"sh","zone":"sh001","env":"\#(env)","appid":"a.b","hostname":"\#(hostname)","#
            + #""addrs":\#(addrs),"version":"1","metadata":\#(metadata),"status":\#(status),"#
            + #""reg_timestamp":1,"up_timestamp":2,"renew_timestamp":\#(renewed),"#
            + #""dirty_timestamp":\#(dirty),"latest_timestamp":4}"#
    }

    static let blank =
        #"{"region":"","zone":"","env":"","appid":"","hostname":"","addrs":null,"version":"","#
        + #""metadata":null,"status":0,"reg_timestamp":0,"up_timestamp":0,"renew_timestamp":0,"#
        + #""dirty_timestamp":0,"latest_timestamp":0}"#

    private func record(
        hostname: String = "h1", silence: Int64 = 0, metadata: [InstanceContent.Entry]? = nil,
        env: String = "dev"
    ) throws -> Record {
        let key = InstanceKey(
            env: bytes(env), appid: bytes("a.b"), zone: bytes("sh001"), hostname: bytes(hostname))
        let content = InstanceContent(
            region: bytes("sh"), version: bytes("1"),
            addrs: [bytes("http://1.1.1.1:80"), bytes("grpc://1.1.1.1:90")],
            metadata: metadata ?? [entry("w", "10")])
        let registered = Record.Registered(
            content: try #require(content), status: .up, registered: 1, up: 2, silence: silence)
        return Record(key: try #require(key), version: 17, state: .registered(registered))
    }

    private func reading(
        _ question: PeerReplyReader.Question, _ body: [UInt8], status: Int = 200,
        type: String = "application/json; charset=utf-8", now: Int64 = stamp,
        limits: WireLimits = WireLimits()
    ) -> PeerReply.Outcome {
        PeerReplyReader.read(
            question, status: status, contentType: bytes(type).span, body: body.span, now: now,
            limits: limits)
    }

    private func outcome(
        _ question: PeerReplyReader.Question, _ body: String, status: Int = 200
    ) -> PeerReply.Outcome {
        reading(question, bytes(body), status: status)
    }

    // MARK: Writes and probes

    @Test func `the recorded answers to writes give their code and the instance in them`() throws {
        let held = try record()
        let table: [(String, Int, Record?)] = [
            (#"{"code":0,"message":"0","ttl":1}"#, 0, nil),
            (#"{"code":0,"message":"0","ttl":1,"data":\#(Self.instance())}"#, 0, held),
            (#"{"code":-404,"message":"-404","ttl":1,"data":\#(Self.blank)}"#, -404, nil),
            (#"{"code":-404,"message":"-404","ttl":1,"data":null}"#, -404, nil),
            (#"{"code":-404,"message":"-404","ttl":1}"#, -404, nil),
            (#"{"code":-409,"message":"-409","ttl":1,"data":\#(Self.instance())}"#, -409, held),
            (#"{"code":-404,"message":"-404","ttl":1,"data":\#(Self.instance())}"#, -404, held),
            (
                #"{"code":-400,"message":"Key: 'ArgRenew.Env' Error:Field validation","ttl":1}"#,
                -400, nil
            ),
            (#"{"code":-500,"message":"-500","ttl":1}"#, -500, nil),
        ]
        for (body, code, record) in table {
            #expect(outcome(.write, body) == .answered(code: code, record))
        }
    }

    @Test func `the nodes that a probe is answered with are not looked at`() {
        let nodes =
            #"{"code":0,"message":"0","ttl":1,"data":[{"addr":"127.0.0.1:7171","status":0,"#
            + #""zone":"sh001"}]}"#
        #expect(outcome(.probe, nodes) == .answered(code: 0, nil))
        #expect(outcome(.probe, #"{"code":-500,"message":"-500"}"#) == .answered(code: -500, nil))
    }

    @Test func `our own answers to writes are read as well`() throws {
        let instance = try Sample().instance()
        let body = answerText(.conflict(instance, renewed: 1))
        guard case .answered(code: -409, let record?) = outcome(.write, body) else {
            Issue.record("not read: \(body)")
            return
        }
        #expect(record.key == instance.key && record.version == instance.dirty)
        guard case .registered(let registered) = record.state else {
            Issue.record("not registered")
            return
        }
        #expect(registered.content == instance.content && registered.silence == 0)
        let refused = answerText(Rejection("zone is required").answer)
        #expect(outcome(.write, refused) == .answered(code: -400, nil))
        #expect(outcome(.write, answerText(.unknownHost)) == .answered(code: -404, nil))
    }

    // MARK: HTTP

    @Test(arguments: [400, 413])
    func `a request that HTTP refused is refused`(status: Int) {
        for question in PeerReplyReader.Question.allCases {
            #expect(
                outcome(question, "400 Bad Request", status: status)
                    == .refused("answered with HTTP status \(status)"))
        }
    }

    @Test(arguments: [0, 204, 301, 404, 405, 499])
    func `every other status but 200 is a failure`(status: Int) {
        for question in PeerReplyReader.Question.allCases {
            #expect(
                outcome(question, #"{"code":0,"data":{}}"#, status: status)
                    == .failed("answered with HTTP status \(status)"))
        }
    }

    @Test(arguments: [500, 502, 503, 599])
    func `a node that could not answers so`(status: Int) {
        for question in PeerReplyReader.Question.allCases {
            #expect(
                outcome(question, "", status: status)
                    == .unable("answered with HTTP status \(status)"))
        }
    }

    @Test(arguments: [
        "", "404 page not found", "{", #"{"code":0"#, #"{"code":0,"data":{"a":["#, "[]", "null",
        #"{"code":"0"}"#, #"{"message":"0"}"#, #"{"code":1e99}"#, #"{"code":0}x"#,
        #"{"code":0,"message":7}"#, "\u{0}", "{\"code\":0,\"data\":\"\u{0}\"}",
        String(repeating: "[", count: 100_000), String(repeating: #"{"a":"#, count: 600),
    ])
    func `what is no answer in JSON is a failure with a sentence`(body: String) {
        for question in PeerReplyReader.Question.allCases {
            guard case .failed(let sentence) = outcome(question, body) else {
                Issue.record("taken: \(body.prefix(50))")
                continue
            }
            #expect(sentence.hasPrefix("the answer is n") && sentence.utf8.count < 300)
        }
    }

    @Test func `a huge answer is a failure`() {
        var limits = WireLimits()
        limits.jsonBytesMax = 40
        limits.fetchAllBytesMax = 41
        let body = bytes(#"{"code":0,"data":{},"more":"0123456789012"}"#)
        let sentence = "bytes, got \(body.count)"
        for question in PeerReplyReader.Question.allCases {
            guard case .failed(let told) = reading(question, body, limits: limits) else {
                Issue.record("taken")
                continue
            }
            #expect(told.hasPrefix("the answer may have at most 4") && told.hasSuffix(sentence))
        }
        limits.fetchAllBytesMax = body.count
        #expect(reading(.fetchAll, body, limits: limits) == .all([], skipped: 0))
    }

    // MARK: fetch/all

    private func all(_ apps: String, now: Int64 = stamp) -> PeerReply.Outcome {
        reading(.fetchAll, bytes(#"{"code":0,"message":"0","ttl":1,"data":\#(apps)}"#), now: now)
    }

    @Test func `fetch all gives every instance, whatever its app and env`() throws {
        let other = Self.instance(hostname: "h2", env: "uat")
        let third = Self.instance(hostname: "h3")
        let read = all(#"{"z":[\#(third)],"a.b":[\#(Self.instance()),\#(other)]}"#)
        let expected = try [
            record(), record(hostname: "h2", env: "uat"), record(hostname: "h3"),
        ]
        #expect(read == .all(expected, skipped: 0))
        #expect(all("{}") == .all([], skipped: 0))
    }

    @Test func `addresses joined by commas are taken apart`() throws {
        let joined = Self.instance(addrs: #"["http://1.1.1.1:80,grpc://1.1.1.1:90"]"#)
        #expect(all(#"{"a.b":[\#(joined)]}"#) == .all([try record()], skipped: 0))
        let ragged = Self.instance(addrs: #"[",http://1.1.1.1:80,,","grpc://1.1.1.1:90",""]"#)
        #expect(all(#"{"a.b":[\#(ragged)]}"#) == .all([try record()], skipped: 0))
    }

    @Test func `metadata that is null is none`() throws {
        let none = Self.instance(metadata: "null")
        #expect(all(#"{"a.b":[\#(none)]}"#) == .all([try record(metadata: [])], skipped: 0))
    }

    @Test func `silence is counted from the other node's now, and is unknown if that was set back`()
        throws
    {
        let table: [(String, Int64, Int64)] = [
            ("1700000000123456789", Self.stamp, 0),
            ("1700000000123456789", Self.stamp + 30 * Self.second, 30 * Self.second),
            ("1700000000123456789", Self.stamp - Self.second, 0),
            ("1700000000123456789", Self.stamp - 3 * Self.second, -3 * Self.second),
            ("-9223372036854775808", 1, .max), ("9223372036854775807", -2, 0),
        ]
        for (renewed, now, silence) in table {
            let read = all(#"{"a.b":[\#(Self.instance(renewed: renewed))]}"#, now: now)
            #expect(read == .all([try record(silence: silence)], skipped: 0))
        }
    }

    @Test(arguments: [
        instance(status: "0"), instance(status: "3"), instance(status: "4294967297"),
        instance(status: #""1""#), instance(addrs: "null"), instance(addrs: "[]"),
        instance(addrs: #"[","]"#), instance(addrs: "[1]"), instance(metadata: #"{"a":1}"#),
        instance(metadata: "[]"), instance(hostname: ""), instance(hostname: #"\n"#),
        instance(hostname: String(repeating: "h", count: 256)), instance(dirty: "1.5"),
        instance(dirty: "9223372036854775808"), instance(renewed: "null"),
        instance(addrs: #"["\#(String(repeating: "a", count: 1025))"]"#), blank, "null", "7", "[]",
        "{}",
    ])
    func `an instance that is none is skipped alone`(bad: String) throws {
        let read = all(#"{"a.b":[\#(bad),\#(Self.instance())]}"#)
        #expect(read == .all([try record()], skipped: 1))
    }

    @Test(arguments: ["null", "7", "{}", #""x""#])
    func `an app that is no list is skipped alone`(bad: String) throws {
        let read = all(#"{"a":\#(bad),"a.b":[\#(Self.instance())]}"#)
        #expect(read == .all([try record()], skipped: 1))
    }

    @Test func `fetch all that is refused is an answer, and without data it is none`() {
        for code in [-500, -503] {
            #expect(
                outcome(.fetchAll, #"{"code":\#(code),"message":"\#(code)","ttl":1}"#)
                    == .answered(code: code, nil))
        }
        for data in ["", #","data":null"#, #","data":[]"#, #","data":7"#] {
            #expect(
                outcome(.fetchAll, #"{"code":0\#(data)}"#) == .failed("answered without data"))
        }
    }

    @Test func `what we answer to fetch all is read back`() throws {
        let rows = try (0..<50).map { index in
            var sample = Sample()
            sample.hostname = "h\(index)"
            sample.metadata = [("<\(index)>", "\u{2028}")]
            return try sample.row()
        }
        var body: [UInt8] = []
        AnswerWriter.append(.fetchedAll(RegistryView(rows: rows)), to: &body)
        guard case .all(let records, 0) = reading(.fetchAll, body) else {
            Issue.record("not read")
            return
        }
        #expect(records.map(\.key) == rows.map(\.instance.key))
        for (record, row) in zip(records, rows) {
            guard case .registered(let registered) = record.state else {
                Issue.record("not registered: \(record)")
                continue
            }
            #expect(registered.content == row.instance.content)
        }
    }

    // MARK: Exchanges

    @Test func `an exchange is read by its content type`() {
        var body: [UInt8] = []
        ExchangeWriter.append(.rows(instances: [1], apps: [2], isProtected: false), to: &body)
        let expected = PeerReply.Outcome.exchanged(
            .rows(instances: [1], apps: [2], isProtected: false))
        let binary = "application/octet-stream"
        #expect(reading(.exchange, body, type: binary) == expected)
        guard case .failed = reading(.exchange, body) else {
            Issue.record("bytes are not JSON")
            return
        }
        body.removeLast()
        #expect(
            reading(.exchange, body, type: binary)
                == .failed("the exchange claims 1 numbers in its last 7 bytes"))
    }

    @Test func `a refused exchange is refused, and any other JSON is a failure`() {
        let refused = answerText(Rejection("there is no exchange of kind 9").answer)
        #expect(
            outcome(.exchange, refused)
                == .refused("answered code -400: there is no exchange of kind 9"))
        #expect(outcome(.exchange, #"{"code":-400}"#) == .refused("answered code -400"))
        let text = #"{"code":-503,"message":"about\u001b to stop","ttl":1}"#
        #expect(outcome(.exchange, text) == .unable("answered code -503: about? to stop"))
        #expect(outcome(.exchange, #"{"code":0}"#) == .failed("answered code 0"))
    }

    @Test func `whoever is no node of the cluster is told so, whatever it sends`() {
        let text = #"{"code":-403,"message":"who\u001b?","ttl":1}"#
        for question in [PeerReplyReader.Question.write, .exchange] {
            #expect(outcome(question, text) == .forbidden("answered code -403: who??"))
        }
    }

    @Test func `each request has its question`() {
        let relay = Relay(
            key: InstanceKey(packed: [1, 1, 1, 1, 1, 1, 1, 1]), region: [], version: 1,
            write: .renew, isSameZone: true)
        let table: [(PeerRequest, PeerReplyReader.Question)] = [
            (.probe, .probe), (.fetchAll, .fetchAll), (.relay(relay), .write),
            (.set([], version: 1, isSameZone: true), .write),
            (.exchange(.pull(leaf: 0)), .exchange),
        ]
        for (request, question) in table {
            #expect(PeerReplyReader.Question(request) == question)
        }
    }
}
