import DiscoveryCore

extension Options {
    /// A world in which only what the script says goes wrong. Each provider registers at its home
    /// zone's first node when it is told to, and renews for as long as it lives.
    static func scripted(
        nodes: [Int], goNodes: [Int] = [], providers: Int = 4, watchers: Int = 6,
        seconds: Int = 60, script: [(at: Int64, fault: Fault)]
    ) -> Options {
        var options = Options(seed: 7)
        options.nodes = nodes
        options.goNodes = goNodes
        options.providers = providers
        options.watchers = watchers
        options.apps = 2
        options.seconds = seconds
        options.lease = 90 * Duration.second
        options.ceiling = Duration.hour
        options.pollHold = 8 * Duration.second
        options.faults = []
        options.isQuiet = true
        options.script = script
        return options
    }
}
