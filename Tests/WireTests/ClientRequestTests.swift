import Testing

@testable import DiscoveryCore
@testable import DiscoveryWire

/// The requests that the clients in the field send, one row per way of sending.
@Suite struct ClientRequestTests {
    struct Register: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var query = ""
        var body = ""
        var type: String? = "application/x-www-form-urlencoded"
        var addrs = ["http://a:1", "grpc://b:2"]
        var version = "1"
        var metadata = ["weight=10"]
        var origin = Origin.client
        var dirty: Int64 = 0
    }

    static let registers = [
        Register(
            testDescription: "naming v1.0, v1.1.1, kratos v0.1 to v0.2.2: addrs joined",
            body: "addrs=http%3A%2F%2Fa%3A1%2Cgrpc%3A%2F%2Fb%3A2&appid=a.b&env=dev&hostname=h1"
                + "&metadata=%7B%22weight%22%3A%2210%22%7D&region=sh&status=1&version=1"
                + "&zone=sh001"),
        Register(
            testDescription: "naming v1.1.2, kratos v0.2.3 to v0.6: addrs repeated",
            body: "addrs=http%3A%2F%2Fa%3A1&addrs=grpc%3A%2F%2Fb%3A2&appid=a.b&env=dev&hostname=h1"
                + "&metadata=%7B%22weight%22%3A%2210%22%7D&region=sh&status=1&version=1"
                + "&zone=sh001"),
        Register(
            testDescription: "naming without metadata",
            body: "addrs=http%3A%2F%2Fa%3A1&addrs=grpc%3A%2F%2Fb%3A2&appid=a.b&env=dev&hostname=h1"
                + "&metadata=&region=sh&status=1&version=1&zone=sh001", metadata: []),
        Register(
            testDescription: "kratos v2 and v3: everything in the query, no body, no type",
            query: "addrs=http%3A%2F%2Fa%3A1&addrs=grpc%3A%2F%2Fb%3A2&appid=a.b&env=dev&hostname=h1"
                + "&metadata=%7B%22weight%22%3A%2210%22%7D&region=sh&status=1&version=1&zone=sh001",
            type: nil),
        Register(
            testDescription: "brpc 0.9: addrs joined, nothing escaped",
            body: "appid=a.b&hostname=h1&addrs=http://a:1,grpc://b:2&env=dev&zone=sh001&region=sh"
                + #"&status=1&version=1&metadata={"weight":"10"}"#),
        Register(
            testDescription: "brpc 1.0: addrs repeated, nothing escaped",
            body: "appid=a.b&hostname=h1&addrs=http://a:1&addrs=grpc://b:2&env=dev&zone=sh001"
                + #"&region=sh&status=1&version=1&metadata={"weight":"10"}"#),
        Register(
            testDescription: "Python SDK 0.5: no version, empty metadata object",
            body: "addrs=http%3A%2F%2Fa%3A1%2Cgrpc%3A%2F%2Fb%3A2&appid=a.b&env=dev&hostname=h1"
                + "&metadata=%7B%7D&region=sh&status=1&zone=sh001", version: "", metadata: []),
        Register(
            testDescription: "a node of the reference: addrs joined, metadata null, versions",
            body: "addrs=http%3A%2F%2Fa%3A1%2Cgrpc%3A%2F%2Fb%3A2&appid=a.b&dirty_timestamp=17"
                + "&env=dev&from_zone=true&hostname=h1&latest_timestamp=18&metadata=null"
                + "&reg_timestamp=19&region=sh&replication=true&status=1&version=1&zone=sh001",
            metadata: [], origin: .peer, dirty: 17),
        Register(
            testDescription: "a node of another zone",
            body: "addrs=http%3A%2F%2Fa%3A1%2Cgrpc%3A%2F%2Fb%3A2&appid=a.b&dirty_timestamp=17"
                + "&env=dev&from_zone=true&hostname=h1&metadata=null"
                + "&region=sh&replication=false&status=1&version=1&zone=sh001",
            metadata: [], origin: .zone, dirty: 17),
        Register(
            testDescription: "JSON, names in any case, metadata as text",
            body: #"{"Zone":"sh001","env":"dev","APPID":"a.b","hostname":"h1","region":"sh","#
                + #""status":1,"addrs":["http://a:1","grpc://b:2"],"version":"1","#
                + #""metadata":"{\"weight\":\"10\"}"}"#,
            type: "application/json; charset=utf-8"),
        Register(
            testDescription: "JSON, metadata as an object, addrs joined",
            body: #"{"zone":"sh001","env":"dev","appid":"a.b","hostname":"h1","region":"sh","#
                + #""status":"1","addrs":"http://a:1,grpc://b:2","version":1,"#
                + #""metadata":{"weight":10}}"#,
            type: "Application/JSON"),
        Register(
            testDescription: "curl -d with a type of its own, region in the query",
            query: "region=sh",
            body: "addrs=http://a:1&addrs=grpc://b:2&addrs=&appid=a.b&env=dev&hostname=h1&status=1"
                + "&version=1&zone=sh001&metadata={\"weight\":\"10\"}",
            type: "text/plain"),
    ]

    @Test(arguments: registers)
    func `every client registers the same instance`(_ sent: Register) throws {
        let request = Request(.register, query: sent.query, body: sent.body, type: sent.type)
        let registration = try #require(try read(request).registration)
        #expect(packedFields(registration.key.packed) == "dev a.b sh001 h1")
        let parts = registration.content.unpacked
        #expect(text(parts.region) == "sh")
        #expect(text(parts.version) == sent.version)
        #expect(parts.addrs.map { text($0) } == sent.addrs)
        #expect(parts.metadata.map { text($0.key) + "=" + text($0.value) } == sent.metadata)
        #expect(registration.status == .up)
        #expect(registration.origin == sent.origin)
        #expect(registration.dirty == sent.dirty)
    }

    @Test(arguments: [
        Request.plain(.renew, "appid=a.b&env=dev&hostname=h1&region=sh&zone=sh001"),
        Request(.renew, query: "appid=a.b&env=dev&hostname=h1&region=sh&zone=sh001"),
        Request(.renew, body: "appid=a.b&hostname=h1&env=dev&region=sh&zone=sh001"),
        Request(.renew, query: "zone=sh001&env=dev", body: "hostname=h1&appid=a.b&env="),
    ])
    func `every client renews the same key`(_ request: Request) throws {
        let reading = try read(request)
        let renewal = try #require(reading.renewal)
        #expect(reading.fields(renewal.key) == "dev a.b sh001 h1")
        #expect(renewal.origin == .client && renewal.dirty == 0)
        #expect(reading.outcome == ReadOutcome(shape: .byZone))
    }

    @Test func `a node of the reference renews and cancels with flags and versions`() throws {
        let form = "appid=a.b&dirty_timestamp=17&env=dev&from_zone=true&hostname=h1&region=sh"
        let renewal = try #require(
            try read(.plain(.renew, form + "&replication=true&zone=z")).renewal)
        #expect(renewal.origin == .peer && renewal.dirty == 17)
        let cancel = "appid=a.b&env=dev&from_zone=true&hostname=h2&latest_timestamp=0&region=sh"
        let cancellation = try #require(
            try read(.plain(.cancel, cancel + "&replication=false&zone=z")).cancellation)
        #expect(cancellation.origin == .zone && cancellation.dirty == 0)
        let ours = try #require(
            try read(.plain(.cancel, cancel + "&dirty_timestamp=9&zone=z")).cancellation)
        #expect(ours.dirty == 9)
    }

    struct Polls: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var query: String
        var targets: [String]
        var zone = ""
        var wantsAll = false
    }

    static let polls = [
        Polls(
            testDescription: "naming v1.0, v1.1.2 and kratos: repeated",
            query: "appid=a&appid=b&env=dev&hostname=h1&latest_timestamp=1&latest_timestamp=2",
            targets: ["dev a@1", "dev b@2"]),
        Polls(
            testDescription: "naming v1.1.0, v1.1.1: joined by commas",
            query: "appid=a%2Cb&env=dev&hostname=h1&latest_timestamp=1%2C2",
            targets: ["dev a@1", "dev b@2"], wantsAll: true),
        Polls(
            testDescription: "Python SDK 0.5: joined by commas, own zone",
            query: "appid=a%2Cb&env=dev&hostname=h1&latest_timestamp=0%2C0&region=sh&zone=sh001",
            targets: ["dev a@0", "dev b@0"], zone: "sh001", wantsAll: true),
        Polls(
            testDescription: "one application",
            query: "appid=a&env=dev&hostname=h1&latest_timestamp=1700000000123456789",
            targets: ["dev a@1700000000123456789"]),
        Polls(
            testDescription: "no hostname, one application twice, empty items",
            query: "appid=a&appid=,b,&appid=a&env=dev&latest_timestamp=1,2&latest_timestamp=3",
            targets: ["dev a@1", "dev b@2"]),
    ]

    @Test(arguments: polls)
    func `every client polls the same applications`(_ sent: Polls) throws {
        let reading = try read(Request(.polls, query: sent.query))
        let poll = try #require(reading.poll)
        #expect(reading.targets(poll.first, poll.count) == sent.targets)
        #expect(text(reading.batch.bytes[poll.zone.range]) == sent.zone)
        #expect(poll.wantsAll == sent.wantsAll)
        #expect(!poll.isSingle)
    }

    @Test func `brpc fetches with flags pasted into the query`() throws {
        let plain = try read(Request(.fetchs, query: "appid=a.b&env=prod&status=1&zone=sh001"))
        let fetch = try #require(plain.fetchMany)
        #expect(plain.targets(fetch.first, fetch.count) == ["prod a.b@0"])
        #expect(text(plain.batch.bytes[fetch.zone.range]) == "sh001")
        #expect(fetch.statuses == 1)
        #expect(plain.outcome.shape == .byZone)
        let array = try read(Request(.fetchs, query: "appid=a.b&env=prod&status=1&format=array"))
        #expect(array.outcome.shape == .array)
    }

    @Test func `the Python SDK fetches with a hostname and a region`() throws {
        let query = "appid=a&env=dev&hostname=h&region=sh&status=1&zone=sh001"
        let reading = try read(Request(.fetch, query: query))
        let fetch = try #require(reading.fetch)
        #expect(reading.fields(fetch.app) == "dev a")
        #expect(text(reading.batch.bytes[fetch.zone.range]) == "sh001")
        #expect(reading.outcome.shape == .byZone)
    }

    @Test func `SDKs set one host, nodes of the reference set several`() throws {
        let one = try #require(
            try read(
                .plain(.set, "appid=a&env=dev&hostname=h1&region=sh&status=1&version=1&zone=z")
            ).setting)
        #expect(one.changes.map { packedFields($0.key.packed) } == ["dev a z h1"])
        #expect(one.changes.map(\.status) == [.up])
        #expect(one.origin == .client && one.dirty == 0)
        let form =
            "appid=a&env=dev&from_zone=true&hostname=h1&hostname=h2&region=sh"
            + "&replication=true&set_timestamp=17&status=1&status=2&zone=z"
        let two = try #require(try read(.plain(.set, form)).setting)
        #expect(two.changes.map { packedFields($0.key.packed) } == ["dev a z h1", "dev a z h2"])
        #expect(two.changes.map(\.status) == [.up, .waiting])
        #expect(two.origin == .peer && two.dirty == 17)
    }
}

extension Request: CustomTestStringConvertible {
    var testDescription: String { "\(route) ?\(text(query)) \(text(body))" }
}
