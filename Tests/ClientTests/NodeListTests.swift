import Testing

@testable import DiscoveryClient

/// Which node is asked, and which one then.
@Suite struct NodeListTests {
    private let home: Set = ["h1:1", "h2:1"]
    private let away: Set = ["a1:1", "a2:1", "a3:1"]

    private func makeList() -> NodeList {
        var list = NodeList(seeds: ["a1:1", "s:1"], random: SystemRandomNumberGenerator())
        list.learn([Array(home), Array(away)])
        return list
    }

    @Test func `those of the own zone come first, those of others then, the configured ones last`()
    {
        let list = makeList()
        #expect(Set(list.all.prefix(2)) == home)
        #expect(Set(list.all.dropFirst(2).prefix(3)) == away)
        #expect(list.all.last == "s:1" && list.isHome)
    }

    @Test func `a switch stays in the own zone`() throws {
        var list = makeList()
        for _ in 0..<20 {
            let before = try #require(list.current)
            list.switchOver()
            #expect(home.subtracting([before]).contains(try #require(list.current)))
        }
    }

    @Test func `where all of the own zone failed others are tried, and a switch leads home`() throws
    {
        var list = makeList()
        for _ in 0..<2 { list.moveOn(from: try #require(list.current)) }
        #expect(away.contains(try #require(list.current)) && !list.isHome)
        list.switchOver()
        #expect(list.isHome)
    }

    @Test func `no node is lost by failures, whoever else comes and goes`() throws {
        var list = makeList()
        var tried: Set<String> = []
        for _ in 0..<6 {
            tried.insert(try #require(list.current))
            list.moveOn(from: try #require(list.current))
        }
        #expect(tried == home.union(away).union(["s:1"]))
        list.learn([[], ["x:1"]])
        #expect(Set(list.all) == ["x:1", "a1:1", "s:1"])
        list.learn([[], []])
        #expect(Set(list.all) == ["x:1", "a1:1", "s:1"])
    }

    @Test func `who failed at the same time as others pushes no second one away`() throws {
        var list = makeList()
        let first = try #require(list.current)
        list.moveOn(from: first)
        let second = list.current
        list.moveOn(from: first)
        #expect(list.current == second)
    }

    @Test func `the present node stays while it is near, and is left when nearer ones are named`()
        throws
    {
        var list = makeList()
        let present = try #require(list.current)
        list.learn([Array(home) + ["h3:1"], Array(away)])
        #expect(list.current == present)
        list.learn([["h9:1"], Array(home)])
        #expect(list.current == "h9:1")
    }

    @Test func `a registry of ten thousand nodes is believed in part`() {
        var list = NodeList(seeds: ["s:1"], random: SystemRandomNumberGenerator())
        list.learn([(0..<10_000).map { "n\($0):1" }])
        #expect(list.all.count == NodeList.groupMax + 1 && list.all.last == "s:1")
    }

    @Test func `pauses double up to a limit, and are half random`() {
        var backoff = Backoff()
        var random = SystemRandomNumberGenerator()
        for step in [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000] {
            let pause = backoff.pause(using: &random)
            #expect(pause >= .milliseconds(step / 2) && pause <= .milliseconds(step))
        }
        backoff.reset()
        #expect(backoff.pause(using: &random) <= .milliseconds(100))
    }
}
