import DiscoveryCore
import Testing

@Suite struct PollTests {
    private func latest(_ test: TestNode, app: String = "a.b") -> Int64 {
        test.fetch(app: app, statuses: 3)?.view?.latest ?? 0
    }

    @Test func `a poll with news is answered at once, with data and timestamp of one moment`()
        throws
    {
        let test = TestNode()
        _ = test.register("h1")
        let id = test.poll([("a.b", 0)])
        let view = try #require(test.take(id)?.view)
        #expect(view.hosts == ["h1"] && view.latest == latest(test))
    }

    @Test func `a waiting poll is told of a change in the same step, exactly once`() throws {
        let test = TestNode()
        _ = test.register("h1")
        let id = test.poll([("a.b", latest(test))])
        #expect(test.take(id) == nil && test.node.waiterCount == 1)
        _ = test.register("h2")
        let view = try #require(test.take(id)?.view)
        #expect(view.hosts == ["h1", "h2"])
        #expect(test.node.waiterCount == 0)
        _ = test.register("h3")
        test.wait(Duration.minute)
        #expect(test.take(id) == nil)
    }

    @Test func `a poll without a change answers -304 after 30 s, or when the client asks`() {
        let test = TestNode()
        _ = test.register("h1")
        let long = test.poll([("a.b", latest(test))])
        let short = test.poll([("a.b", latest(test))], hold: 1480 * Duration.millisecond)
        test.wait(1470 * Duration.millisecond)
        #expect(test.take(short) == nil)
        test.wait(30 * Duration.millisecond)
        #expect(test.take(short)?.code == -304)
        test.wait(28 * Duration.second)
        #expect(test.take(long) == nil)
        test.wait(600 * Duration.millisecond)
        #expect(test.take(long)?.code == -304)
        #expect(test.node.statistics.wokenByTimeout == 2)
    }

    @Test func `pollers of one host name in other zones and with other lists never mix`() throws {
        let test = TestNode()
        for app in ["x", "y", "z"] { _ = test.register("h1", app: app) }
        let times = ["x", "y", "z"].map { latest(test, app: $0) }
        let first = test.poll([("x", times[0]), ("y", times[1])])
        let second = test.poll([("y", times[1]), ("z", times[2])])
        _ = test.register("h2", app: "z")
        #expect(test.take(first) == nil)
        guard case .polledMany(let views, let missing)? = test.take(second) else {
            Issue.record("the poller of z was not told")
            return
        }
        #expect(
            views.map { String(decoding: $0.app.packed[$0.app.appid.range], as: UTF8.self) } == [
                "z"
            ])
        #expect(missing.isEmpty)
        _ = test.register("h2", app: "y")
        #expect(test.take(first)?.view?.hosts == ["h1", "h2"])
    }

    @Test func `a poller of one zone is not woken by another, and sees only its own`() throws {
        let test = TestNode()
        _ = test.register("h1", zone: "sh001")
        _ = test.register("h2", zone: "sh002")
        let id = test.poll([("a.b", latest(test))], zone: "sh002")
        _ = test.register("h3", zone: "sh001")
        test.wait(Duration.second)
        #expect(test.take(id) == nil)
        _ = test.register("h4", zone: "sh002")
        let view = try #require(test.take(id)?.view)
        #expect(view.hosts == ["h2", "h4"] && view.zoneNames == ["sh002"])
        #expect(view.latest == latest(test))
    }

    @Test func `an arriving poll that would see no instance is held, and woken when one appears`() {
        let test = TestNode()
        _ = test.register("h1", status: .waiting)
        let id = test.poll([("a.b", 0)])
        #expect(test.take(id) == nil)
        _ = test.register("h2", status: .waiting)
        test.wait(Duration.second)
        #expect(test.take(id) == nil, "a change it cannot see woke it")
        _ = test.set([.init(key: key("h1"), status: .up)])
        #expect(test.take(id)?.view?.hosts == ["h1"])
    }

    @Test func `a waiting poll is told once when the last instance goes, then held`() throws {
        let test = TestNode()
        _ = test.register("h1")
        let id = test.poll([("a.b", latest(test))])
        _ = test.cancel("h1")
        let view = try #require(test.take(id)?.view)
        #expect(view.hosts.isEmpty && view.zoneNames == ["sh001"] && view.latest > 0)
        let next = test.poll([("a.b", view.latest)])
        let behind = test.poll([("a.b", 0)])
        test.wait(Duration.second)
        #expect(test.take(next) == nil && test.take(behind) == nil)
        _ = test.register("h1")
        #expect(test.take(next)?.view?.hosts == ["h1"])
        #expect(test.take(behind)?.view?.hosts == ["h1"])
    }

    @Test func `a missing application is waited for and named; poll alone answers at once`() throws
    {
        let test = TestNode()
        _ = test.register("h1")
        let held = test.poll([("nope", 0), ("a.b", latest(test))])
        #expect(test.take(held) == nil)
        let single = test.poll([("nope", 0)], isSingle: true)
        guard case .pollUnknown(let app)? = test.take(single) else {
            Issue.record("poll of a missing application was held")
            return
        }
        #expect(app == appKey("nope"))
        let partial = test.poll([("nope", 0), ("a.b", 0)])
        guard case .polledMany(let views, let missing)? = test.take(partial) else {
            Issue.record("a poll with news was held")
            return
        }
        #expect(views.count == 1 && missing == [appKey("nope")])
        _ = test.register("h1", app: "nope")
        #expect(test.take(held)?.view?.hosts == ["h1"])
    }

    @Test func `names that clients make up cost memory only while they wait`() {
        let test = TestNode()
        let ids = (0..<100).map { test.poll([("made.up.\($0)", 0)]) }
        #expect(test.node.applicationCount == 100)
        for id in ids[..<50] { test.hangUp(id) }
        #expect(test.node.applicationCount == 50)
        test.wait(31 * Duration.second)
        #expect(test.node.applicationCount == 0 && test.node.waiterCount == 0)
    }

    @Test func `a burst of changes is told in two answers, the first at once`() throws {
        let test = TestNode()
        _ = test.register("h0")
        test.wait(Duration.second)
        let first = test.poll([("a.b", latest(test))])
        _ = test.register("h1")
        let told = try #require(test.take(first)?.view)
        let second = test.poll([("a.b", told.latest)])
        for host in 2..<20 {
            _ = test.register("h\(host)")
            #expect(test.take(second) == nil)
        }
        test.wait(10 * Duration.millisecond)
        #expect(test.take(second)?.view?.hosts.count == 20)
    }

    @Test func `ten thousand waiters are told in slices, nobody twice and nobody left`() {
        let test = TestNode { $0.wakesPerStepMax = 512 }
        _ = test.register("h1")
        let latest = latest(test)
        let ids = (0..<2_000).map { _ in test.poll([("a.b", latest)]) }
        _ = test.register("h2")
        #expect(test.node.waiterCount == 2_000 - 512)
        #expect(test.node.nextDeadline == .min)
        #expect(test.renew("h1")?.code == 0, "renewals get in between")
        while test.node.nextDeadline == .min { test.tick() }
        #expect(test.node.waiterCount == 0)
        for id in ids { #expect(test.take(id)?.view?.hosts == ["h1", "h2"]) }
    }

    @Test func `waiters that leave in the middle of a sliced wake-up tear nothing`() {
        let test = TestNode { $0.wakesPerStepMax = 4 }
        _ = test.register("h1")
        let latest = latest(test)
        let ids = (0..<40).map { _ in test.poll([("a.b", latest)]) }
        _ = test.register("h2")
        for id in ids[4..<20] { test.hangUp(id) }
        _ = test.register("h3")
        test.wait(Duration.second)
        for id in ids[20...] { #expect(test.take(id)?.code == 0) }
        #expect(test.node.waiterCount == 0)
        #expect(test.node.statistics.wokenByHangUp + test.node.statistics.wokenByChange == 40)
    }

    @Test func `a client whose clock is ahead gets the content at its deadline`() throws {
        let test = TestNode()
        _ = test.register("h1")
        let ahead = test.poll([("a.b", latest(test) + Duration.hour)])
        test.wait(29 * Duration.second)
        #expect(test.take(ahead) == nil)
        test.wait(2 * Duration.second)
        #expect(test.take(ahead)?.view?.hosts == ["h1"])
        let again = test.poll([("a.b", latest(test) + Duration.hour)])
        _ = test.register("h2")
        #expect(test.take(again)?.view?.hosts == ["h1", "h2"], "it missed a change")
    }

    @Test func `a client whose timestamp is from elsewhere gets the content at its deadline`() {
        let test = TestNode {
            $0.cluster.digestRows = 1
            $0.cluster.digestLeavesPerRow = 1
        }
        _ = test.register("h1")
        let changed = latest(test)
        guard let content = test.fetch()?.view?.instances.first?.digest else { return }
        let aligned = AppStamp(
            app: appKey("a.b"), latest: changed + Duration.hour, content: content)
        _ = test.serve(
            .exchange(
                .entries(
                    Entries(instanceLeaves: [], appLeaves: [0], instances: [], apps: [aligned]))))
        let old = test.poll([("a.b", changed)])
        let present = test.poll([("a.b", aligned.latest)])
        let between = test.poll([("a.b", changed + Duration.minute)])
        test.wait(30 * Duration.second + 20 * Duration.millisecond)
        #expect(test.take(present)?.code == -304)
        for poll in [old, between] { #expect(test.take(poll)?.view?.hosts == ["h1"]) }
    }

    @Test func `a client that replaces all it knows gets every application`() throws {
        let test = TestNode()
        _ = test.register("h1", app: "x")
        _ = test.register("h1", app: "y")
        let (x, y) = (latest(test, app: "x"), latest(test, app: "y"))
        let id = test.poll([("x", x), ("y", y), ("gone", 0)], wantsAll: true)
        _ = test.register("h2", app: "y")
        guard case .polledMany(let views, let missing)? = test.take(id) else {
            Issue.record("not told")
            return
        }
        #expect(views.map(\.hosts) == [["h1"], ["h1", "h2"]])
        #expect(missing == [appKey("gone")])
    }

    @Test func `a poll of infra.discovery from zero is never held, in any env and zone`() throws {
        let test = TestNode()
        test.announce("127.0.0.1:7171")
        for env in ["dev", "prod"] {
            let id = test.poll([("infra.discovery", 0), ("svc", 0)], env: env, zone: "sh777")
            guard case .polledMany(let views, let missing)? = test.take(id) else {
                Issue.record("held in \(env)")
                continue
            }
            #expect(views.map(\.hosts) == [["localhost"]] && missing == [appKey("svc", env: env)])
            let latest = views[0].latest
            let next = test.poll([("infra.discovery", latest)], env: env)
            #expect(test.take(next) == nil)
            _ = test.register("peer-\(env)", app: "infra.discovery")
            #expect(test.take(next)?.view?.hosts.contains("peer-\(env)") == true)
            test.wait(Duration.second)
            _ = test.cancel("peer-\(env)", app: "infra.discovery")
        }
    }

    @Test func `protection at start refuses reads but not infra.discovery, writes or nodes`() {
        let test = TestNode { $0.startupProtection = Duration.minute }
        test.announce("127.0.0.1:7171")
        #expect(test.register("h1")?.code == 0)
        #expect(test.fetch()?.code == -500)
        #expect(test.take(test.poll([("a.b", 0)]))?.code == -500)
        #expect(test.fetch(app: "infra.discovery")?.code == 0)
        #expect(test.take(test.poll([("infra.discovery", 0)]))?.code == 0)
        #expect(test.take(test.send { id, _ in .askedForNodes(id) })?.code == 0)
        test.wait(Duration.minute)
        #expect(test.fetch()?.code == 0)
        let ended = test.notes.contains {
            if case .startupProtectionEnded = $0 { true } else { false }
        }
        #expect(ended)
    }

    @Test func `before it stops a node answers all polls, and holds none`() {
        let test = TestNode()
        _ = test.register("h1")
        let ids = (0..<10).map { _ in test.poll([("a.b", latest(test))]) }
        test.send { _, _ in .drained }
        for id in ids { #expect(test.take(id)?.code == -503) }
        #expect(test.take(test.poll([("a.b", 0)]))?.code == -503)
        #expect(test.fetch()?.code == 0 && test.renew("h1")?.code == 0)
    }

    @Test func `waiters are bounded; the one too many is told`() {
        let test = TestNode { $0.waitersMax = 3 }
        _ = test.register("h1")
        let ids = (0..<4).map { _ in test.poll([("a.b", latest(test))]) }
        #expect(test.take(ids[3])?.code == -503)
        #expect(test.node.waiterCount == 3)
    }

    @Test func `what polls wait for is bounded: names they make up, and all of it together`() {
        let names = TestNode { $0.appsMax = 10 }
        #expect(names.take(names.poll((0..<11).map { ("made.up.\($0)", 0) }))?.code == -503)
        #expect(names.take(names.poll((0..<10).map { ("made.up.\($0)", 0) })) == nil)
        #expect(names.take(names.poll([("made.up.10", 0)]))?.code == -503)
        #expect(names.take(names.poll([("made.up.9", 0)])) == nil)
        #expect(names.register("h1", app: "real")?.code == 0, "they are counted apart")
        let all = TestNode { $0.subscriptionsMax = 10 }
        #expect(all.take(all.poll((0..<6).map { ("a\($0)", 0) })) == nil)
        #expect(all.take(all.poll((0..<5).map { ("a\($0)", 0) }))?.code == -503)
        #expect(all.take(all.poll((0..<4).map { ("a\($0)", 0) })) == nil)
    }

    @Test func `an answer that would be too large is given in parts`() throws {
        let test = TestNode { $0.answerInstancesMax = 25 }
        for app in ["x", "y", "z"] {
            for host in 0..<10 { _ = test.register("h\(host)", app: app) }
        }
        let first = test.poll([("x", 0), ("y", 0), ("z", 0)])
        guard case .polledMany(let views, let missing)? = test.take(first) else {
            Issue.record("not answered")
            return
        }
        #expect(views.count == 2 && missing.isEmpty)
        let next = test.poll([("x", views[0].latest), ("y", views[1].latest), ("z", 0)])
        #expect(test.take(next)?.view?.hosts.count == 10)
        let all = test.send { id, batch in
            for app in ["x", "y", "z"] {
                let key = append(appKey(app).packed, to: &batch)
                batch.pollTargets.append(PollTarget(app: key, latest: 0))
            }
            return .fetchedMany(id, FetchMany(first: 0, count: 3, zone: .empty, statuses: 1))
        }
        guard case .refused(.invalid, let message)? = test.take(all) else {
            Issue.record("a fetchs of any size was put together")
            return
        }
        #expect(message.contains("fewer"))
    }

    @Test func `an application asked for twice in one poll is waited for once`() {
        let test = TestNode()
        let id = test.poll([("a.b", 0), ("a.b", 0)])
        _ = test.register("h1")
        guard case .polledMany(let views, _)? = test.take(id) else {
            Issue.record("not told")
            return
        }
        #expect(views.count == 1)
    }

    @Test func `a poll whose time ends with the last instance is told of the empty list`() {
        let test = TestNode()
        _ = test.register("h1")
        let id = test.poll([("a.b", latest(test))], hold: Duration.second)
        test.now.monotonic += 2 * Duration.second
        _ = test.cancel("h1")
        #expect(test.take(id)?.view?.hosts == [])
    }

    @Test func `polls whose time ends together are answered in slices`() {
        let test = TestNode { $0.wakesPerStepMax = 10 }
        for _ in 0..<25 { _ = test.poll([("a.b", 0)]) }
        test.now.monotonic += 31 * Duration.second
        test.tick()
        #expect(test.node.waiterCount == 15)
        test.wait(0)
        #expect(test.node.waiterCount == 0)
    }

    @Test func `the view of fetch/all goes when nobody asks for it any more`() {
        let test = TestNode()
        _ = test.register("h1")
        _ = test.fetch()
        func view() -> RegistryView? {
            guard case .fetchedAll(let view)? = test.take(test.send { id, _ in .fetchedAll(id) })
            else { return nil }
            return view
        }
        weak let kept = view()
        #expect(kept != nil)
        test.wait(3 * Duration.second)
        #expect(kept == nil)
    }
}
