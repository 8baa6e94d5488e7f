import DiscoveryCore

/// Runs worlds, and tells what there is to tell about those that fail.
package enum Runner {
    package struct Result: Sendable {
        package let options: Options
        package let failure: World.Failure?
        package let digest: UInt64
        package let eventCount: Int
    }

    package static func run(_ options: Options) -> Result { run(options, watchedBy: { [] }) }

    /// `others`: checkers besides those of every world, made anew for each.
    static func run(_ options: Options, watchedBy others: () -> [any Checker]) -> Result {
        let world = World(options, watchedBy: others())
        let failure = world.run()
        return Result(
            options: options, failure: failure, digest: world.digest,
            eventCount: world.eventCount)
    }

    /// Runs the world again, this time with everything written down.
    package static func report(_ result: Result, lines: Int = 60) -> String {
        guard let failure = result.failure else { return "" }
        let world = World(result.options, linesMax: lines)
        let again = world.run()
        let isSame = again?.what == failure.what && world.digest == result.digest
        return """
            FAILED \(result.options.description)
            \(Trace.legend)
            \(world.lines.joined(separator: "\n"))
            \(failure.check), \(Trace.text(failure.time)) s after the start: \(failure.what)
            \(isSame ? "" : "The second run was another one: something is not deterministic.\n")\
            repeat it with: \(result.options.command)
            make it as small as it can be with: \(result.options.shrinkCommand)

            """
    }

    /// The least that still fails in the same check: kinds of faults are taken out one by one, then
    /// clients and time.
    package static func shrink(_ options: Options) -> Result? {
        shrink(options, watchedBy: { [] })
    }

    static func shrink(_ options: Options, watchedBy others: () -> [any Checker]) -> Result? {
        let first = run(options, watchedBy: others)
        guard let check = first.failure?.check else { return nil }
        var best = first
        func attempt(_ change: (inout Options) -> Void) -> Bool {
            var options = best.options
            change(&options)
            let result = run(options, watchedBy: others)
            guard result.failure?.check == check else { return false }
            best = result
            return true
        }
        for kind in options.activeFaults { _ = attempt { $0.remove(kind) } }
        while true {
            let size = best.options.size
            var isSmaller = false
            if size.seconds > 5 {
                isSmaller = attempt { $0.limit(seconds: size.seconds * 3 / 4) }
            }
            for providers in [size.providers / 2, size.providers - 1]
            where providers > 0 && providers < best.options.size.providers {
                isSmaller = attempt { $0.limit(providers: providers) } || isSmaller
            }
            for watchers in [0, size.watchers - 1]
            where watchers >= 0 && watchers < best.options.size.watchers {
                isSmaller = attempt { $0.limit(watchers: watchers) } || isSmaller
            }
            if !isSmaller { return best }
        }
    }
}
