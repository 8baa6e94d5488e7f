import Testing

@testable import DiscoveryCore
@testable import DiscoveryWire

/// The bodies recorded from the reference.
@Suite struct GoldenAnswerTests {
    static let stamp = "1700000000123456789"
    static let instance = """
        {"region":"sh","zone":"sh001","env":"dev","appid":"a.b","hostname":"h1",\
        "addrs":["http://1.1.1.1:80","grpc://1.1.1.1:90"],"version":"1","metadata":{"w":"10"},\
        "status":1,"reg_timestamp":\(stamp),"up_timestamp":\(stamp),"renew_timestamp":\(stamp),\
        "dirty_timestamp":\(stamp),"latest_timestamp":\(stamp)}
        """
    static let blank = """
        {"region":"","zone":"","env":"","appid":"","hostname":"","addrs":null,"version":"",\
        "metadata":null,"status":0,"reg_timestamp":0,"up_timestamp":0,"renew_timestamp":0,\
        "dirty_timestamp":0,"latest_timestamp":0}
        """

    @Test func `register, cancel and set answer without data`() {
        #expect(answerText(.done) == #"{"code":0,"message":"0","ttl":1}"#)
    }

    @Test func `a renew answers with the whole instance`() throws {
        let instance = try Sample().instance()
        #expect(
            answerText(.renewed(instance, renewed: instance.up))
                == #"{"code":0,"message":"0","ttl":1,"data":\#(Self.instance)}"#)
        #expect(
            answerText(.conflict(instance, renewed: instance.up))
                == #"{"code":-409,"message":"-409","ttl":1,"data":\#(Self.instance)}"#)
        #expect(
            answerText(.outdated(instance, renewed: instance.up))
                == #"{"code":-404,"message":"-404","ttl":1,"data":\#(Self.instance)}"#)
    }

    @Test func `what is not found answers in four shapes`() throws {
        #expect(
            answerText(.unknownHost)
                == #"{"code":-404,"message":"-404","ttl":1,"data":\#(Self.blank)}"#)
        #expect(
            answerText(.unknownWithData) == #"{"code":-404,"message":"-404","ttl":1,"data":null}"#)
        #expect(answerText(.unknown) == #"{"code":-404,"message":"-404","ttl":1}"#)
        #expect(
            answerText(.pollUnknown(try appKey("dev", "zz")))
                == #"{"code":-404,"message":"zz not found"}"#)
    }

    @Test func `a fetch answers with zones and the timestamp`() throws {
        let row = try Sample().row()
        let fragment =
            #"{"instances":{"sh001":[\#(Self.instance)]},"latest_timestamp":\#(Self.stamp)}"#
        let head = #"{"code":0,"message":"0","ttl":1,"data":"#
        #expect(answerText(.fetched(try view(zones: [("sh001", [row])]))) == head + fragment + "}")
        #expect(answerText(.polled(try view(zones: [("sh001", [row])]))) == head + fragment + "}")
        #expect(
            answerText(.fetched(try view(zones: [("sh001", [])])))
                == head + #"{"instances":{"sh001":[]},"latest_timestamp":\#(Self.stamp)}}"#)
        #expect(
            answerText(.zoneUnknown(latest: 5))
                == #"{"code":-404,"message":"-404","ttl":1,"#
                + #""data":{"instances":{},"latest_timestamp":5}}"#)
    }

    @Test func `a fetchs answers with a map of applications, by name`() throws {
        let head = #"{"code":0,"message":"0","ttl":1,"data":"#
        #expect(answerText(.fetchedMany([])) == head + "{}}")
        let views = [try view("q2", latest: 2, zones: []), try view("q1", latest: 1, zones: [])]
        #expect(
            answerText(.fetchedMany(views)) == head
                + #"{"q1":{"instances":{},"latest_timestamp":1},"#
                + #""q2":{"instances":{},"latest_timestamp":2}}}"#)
    }

    @Test func `a polls answers in alphabetical order without ttl`() throws {
        let row = try Sample().row()
        let app =
            #""a.b":{"instances":{"sh001":[\#(Self.instance)]},"latest_timestamp":\#(Self.stamp)}"#
        #expect(
            answerText(.polledMany([try view(zones: [("sh001", [row])])], missing: []))
                == #"{"code":0,"data":{\#(app)},"error":{"-404":null},"message":"0"}"#)
        #expect(
            answerText(
                .polledMany(
                    [try view(zones: [("sh001", [row])])],
                    missing: [try appKey("dev", "nope"), try appKey("dev", "b")]))
                == #"{"code":0,"data":{\#(app)},"error":{"-404":["nope","b"]},"message":"0"}"#)
    }

    @Test func `a poll held to its end answers -304`() {
        #expect(answerText(.notModified) == #"{"code":-304,"message":"-304","ttl":1}"#)
    }

    @Test func `nodes answers address, status and zone`() {
        let node = NodeEntry(address: "127.0.0.1:7171", status: 0, zone: "sh001")
        let lost = NodeEntry(address: "b:1", status: 1, zone: "z<")
        let line = #"{"addr":"127.0.0.1:7171","status":0,"zone":"sh001"}"#
        let head = #"{"code":0,"message":"0","ttl":1,"data":["#
        #expect(answerText(.nodes([])) == head + "]}")
        #expect(answerText(.nodes([node])) == head + line + "]}")
        #expect(
            answerText(.nodes([node, lost])) == head + line
                + #",{"addr":"b:1","status":1,"zone":"z\u003c"}]}"#)
    }

    @Test func `a refusal carries its sentence`() {
        #expect(
            answerText(.refused(.invalid, "zone is required"))
                == #"{"code":-400,"message":"zone is required","ttl":1}"#)
        #expect(
            answerText(.refused(.protected, "-500")) == #"{"code":-500,"message":"-500","ttl":1}"#)
    }

    @Test func `the array shape is what brpc reads`() throws {
        let here = try Sample().row()
        let there = try Sample(zone: "sh002").row()
        let two = try view(zones: [("sh001", [here]), ("sh002", [there])])
        let other = Self.instance.replacingFirst("sh001", with: "sh002")
        #expect(
            answerText(.fetched(two), shape: .array)
                == #"{"code":0,"message":"0","ttl":1,"data":{"#
                + #""instances":[\#(Self.instance),\#(other)],"#
                + #""zone_instances":{"sh001":[\#(Self.instance)],"sh002":[\#(other)]},"#
                + #""latest_timestamp":\#(Self.stamp)}}"#)
        #expect(
            answerText(.fetchedMany([two]), shape: .array)
                .hasPrefix(#"{"code":0,"message":"0","ttl":1,"data":{"a.b":{"instances":[{"#))
    }

    @Test func `a view made for another env writes that env`() throws {
        let view = try view(zones: [("sh001", [try Sample().row()])], env: "prod")
        #expect(answerText(.fetched(view)).contains(#""env":"prod","appid":"a.b""#))
        #expect(!answerText(.fetched(view)).contains(#""env":"dev""#))
    }

    @Test func `what was encoded for a view is used again`() throws {
        let view = try view(zones: [("sh001", [try Sample().row()])])
        let first = view.encoding
        #expect(first === view.encoding)
        #expect(answerText(.fetched(view)) == answerText(.polled(view)))
        #expect(text(view.encoding.fragment(.byZone, view)).hasPrefix(#"{"instances":{"sh001":["#))
    }

    @Test func `the code of an answer is the code in its body`() throws {
        let instance = try Sample().instance()
        let view = try view(zones: [])
        let answers: [Answer] = [
            .done, .renewed(instance, renewed: 1), .conflict(instance, renewed: 1),
            .outdated(instance, renewed: 1), .unknownHost, .unknownWithData, .unknown,
            .pollUnknown(try appKey("dev", "zz")), .fetched(view), .zoneUnknown(latest: 1),
            .fetchedMany([view]), .fetchedAll(RegistryView(rows: [])), .polled(view),
            .balanced(view, zone: []), .polledMany([view], missing: []), .notModified, .nodes([]),
            .refused(.invalid, "a"),
            .refused(.protected, "a"), .refused(.overloaded, "a"),
        ]
        for answer in answers {
            #expect(answerText(answer).hasPrefix(#"{"code":\#(answer.code),"#))
        }
        #expect(answers.filter { !$0.sendsCode }.map(\.code) == [-400])
    }
}

extension String {
    func replacingFirst(_ part: String, with other: String) -> String {
        guard let range = firstRange(of: part) else { return self }
        return replacingCharacters(in: range, with: other)
    }

    private func firstRange(of part: String) -> Range<Index>? {
        indices.lazy.first { self[$0...].hasPrefix(part) }
            .map { $0..<index($0, offsetBy: part.count) }
    }

    private func replacingCharacters(in range: Range<Index>, with other: String) -> String {
        self[..<range.lowerBound] + other + self[range.upperBound...]
    }
}
