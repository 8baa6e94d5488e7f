import Testing

@testable import DiscoveryClient

/// What the registry says, read the way a client has to.
@Suite struct AnswerTests {
    private func read(_ json: String) throws -> AppAnswer {
        try BadAnswer.read(AppAnswer.self, Array(json.utf8))
    }

    @Test func `instances come by zone and hostname`() throws {
        let list = { (zone: String, hosts: [String]) in
            let instances = hosts.map { instanceJSON("a", $0, zone: zone) }
            return #""\#(zone)":[\#(instances.joined(separator: ","))]"#
        }
        let answer = try read(
            #"{"instances":{\#(list("z2", ["c"])),\#(list("z1", ["b", "a"]))},"#
                + #""latest_timestamp":1795780003939811288}"#)
        #expect(answer.instances.map(\.hostname) == ["a", "b", "c"])
        #expect(answer.latestTimestamp == 1_795_780_003_939_811_288)
        #expect(answer.instances[0].addresses == ["http://10.0.0.1:80"])
    }

    @Test(arguments: [
        #"{"clients":{"sh001":{"zones":{"sh001":{"weight":3},"sh002":{"weight":1}}}},"remark":""}"#,
        #"[{"src":"sh001","dst":{"sh001":3,"sh002":1}}]"#,
    ])
    func `both shapes of a schedule are read`(_ shape: String) throws {
        let answer = try read(#"{"instances":{},"scheduler":\#(shape),"latest_timestamp":1}"#)
        #expect(answer.schedule == ["sh001": ["sh001": 3, "sh002": 1]])
    }

    @Test(arguments: ["null", "7", "{}", #"[{"src":1}]"#])
    func `a schedule that is none costs nothing else`(_ shape: String) throws {
        let answer = try read(
            #"{"instances":{"z":[\#(instanceJSON("a", "h"))]},"scheduler":\#(shape),"#
                + #""latest_timestamp":1}"#)
        #expect(answer.schedule == [:] && answer.instances.count == 1)
    }

    @Test func `an instance that is none, or metadata that is no text, costs nothing else`()
        throws
    {
        let answer = try read(
            #"{"instances":{"z":[{},7,\#(instanceJSON("a", "h", metadata: #"{"x":1,"y":"2"}"#))]},"#
                + #""latest_timestamp":1}"#)
        #expect(answer.instances.map(\.metadata) == [["y": "2"]])
    }

    @Test func `metadata and lists may be null, as the reference sends them`() throws {
        let answer = try read(
            #"{"instances":{"z":[{"zone":"z","appid":"a","hostname":"h","addrs":null,"#
                + #""metadata":null}]},"scheduler":null,"latest_timestamp":1}"#)
        #expect(answer.instances.map(\.hostname) == ["h"])
        #expect(answer.instances[0].metadata == [:] && answer.instances[0].addresses == [])
    }

    /// Foundation traps on the one, and takes the other for UTF-16.
    @Test(arguments: [String(repeating: "[", count: 512), "{\"code\":0}\u{0}", "", "nil"])
    func `what is no answer is refused`(_ text: String) {
        #expect(throws: BadAnswer.self) {
            try BadAnswer.read(RegistryAnswer.self, Array(text.utf8))
        }
    }

    @Test func `an app that is null is left out`() throws {
        let answer = try BadAnswer.read(
            AppsAnswer.self,
            Array(#"{"code":0,"data":{"a":null,"b":{"instances":{},"latest_timestamp":2}}}"#.utf8))
        #expect(answer.apps.keys.sorted() == ["b"])
    }
}
