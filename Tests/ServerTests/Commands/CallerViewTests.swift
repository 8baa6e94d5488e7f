import DiscoveryWire
import Testing

@testable import Discovery

/// Whom a caller uses, by the answer of a poll of whatever node.
@Suite struct CallerViewTests {
    private static let instances = #"""
        {"sh001":[{"hostname":"b","status":1,"metadata":null},
                  {"hostname":"a","status":1,"metadata":{"weight":"20"}},
                  {"hostname":"w","status":2,"metadata":{}}],
         "sh002":[{"hostname":"c","status":1,"metadata":{"weight":"x"}}]}
        """#

    private func rows(_ scheduler: String, zone: String?) throws -> [String] {
        let json = #"{"instances":\#(Self.instances),"scheduler":\#(scheduler)}"#
        let data = try JSONTree.read(Array(json.utf8).span, "it")
        return CallerView.rows(data, zone: zone).map {
            "\($0.instance["hostname"].text) \($0.weight)"
        }
    }

    private static let object =
        #"{"clients":{"sh001":{"zones":{"sh001":{"weight":1},"sh002":{"weight":1}}}},"remark":""}"#
    private static let array = #"[{"src":"sh001","dst":{"sh001":1,"sh002":1}}]"#

    @Test(arguments: [object, array])
    func `a schedule in either shape shares a caller's requests out`(_ scheduler: String) throws {
        #expect(try rows(scheduler, zone: "sh001") == ["a 2", "b 1", "c 3"])
        #expect(try rows(scheduler, zone: "sh002") == ["c 10"])
        #expect(try rows(scheduler, zone: "bj001") == ["a 20", "b 10", "c 10"])
    }

    @Test(arguments: [
        "null", "{}", "[]", "1", #"{"clients":null}"#, #"{"clients":{"sh001":3}}"#,
        #"[{"src":"sh001","dst":{"sh001":-1}}]"#, #"[{"src":"sh001"}]"#,
    ])
    func `without a rule, or with one that is none, a caller stays at home`(
        _ scheduler: String
    ) throws {
        #expect(try rows(scheduler, zone: "sh001") == ["a 20", "b 10"])
    }

    /// More than what reads the file may take.
    @Test(arguments: [nil, "sh001"])
    func `no provider's weight is larger than a configuration can say`(_ zone: String?) throws {
        let json =
            #"{"instances":{"sh001":[{"hostname":"a","status":1,"metadata":{"weight":"#
            + #""9223372036854775807"}},{"hostname":"b","status":1}]}}"#
        let rows = CallerView.rows(
            try JSONTree.read(Array(json.utf8).span, "it"), zone: zone)
        #expect(rows.map(\.weight) == [2_147_483_647, 1])
    }

    @Test func `who names no zone has all, as they weigh themselves`() throws {
        #expect(try rows(Self.object, zone: nil) == ["a 20", "b 10", "c 10"])
    }
}
