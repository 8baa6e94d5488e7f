import DiscoveryCore
import Testing

/// The pure function: own weights and shares in, final weights out.
@Suite struct BalancingTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        /// A zone's share and its instances' own weights.
        let zones: [(share: Int64, weights: [Int64])]
        let finals: [[Int64]]

        init(_ name: String, _ zones: [(Int64, [Int64])], _ finals: [[Int64]]) {
            testDescription = name
            self.zones = zones.map { (share: $0.0, weights: $0.1) }
            self.finals = finals
        }
    }

    private static let cases = [
        Case("sh001 sends 3/4 home, 1/4 to sh002", [(3, [10]), (1, [10])], [[3], [1]]),
        Case("bj002 sends 1/4 to bj001, 3/4 home", [(1, [10]), (3, [10])], [[1], [3]]),
        Case(
            "the same, with two and three instances", [(3, [10, 10]), (1, [10, 10, 10])],
            [[9, 9], [2, 2, 2]]),
        Case("own weights within a zone", [(3, [20, 10]), (1, [10])], [[2, 1], [1]]),
        Case(
            "uneven zones: one here, four there", [(1, [10]), (1, [1, 2, 3, 4])],
            [[10], [1, 2, 3, 4]]),
        Case("a zone without instances has no part", [(3, []), (1, [10, 30])], [[], [1, 3]]),
        Case("a share of 0 is no traffic", [(0, [10, 10]), (2, [10])], [[0, 0], [1]]),
        Case(
            "what has no share does not count, however large",
            [(1, [1, 2]), (0, [.max, .max - 1])],
            [[1, 2], [0, 0]]),
        Case("no share at all", [(0, [10]), (0, [10])], [[0], [0]]),
        Case("no zones", [], []),
        Case("one instance", [(7, [123])], [[1]]),
        Case("weights of one divisor are reduced", [(1, [100, 300])], [[1, 3]]),
        Case(
            "large numbers for small parts",
            [(6, [1_000_003]), (2, [1_000_033]), (2, [1_000_037]), (2, [1_000_039])],
            [[3], [1], [1], [1]]),
        Case("the largest ones for halves", [(.max, [.max, .max])], [[1, 1]]),
        Case(
            "a zone without instances does not spoil the divisor", [(3, [1]), (7, []), (6, [1])],
            [[1], [], [2]]),
    ]

    @Test(arguments: cases)
    func `final weights share the requests out as the schedule says`(_ example: Case) {
        let zones = example.zones.map { Balancing.Zone(share: $0.share, weights: $0.weights) }
        #expect(Balancing.weights(of: zones) == example.finals)
    }

    /// The largest difference between what an instance gets and what it is to get, of that.
    private func error(_ zones: [Balancing.Zone]) -> Double {
        let finals = Balancing.weights(of: zones)
        let total = finals.reduce(0.0) { $0 + $1.reduce(0.0) { $0 + Double($1) } }
        let shares = zones.reduce(0.0) { $0 + ($1.weights.isEmpty ? 0 : Double($1.share)) }
        var largest = 0.0
        for (zone, finals) in zip(zones, finals) {
            let sum = zone.weights.reduce(0.0) { $0 + Double($1) }
            for (weight, final) in zip(zone.weights, finals) where zone.share > 0 {
                let wanted = Double(zone.share) / shares * (Double(weight) / sum)
                largest = max(largest, abs(Double(final) / total - wanted) / wanted)
            }
        }
        return largest
    }

    @Test func `twenty zones of big weights neither overflow nor lose their shares`() {
        // In sum they have no common factors: their product has some 150 digits.
        let zones = (0..<20).map { (zone: Int64) -> Balancing.Zone in
            let heaviest: Int64 = 1_000_003 + 7 * zone * zone
            return Balancing.Zone(
                share: 1 + zone, weights: (0..<50).map { (place: Int64) in heaviest - place })
        }
        let finals = Balancing.weights(of: zones)
        #expect(finals.allSatisfy { $0.allSatisfy { $0 > 0 && $0 <= Balancing.weightMax } })
        #expect(finals.joined().max() == Balancing.weightMax)
        #expect(error(zones) < 1e-6)
    }

    @Test func `the largest weights there are trap nowhere`() {
        let zones = [
            Balancing.Zone(share: .max, weights: [.max, .max, 1]),
            Balancing.Zone(share: 1, weights: [.max]), Balancing.Zone(share: .max, weights: [1]),
        ]
        let finals = Balancing.weights(of: zones)
        #expect(finals[2] == [Balancing.weightMax])
        // Half of that each, and what is too small to be said gets 1.
        #expect(finals[0] == [1 << 30 - 1, 1 << 30 - 1, 1] && finals[1] == [1])
    }

    @Test func `weights that do not fit are rounded to the nearest`() {
        // Sums without a common factor: exactly, it would take numbers of 50 bits.
        let zones = [
            Balancing.Zone(share: 1, weights: [1, 100_002]),
            Balancing.Zone(share: 1, weights: [2, 100_017]),
            Balancing.Zone(share: 2, weights: [100_043]),
        ]
        // The third has half of all; the first 1/100003 of a quarter.
        let largest = Double(Balancing.weightMax)
        let wanted = [
            [largest / 2 / 100_003, largest / 2 / 100_003 * 100_002],
            [largest / 2 / 100_019 * 2, largest / 2 / 100_019 * 100_017], [largest],
        ]
        #expect(
            Balancing.weights(of: zones) == wanted.map { $0.map { Int64($0.rounded()) } })
        #expect(Balancing.weights(of: zones)[2] == [Balancing.weightMax])
    }

    @Test func `random zones get their shares`() {
        let seed = Seed("BALANCING_SEED")
        var random = seed.generator
        for _ in 0..<2_000 {
            let zones = (0..<Int.random(in: 1...5, using: &random)).map { _ in
                Balancing.Zone(
                    share: Int64.random(in: 0...9, using: &random),
                    weights: (0..<Int.random(in: 0...6, using: &random)).map { _ in
                        Int64.random(in: 1...30, using: &random)
                    })
            }
            // Half of 1 in the smallest weight, where they had to be rounded.
            #expect(error(zones) < 1e-6, "\(zones), \(seed)")
        }
    }
}

/// What a caller gets of an application.
@Suite struct BalanceTests {
    private func rule(_ caller: String, _ shares: [(String, Int64)]) -> ZoneSchedule.Rule {
        ZoneSchedule.Rule(
            caller: Array(caller.utf8),
            shares: shares.map { ZoneSchedule.Share(zone: Array($0.0.utf8), weight: $0.1) })
    }

    /// An application in two zones, and a schedule with a rule for callers in sh001.
    private func makeNode(_ shares: [(String, Int64)]? = [("sh001", 3), ("sh002", 1)]) -> TestNode {
        let test = TestNode()
        _ = test.register("h1", zone: "sh001")
        _ = test.register("h2", zone: "sh002", metadata: [("weight", "20")])
        _ = test.register("h3", zone: "sh002")
        if let shares { test.schedule("a.b", [rule("sh001", shares)]) }
        return test
    }

    private func balance(_ test: TestNode, _ zone: String) -> [String] {
        guard case .balanced(let view, let zone)? = test.balance(zone: zone) else { return [] }
        let balanced = view.balanced(for: zone)
        return ["\(balanced.basis)"]
            + balanced.rows.map { "\($0.instance.host) \($0.weight)" }
    }

    @Test func `a caller whose zone has a rule shares its requests out by it`() {
        #expect(balance(makeNode(), "sh001") == ["schedule", "h1 9", "h2 2", "h3 1"])
    }

    @Test func `a caller without a rule stays in its zone, with the instances' own weights`() {
        #expect(balance(makeNode(), "sh002") == ["ownZone", "h2 20", "h3 10"])
        #expect(balance(makeNode(nil), "sh001") == ["ownZone", "h1 10"])
    }

    @Test func `a caller whose zone has no instances is cut off from none of the others`() {
        let all = ["allZones", "h1 10", "h2 20", "h3 10"]
        #expect(balance(makeNode(), "bj001") == all)
        let test = makeNode([("bj001", 1)])
        #expect(balance(test, "sh001") == ["ownZone", "h1 10"])
        _ = test.cancel("h1")
        #expect(balance(test, "sh001") == ["allZones", "h2 20", "h3 10"])
    }

    @Test func `a share of 0 takes a zone out of service`() {
        #expect(
            balance(makeNode([("sh001", 0), ("sh002", 1)]), "sh001")
                == ["schedule", "h2 2", "h3 1"])
    }

    @Test(arguments: [
        ("7", 7), ("+7", 7), ("0", 10), ("-5", 10), ("", 10), ("1.5", 10), ("x", 10), ("+", 10),
        (" 7", 10), ("9223372036854775808", 10), ("9223372036854775807", 1),
    ])
    func `a weight that is none counts as 10`(_ text: String, _ weight: Int64) {
        let test = TestNode()
        _ = test.register("h1", metadata: [("a", "3"), ("weight", text)])
        #expect(balance(test, "sh001") == ["ownZone", "h1 \(weight)"])
    }

    @Test func `only instances that take traffic are used`() {
        let test = makeNode()
        _ = test.register("h4", zone: "sh001", status: .waiting)
        #expect(balance(test, "sh001") == ["schedule", "h1 9", "h2 2", "h3 1"])
        #expect(test.balance(app: "none", zone: "sh001")?.code == -404)
    }

    @Test func `the nodes can be balanced over too, from any env`() {
        let test = TestNode()
        test.announce("127.0.0.1:7171")
        guard
            case .balanced(let view, _)? = test.balance(
                app: "infra.discovery", env: "prod", zone: "sh001")
        else {
            Issue.record("no answer")
            return
        }
        #expect(view.hosts == ["localhost"] && view.env == Array("prod".utf8))
    }

    @Test func `the same view answers until something changes`() throws {
        let test = makeNode()
        let first = try #require(test.balance(zone: "sh001")?.view)
        test.wait(10 * Duration.second)
        _ = test.renew("h1")
        #expect(test.balance(zone: "sh001")?.view === first)
        _ = test.register("h5")
        #expect(test.balance(zone: "sh001")?.view !== first)
    }

    // MARK: Schedules that change

    @Test func `a new schedule wakes who waits for the application, in every zone, and no other`()
        throws
    {
        let test = makeNode(nil)
        _ = test.register("h1", app: "c.d")
        let latest = try #require(test.fetch()?.view?.latest)
        let other = try #require(test.fetch(app: "c.d")?.view?.latest)
        let waiters = ["", "sh001", "sh002"].map { test.poll([("a.b", latest)], zone: $0) }
        let elsewhere = test.poll([("c.d", other)])
        test.schedule("a.b", [rule("sh001", [("sh002", 1)])])
        for waiter in waiters {
            let view = try #require(test.take(waiter)?.view)
            #expect(view.latest > latest && view.schedule?.rules.count == 1)
        }
        #expect(test.take(elsewhere) == nil)
    }

    @Test func `a schedule that says the same changes nothing`() throws {
        let test = makeNode()
        let latest = try #require(test.fetch()?.view?.latest)
        test.schedule("a.b", [rule("sh001", [("sh002", 1), ("sh001", 3)])])
        #expect(test.fetch()?.view?.latest == latest)
    }

    @Test func `a schedule that goes is news, and gone`() throws {
        let test = makeNode()
        let latest = try #require(test.fetch()?.view?.latest)
        let waiter = test.poll([("a.b", latest)])
        test.schedule("a.b", nil)
        let told = try #require(test.take(waiter)?.view)
        #expect(told.latest > latest && told.schedule == nil)
        let view = try #require(test.fetch()?.view)
        #expect(view.latest > latest && view.schedule == nil)
        #expect(balance(test, "sh001") == ["ownZone", "h1 10"])
    }

    @Test func `a node that is protected tells nobody whom to use`() {
        let test = TestNode { $0.startupProtection = Duration.minute }
        _ = test.register("h1")
        #expect(test.balance(zone: "sh001")?.code == -500)
        test.wait(Duration.minute)
        #expect(balance(test, "sh001") == ["ownZone", "h1 10"])
    }

    @Test func `a schedule waits for its application, and outlives it`() throws {
        let test = TestNode()
        test.schedule("a.b", [rule("sh001", [("sh001", 1)])])
        #expect(test.fetch()?.code == -404 && test.node.applicationCount == 0)
        for _ in 0..<2 {
            _ = test.register("h1")
            #expect(test.fetch()?.view?.schedule?.rules.count == 1)
            _ = test.cancel("h1")
            #expect(test.node.applicationCount == 0)
        }
        let waiter = test.poll([("a.b", 0)])
        test.schedule("a.b", [rule("sh001", [("sh002", 1)])])
        #expect(test.take(waiter) == nil)
        _ = test.register("h1")
        #expect(test.take(waiter)?.view?.schedule?.rules.count == 1)
    }

    @Test func `nodes with other schedules do not take over each other's timestamps`() throws {
        let cluster = TestCluster()
        let nodes = ["d1", "d2"].map { cluster.start($0, seeds: ["d1", "d2"]) }
        _ = nodes[0].register("h1")
        cluster.wait(30 * Duration.second)
        let latest = nodes.map { $0.fetch()?.view?.latest }
        #expect(latest[0] == latest[1])
        nodes[0].schedule("a.b", [rule("sh001", [("sh001", 1)])])
        cluster.wait(30 * Duration.second)
        #expect(nodes[1].fetch()?.view?.latest == latest[1])
        nodes[1].schedule("a.b", [rule("sh001", [("sh001", 1)])])
        cluster.wait(30 * Duration.second)
        let after = nodes.map { $0.fetch()?.view?.latest }
        #expect(after[0] == after[1] && after[0] != latest[0])
    }
}
