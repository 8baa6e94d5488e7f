import DiscoveryCore
import Testing

@testable import Simulator

/// What went wrong in other registries, or here once: the same world as that of the seeds, with
/// faults from a script. The world's checkers judge; each case only looks at what it is about.
@Suite struct ScenarioTests {
    private typealias Step = (at: Int64, fault: Fault)

    private func at(_ second: Int64, _ fault: Fault) -> Step {
        (second * Duration.second, fault)
    }

    private func registerAll(_ count: Int) -> [Step] {
        (0..<count).map { at(3, .act(provider: $0, .register)) }
    }

    @discardableResult
    private func run(_ options: Options) -> World {
        let world = World(options, linesMax: 60)
        if let failure = world.run() {
            let lines = world.lines.joined(separator: "\n")
            Issue.record("\(failure.check): \(failure.what)\n\(lines)")
        }
        return world
    }

    private func holders(of provider: Int, _ world: World) -> [Int] {
        world.hosts.filter {
            $0.own != nil && world.instance(world.providers[provider].key, on: $0) != nil
        }.map(\.index)
    }

    @Test func `a registration is on every node of every zone`() {
        let world = run(.scripted(nodes: [3, 2], script: registerAll(4)))
        for provider in 0..<4 { #expect(holders(of: provider, world) == [0, 1, 2, 3, 4]) }
    }

    @Test func `a cancel during a zone partition is not undone when it heals`() {
        let script =
            registerAll(4) + [
                at(10, .cutZone(from: 0, to: 1, isCut: true)),
                at(10, .cutZone(from: 1, to: 0, isCut: true)),
                at(15, .act(provider: 0, .cancel)), at(15, .act(provider: 1, .cancel)),
            ]
        let world = run(.scripted(nodes: [2, 2], script: script))
        #expect(holders(of: 0, world).isEmpty)
        #expect(holders(of: 1, world).isEmpty)
        #expect(holders(of: 2, world).count == 4)
    }

    @Test func `a cancel is not undone by a node that can send and not receive`() {
        let script =
            registerAll(2) + [
                at(10, .cut(from: 0, to: 2, isCut: true)),
                at(10, .cut(from: 1, to: 2, isCut: true)),
                at(15, .act(provider: 0, .cancel)),
            ]
        let world = run(.scripted(nodes: [3], providers: 2, script: script))
        #expect(holders(of: 0, world).isEmpty)
        #expect(holders(of: 1, world) == [0, 1, 2])
    }

    @Test func `a node that starts with nothing learns all before it answers`() {
        let script = registerAll(4) + [at(10, .crash(0)), at(40, .start(0))]
        let world = run(.scripted(nodes: [3], script: script))
        for provider in 0..<4 { #expect(holders(of: provider, world) == [0, 1, 2]) }
    }

    @Test func `a node whose seeds are down at its start finds them later`() {
        let script =
            [at(1, .crash(1)), at(1, .crash(2)), at(2, .crash(0)), at(3, .start(0))]
            + (0..<4).map { at(6, .act(provider: $0, .register)) }
            + [at(20, .start(1)), at(40, .start(2))]
        let world = run(.scripted(nodes: [3], script: script))
        for provider in 0..<4 { #expect(holders(of: provider, world) == [0, 1, 2]) }
    }

    @Test func `a clock that is minutes ahead does not win for ever`() {
        let script =
            [at(2, .stepWall(0, by: 5 * Duration.minute))] + registerAll(4) + [
                at(20, .act(provider: 0, .move(to: 1))), at(21, .act(provider: 0, .change)),
                at(30, .act(provider: 0, .set)), at(40, .act(provider: 1, .cancel)),
            ]
        let world = run(.scripted(nodes: [3], script: script))
        #expect(holders(of: 0, world) == [0, 1, 2])
        #expect(holders(of: 1, world).isEmpty)
        let instance = world.instance(world.providers[0].key, on: world.hosts[2])
        #expect(instance?.status == .waiting)
    }

    @Test func `a clock that steps back loses nothing`() {
        let script =
            registerAll(4) + [
                at(10, .stepWall(0, by: -9 * Duration.minute)),
                at(20, .act(provider: 0, .change)), at(25, .act(provider: 1, .cancel)),
                at(30, .act(provider: 1, .register)),
            ]
        let world = run(.scripted(nodes: [3], script: script))
        for provider in 0..<4 { #expect(holders(of: provider, world) == [0, 1, 2]) }
    }

    @Test func `a peer that flaps misses nothing`() {
        var script = registerAll(4)
        for second in stride(from: Int64(5), to: 55, by: 2) {
            let isCut = second % 4 == 1
            script.append(at(second, .cut(from: 0, to: 1, isCut: isCut)))
            script.append(at(second, .cut(from: 1, to: 0, isCut: isCut)))
            script.append(
                at(second, .act(provider: Int(second / 2) % 4, isCut ? .change : .set)))
        }
        let world = run(.scripted(nodes: [3], script: script))
        for provider in 0..<4 { #expect(holders(of: provider, world) == [0, 1, 2]) }
    }

    @Test func `a peer that takes and never answers holds up nobody for long`() {
        let script =
            [at(2, .halfOpen(2, isHalfOpen: true))] + registerAll(4)
            + (10..<50).map { at($0, .act(provider: Int($0) % 4, .change)) }
        let world = run(.scripted(nodes: [3], script: script))
        for provider in 0..<4 { #expect(holders(of: provider, world) == [0, 1, 2]) }
    }

    @Test func `a node that was stopped for a minute evicts nobody who renewed elsewhere`() {
        let script =
            registerAll(4) + [
                at(10, .pause(0, isPaused: true)), at(100, .pause(0, isPaused: false)),
            ]
        let world = run(.scripted(nodes: [3], seconds: 110, script: script))
        for provider in 0..<4 { #expect(holders(of: provider, world) == [0, 1, 2]) }
    }

    @Test func `what waited for a contact that died goes to another one`() {
        let script =
            registerAll(4) + [
                at(20, .crash(2)), at(20, .act(provider: 0, .change)),
                at(20, .act(provider: 1, .cancel)), at(21, .crash(3)), at(22, .start(2)),
                at(40, .start(3)),
            ]
        let world = run(.scripted(nodes: [2, 3], script: script))
        #expect(holders(of: 0, world) == [0, 1, 2, 3, 4])
        #expect(holders(of: 1, world).isEmpty)
    }

    @Test func `a node that leaves says so and takes no write with it`() {
        let script =
            registerAll(4) + [
                at(20, .act(provider: 0, .change)), at(20, .act(provider: 1, .cancel)),
                (at: 20 * Duration.second + 3 * Duration.millisecond, fault: .stop(0)),
            ]
        let world = run(.scripted(nodes: [3], script: script))
        #expect(holders(of: 0, world) == [0, 1, 2])
        #expect(holders(of: 1, world).isEmpty)
    }

    @Test func `two nodes of ours agree with one of the reference's kind between them`() {
        let script =
            registerAll(4) + [
                at(20, .act(provider: 0, .change)), at(25, .act(provider: 1, .cancel)),
                at(30, .act(provider: 2, .set)),
            ]
        let world = run(.scripted(nodes: [3], goNodes: [1], script: script))
        #expect(holders(of: 0, world) == [0, 2])
        #expect(holders(of: 1, world).isEmpty)
    }

    @Test func `a zone behind a node of the reference's kind hears of everything`() {
        let script = registerAll(4) + [at(20, .act(provider: 0, .change))]
        let world = run(.scripted(nodes: [1, 2], goNodes: [1], script: script))
        for provider in 0..<4 { #expect(holders(of: provider, world) == [0, 2]) }
    }
}
