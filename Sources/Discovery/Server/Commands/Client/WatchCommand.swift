internal import ArgumentParser
internal import DiscoveryWire
import Glibc

/// `discovery watch APPID…`: every change, printed or put into a file.
struct WatchCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "watch",
        abstract: "Follow apps: print every change, or keep a file up to date.",
        discussion: """
            Runs until it is stopped, and goes on through every outage of the registry with what \
            it knows. With --output the file is replaced as a whole, and only if its text is \
            another; --exec is run after each time, once at the start if there is a file, and \
            again if it fails. With --zone, or ZONE, the file holds the instances that a caller \
            there uses; without, all. An app that loses its last instance keeps those it had.

            TEMPLATE
              A line with {{each APPID}} begins a part that is repeated for each instance of the \
            app, one with {{end}} ends it. In it stand {{appid}} {{zone}} {{hostname}} {{version}} \
            {{scheme}} {{host}} {{port}} {{weight}} and {{meta KEY}}; host and port are those of \
            the first address with --scheme. {{weight}} is the final one for a caller in --zone. \
            Providers choose these values: an instance is left out if one that is used is \
            empty or holds anything but letters, digits and ._:/@+%=,-[] unless --raw is given.

            EXAMPLE
              $ discovery watch demo.hello --env dev --json
              $ discovery watch demo.hello --env dev --zone sh001 --template upstream.conf.in \\
                  --output /etc/nginx/conf.d/upstream.conf --exec 'nginx -s reload'

            \(CommandFailure.exitCodes)
            """)

    @Argument(help: ArgumentHelp("Names of apps.", valueName: "appid"))
    var apps: [String]

    @OptionGroup var env: EnvOptions

    @Option(
        help: ArgumentHelp("Zone of the caller. Default: ZONE.", valueName: "name"))
    var zone: String?

    @Option(
        help: ArgumentHelp(
            "Of the addresses those with this scheme. Default: http.", valueName: "name"))
    var scheme: String?

    @Option(help: ArgumentHelp("Text to fill in.", valueName: "file"))
    var template: String?

    @Option(help: ArgumentHelp("File to keep up to date.", valueName: "file"))
    var output: String?

    @Option(help: ArgumentHelp("What to run when the file was replaced.", valueName: "command"))
    var exec: String?

    @Option(
        help: ArgumentHelp(
            "How long the file stays as it is at least, so that a burst is one; up to 60000. "
                + "Default: 500.",
            valueName: "milliseconds"))
    var pause: Int?

    @Flag(help: "Fill values in whatever they hold.")
    var raw = false

    @OptionGroup var server: ServerOptions

    func validate() throws {
        if (template == nil) != (output == nil) {
            throw ValidationError("--template and --output go together")
        }
        if exec != nil, output == nil { throw ValidationError("--exec needs --output") }
        if output == nil, zone != nil || scheme != nil || pause != nil || raw {
            throw ValidationError("--zone, --scheme, --pause and --raw need --output")
        }
        if output != nil, server.json { throw ValidationError("--json prints, --output does not") }
        guard (0...60_000).contains(pause ?? 0) else {
            throw ValidationError("--pause: allowed is a whole number from 0 to 60000")
        }
    }

    func carryOut() throws(CommandFailure) {
        Termination.begin()
        let caller = try server.makeCaller()
        let env = try self.env.required()
        var target = try RenderedFile(self, zone ?? Environment["ZONE"])
        var follower = AppFollower(env: env, apps: apps)
        var isDue = false
        while true {
            let data = try follower.next(caller, isQuick: isDue)
            if data != nil { target?.noteNews() }
            isDue = target?.advance(follower) ?? false
            guard let data, target == nil else { continue }
            if server.json {
                try server.show(data)
            } else {
                try show(data)
            }
        }
    }

    private func show(_ data: JSONTree) throws(CommandFailure) {
        let table = InstanceTable(data)
        try table.show()
        for app in data.members where table.counts[app.name] == nil {
            try CommandOutput.write(line: "\(Message.shown(app.name)): no instances")
        }
        try CommandOutput.write(line: "")
    }
}

/// What is known of some apps, by polls that hang.
struct AppFollower {
    struct App {
        let name: String
        /// The timestamp that the present node gave.
        var latest: Int64 = 0
        /// What was last known of it; null: nothing yet.
        var data = JSONTree.null
        /// Whether a node has said since that it has no instances.
        var isGone = false
    }

    let env: String
    private(set) var apps: [App]
    private var isLost = false
    private var pause: UInt32 = 0
    /// Whose timestamps those of `apps` are.
    private var node: Endpoint?

    /// Polls are held for half a minute.
    private static let pollSeconds = 40
    private static let quickMilliseconds = 2_000
    private static let pauseMilliseconds: ClosedRange<UInt32> = 200...5_000

    init(env: String, apps: [String]) {
        self.env = env
        self.apps = apps.map { App(name: $0) }
    }

    /// Waits for news of any of them: those that changed, by name; nil if there are none yet.
    /// Throws only what will not be better the next time. `isQuick`: the caller has something to
    /// try again soon.
    mutating func next(
        _ caller: NodeCaller, isQuick: Bool
    ) throws(CommandFailure) -> JSONTree? {
        var fields = [("env", env), ("hostname", Machine.current().hostName)]
        for app in apps {
            fields += [("appid", app.name), ("latest_timestamp", "\(app.latest)")]
        }
        do throws(CommandFailure) {
            let began = Clocks.monotonic
            let answer = try caller.get(
                .polls, fields, seconds: AppFollower.pollSeconds,
                hold: isQuick ? AppFollower.quickMilliseconds : nil)
            switch answer.code {
            case 0:
                found()
                return take(answer.data, of: answer.node)
            case -304:
                found()
                // Said at once it is not to be asked for at once again.
                if Clocks.monotonic - began < 1_000_000_000 { wait() } else { pause = 0 }
            default: throw .refused(code: answer.code, message: answer.message)
            }
        } catch {
            switch error {
            // What HTTP itself refuses may be a proxy's doing.
            case .refused(let code, _) where code < 0 && code != -500 && code != -503: throw error
            default: lost(error)
            }
        }
        return nil
    }

    private mutating func take(_ data: JSONTree, of node: Endpoint) -> JSONTree? {
        if node != self.node {
            // Another one's timestamps mean nothing to it: what it has may be older or newer.
            self.node = node
            for index in apps.indices { apps[index].latest = 0 }
        }
        var isNews = false
        for index in apps.indices {
            let news = data[apps[index].name]
            let latest = news["latest_timestamp"].integer
            if news == .null || latest == apps[index].latest { continue }
            isNews = true
            apps[index].latest = latest
            // An empty list takes nothing away from who goes on using what is known.
            apps[index].isGone = news["instances"].members.allSatisfy { $0.value.items.isEmpty }
            if !apps[index].isGone { apps[index].data = news }
        }
        if isNews {
            pause = 0
            return data
        }
        // Whoever answers at once with nothing new is not asked at once again.
        wait()
        return nil
    }

    private mutating func found() {
        if isLost { StandardStream.error.write(line: "the registry answers") }
        isLost = false
    }

    private mutating func lost(_ failure: CommandFailure) {
        if !isLost {
            failure.tell()
            StandardStream.error.write(line: "what is known stays; asked again soon")
        }
        isLost = true
        // Timestamps are those of the node that answered.
        for index in apps.indices { apps[index].latest = 0 }
        wait()
    }

    private mutating func wait() {
        let limits = AppFollower.pauseMilliseconds
        pause = min(max(2 * pause, limits.lowerBound), limits.upperBound)
        usleep(UInt32.random(in: pause / 2...pause) * 1000)
    }
}
