import Testing

@testable import DiscoveryClient

@Suite struct PickerTests {
    private func instance(
        _ host: String, zone: String = "z1", weight: String? = nil,
        addresses: [String]? = nil, metadata: [String: String] = [:]
    ) -> Instance {
        var metadata = metadata
        if let weight { metadata["weight"] = weight }
        return Instance(
            appID: "a", env: "dev", zone: zone, hostname: host, region: "", version: "",
            addresses: addresses ?? ["http://\(host):80"], metadata: metadata, status: .up,
            latestTimestamp: 1)
    }

    private func picker(
        _ instances: [Instance], schedule: [String: [String: Int64]] = [:],
        _ options: Picker.Options = Picker.Options()
    ) -> Picker {
        let picker = Picker(zone: "z1", options: options, startsAnywhere: false)
        picker.update(
            Snapshot(
                appID: "a", instances: instances, latestTimestamp: 1, schedule: schedule))
        return picker
    }

    private func picks(_ picker: Picker, _ count: Int) -> [String] {
        (0..<count).compactMap { _ in picker.pick()?.host }
    }

    @Test func `weights are spread evenly, not in runs`() {
        let picker = picker([
            instance("a", weight: "50"), instance("b", weight: "10"), instance("c"),
        ])
        #expect(picks(picker, 7) == ["a", "a", "b", "a", "c", "a", "a"])
    }

    @Test func `a schedule shares requests out between zones`() {
        let instances = [
            instance("a"), instance("b", zone: "z2"), instance("c", zone: "z2", weight: "20"),
        ]
        let scheduled = picks(
            picker(instances, schedule: ["z1": ["z1": 3, "z2": 1]]), 1_200)
        let counts = ["a", "b", "c"].map { host in scheduled.count { $0 == host } }
        #expect(counts == [900, 100, 200])
        #expect(Set(picks(picker(instances), 10)) == ["a"])
        #expect(Set(picks(picker(Array(instances.dropFirst())), 10)) == ["b", "c"])
    }

    @Test func `only addresses of the scheme asked for are picked`() {
        let instances = [
            instance("a", addresses: ["http://a:80", "grpc://a:90"]),
            instance("b", addresses: ["http://b:80"]), instance("c", addresses: ["grpc://c:90/x"]),
        ]
        let grpc = picker(instances, Picker.Options(scheme: "grpc"))
        #expect(grpc.endpoints.map(\.url) == ["grpc://a:90", "grpc://c:90"])
        #expect(picker(instances).endpoints.map(\.url).first == "http://a:80")
    }

    @Test func `instances of another colour are left out`() {
        var options = Picker.Options()
        options.require("color", "red")
        options.require("cluster", "x")
        let picker = picker(
            [
                instance("a", metadata: ["color": "red", "cluster": "x"]), instance("b"),
                instance("c", metadata: ["color": "red"]),
            ], options)
        #expect(Set(picks(picker, 5)) == ["a"])
    }

    @Test func `an address that failed is left out, unless it is the last one`() async {
        struct Down: Error {}
        var options = Picker.Options()
        options.exclusion = .seconds(3600)
        let picker = picker([instance("a"), instance("b")], options)
        await #expect(throws: Down.self) {
            try await picker.call { _ in throw Down() }
        }
        #expect(Set(picks(picker, 4)) == ["b"])
        for endpoint in picker.endpoints { picker.exclude(endpoint) }
        #expect(Set(picks(picker, 4)) == ["a", "b"])
    }

    @Test func `an exclusion ends, and giving up excludes nobody`() async {
        var options = Picker.Options()
        options.exclusion = .zero
        let picker = picker([instance("a"), instance("b")], options)
        picker.exclude(picker.endpoints[0])
        #expect(Set(picks(picker, 4)) == ["a", "b"])
        options.exclusion = .seconds(3600)
        let patient = self.picker([instance("a"), instance("b")], options)
        await #expect(throws: CancellationError.self) {
            try await patient.call { _ in throw CancellationError() }
        }
        #expect(Set(picks(patient, 4)) == ["a", "b"])
    }

    @Test func `of two the one with less to do for its weight is called`() async throws {
        var options = Picker.Options(strategy: .leastLoaded)
        options.exclusion = .zero
        let picker = picker([instance("a", weight: "30"), instance("b", weight: "10")], options)
        // Nested, so that all are under way at once.
        func nest(_ depth: Int, _ hosts: [String]) async throws -> [String] {
            if depth == 0 { return hosts }
            return try await picker.call { try await nest(depth - 1, hosts + [$0.host]) }
        }
        let hosts = try await nest(40, [])
        #expect(hosts.count { $0 == "a" } == 30)
    }

    @Test func `called one after the other they share the calls out by their weights`()
        async throws
    {
        let picker = picker(
            [instance("a", weight: "30"), instance("b", weight: "10")],
            Picker.Options(strategy: .leastLoaded))
        var count = 0
        for _ in 0..<4_000 where try await picker.call({ $0.host }) == "b" { count += 1 }
        // A quarter, and seven times its deviation.
        #expect((800...1_200).contains(count))
    }

    @Test func `nobody is picked where nobody is`() async {
        let empty = picker([])
        #expect(empty.pick() == nil)
        await #expect(throws: Picker.NoInstance.self) { try await empty.call { _ in } }
    }

    @Test func `whoever stays keeps his turn`() {
        let picker = picker([instance("a"), instance("b")])
        #expect(picks(picker, 1) == ["a"])
        picker.update(
            Snapshot(
                appID: "a", instances: [instance("a"), instance("b")], latestTimestamp: 2,
                schedule: [:]))
        #expect(picks(picker, 1) == ["b"])
    }

    private func snapshot(_ instances: [Instance], latest: Int64 = 2) -> Snapshot {
        Snapshot(appID: "a", instances: instances, latestTimestamp: latest, schedule: [:])
    }

    @Test func `a list that changes during a call neither keeps its load nor spares its failure`()
        async
    {
        struct Down: Error {}
        var options = Picker.Options(strategy: .leastLoaded)
        options.exclusion = .seconds(3600)
        let first = [instance("a", metadata: ["v": "1"])]
        let picker = picker(first, options)
        let second = [instance("a", metadata: ["v": "2"]), instance("b")]
        await #expect(throws: Down.self) {
            try await picker.call { _ in
                picker.update(snapshot(second))
                throw Down()
            }
        }
        #expect(Set(picks(picker, 4)) == ["b"])
        // Without the failure the load would have been one; both are equal now.
        let fair = self.picker(first, Picker.Options(strategy: .leastLoaded))
        for _ in 0..<50 {
            do {
                try await fair.call { _ in fair.update(snapshot(first)) }
            } catch { Issue.record(error) }
        }
        fair.update(snapshot(second))
        #expect(Set(picks(fair, 60)) == ["a", "b"])
    }

    @Test func `two instances at one address are one`() async {
        let twins = [
            instance("a", addresses: ["http://x:1"]), instance("b", addresses: ["http://x:1"]),
            instance("c", weight: "20"),
        ]
        let picker = picker(twins)
        #expect(picker.endpoints.map(\.url) == ["http://x:1", "http://c:80"])
        #expect(picks(picker, 4).count { $0 == "x" } == 2)
    }

    @Test func `an instance whose weight is raised gets its part soon`() {
        let others = (0..<10).map { instance("h\($0)", weight: "1000") }
        let picker = picker(others + [instance("new", weight: "1")])
        while picker.pick()?.host != "new" {}
        picker.update(snapshot(others + [instance("new", weight: "1000")]))
        #expect(picks(picker, 60).contains("new"))
    }

    @Test func `a zone without the scheme is not balanced to`() {
        let picker = picker(
            [
                instance("a", addresses: ["grpc://a:1"]),
                instance("b", zone: "z2", addresses: ["http://b:1"]),
            ], Picker.Options(scheme: "http"))
        #expect(picks(picker, 1) == ["b"])
    }

    @Test func `programs that start do not all begin with the same instance`() {
        let instances = (0..<8).map { instance("h\($0)") }
        let firsts = (0..<60).compactMap { _ in
            let picker = Picker(zone: "z1", options: Picker.Options())
            picker.update(snapshot(instances))
            return picker.pick()?.host
        }
        #expect(Set(firsts).count > 2)
    }

    @Test(arguments: [
        ("http://10.0.0.1:8080", "http://10.0.0.1:8080"),
        ("grpc://h:1/path?x=1", "grpc://h:1"), ("http://[::1]:80", "http://[::1]:80"),
        ("10.0.0.1:80", nil), ("http://10.0.0.1", nil), ("http://:80", nil), ("http://h:0", nil),
        ("http://h:65536", nil), ("http://h:x", nil), ("", nil), ("://h:1", nil),
    ])
    func `an endpoint is a scheme, a host and a port`(_ address: String, _ url: String?) {
        #expect(Endpoint(address, of: instance("a"))?.url == url)
    }
}
