internal import ArgumentParser
internal import DiscoveryWire
import Glibc

/// `discovery export`: all instances as lines of JSON.
struct ExportCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Print all instances, one JSON object per line.",
        discussion: """
            Of all apps, envs and statuses, as the asked node holds them; the nodes themselves \
            (infra.discovery) are left out. An answer holds some three million instances.

            EXAMPLE
              $ discovery export --server 10.0.0.1:7171 > registry.ndjson

            \(CommandFailure.exitCodes)
            """)

    @Option(help: ArgumentHelp("Only this environment. Default: all.", valueName: "name"))
    var env: String?

    @OptionGroup var server: ServerOptions

    func carryOut() throws(CommandFailure) {
        let caller = try server.makeCaller()
        for held in try HeldInstances(caller).all where env == nil || held["env"].text == env {
            try server.show(held)
        }
    }
}

/// Everything that a node holds but the nodes themselves, in an order that all nodes share.
struct HeldInstances {
    let all: [JSONTree]

    /// Reading some million instances takes a while.
    private static let seconds = 120

    init(_ caller: NodeCaller) throws(CommandFailure) {
        let answer = try caller.get(.fetchAll, [], seconds: HeldInstances.seconds)
            .checked("nothing")
        all = answer.data.members.flatMap { app in
            app.name == "infra.discovery" ? [] : app.value.items
        }
    }

    /// Env, appid, zone and hostname.
    static func key(of instance: JSONTree) -> [String] {
        ["env", "appid", "zone", "hostname"].map { instance[$0].text }
    }

    /// Names an instance: what a line of `diff` begins with.
    static func name(of instance: JSONTree) -> String {
        key(of: instance).joined(separator: " ")
    }
}

/// `discovery import`: registers what `export` has printed.
struct ImportCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Register all instances of an export.",
        discussion: """
            Each begins a lease of 90 s, as if it registered itself: what does not live is gone \
            after that. With a line that cannot be read nothing is registered at all.

            EXAMPLE
              $ discovery import registry.ndjson --server 10.0.0.2:7171

            \(CommandFailure.exitCodes)
            """)

    @Argument(help: ArgumentHelp("Lines of JSON; - is the standard input.", valueName: "file"))
    var file: String

    @OptionGroup var server: ServerOptions

    private static let bytesMax = 1 << 30

    func carryOut() throws(CommandFailure) {
        let text: String
        do throws(TextFileError) {
            text =
                file == "-"
                ? try TextFile.read(descriptor: STDIN_FILENO, bytesMax: ImportCommand.bytesMax)
                : try TextFile.read(file, bytesMax: ImportCommand.bytesMax)
        } catch {
            throw .broken("\(file): cannot be read: \(error)")
        }
        let instances = try read(text)
        let caller = try server.makeCaller()
        for (done, (line, instance)) in instances.enumerated() {
            do throws(CommandFailure) {
                _ = try caller.post(.register, Self.fields(instance)).checked("")
            } catch {
                let name = HeldInstances.name(of: instance)
                StandardStream.error.write(
                    line: "\(file): line \(line): \(Message.shown(name)): not registered, nor any "
                        + "behind it; \(done) were")
                throw error
            }
        }
        try CommandOutput.write(
            line: server.json
                ? #"{"registered":\#(instances.count)}"# : "registered \(instances.count) instances"
        )
    }

    /// With the numbers of their lines.
    private func read(
        _ text: String
    ) throws(CommandFailure) -> [(line: Int, instance: JSONTree)] {
        var instances: [(line: Int, instance: JSONTree)] = []
        // What else Unicode takes for the end of a line may be in a value.
        let lines = text.utf8.split(
            separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() {
            if line.allSatisfy({ $0 == 0x20 || (0x09...0x0D).contains($0) }) { continue }
            do throws(Rejection) {
                instances.append((index + 1, try JSONTree.read(line.span, "it")))
            } catch {
                throw .broken("\(file): line \(index + 1): \(error.message)")
            }
            guard instances.last?.instance["addrs"].items.isEmpty == false else {
                throw .broken("\(file): line \(index + 1): it is no instance with addrs")
            }
        }
        return instances
    }

    private static func fields(_ instance: JSONTree) -> [(String, String)] {
        var fields = ["region", "zone", "env", "appid", "hostname", "version"].map {
            ($0, instance[$0].text)
        }
        let status = instance["status"].integer
        fields += [("status", "\(status)"), ("metadata", instance["metadata"].json)]
        return fields + instance["addrs"].items.map { ("addrs", $0.text) }
    }
}

/// `discovery diff NODE NODE`: what two nodes disagree on.
struct DiffCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff",
        abstract: "Show what two nodes disagree on.",
        discussion: """
            A minus is held by the first node only, a plus by the second only; a tilde names what \
            differs. When they were registered and renewed is not compared: only versions count. \
            Nodes that are being written to differ for the time of a relay, and answer with what \
            they held up to a second before.

            EXAMPLE
              $ discovery diff 10.0.0.1:7171 10.0.0.2:7171

            EXIT CODES
              0 they hold the same   1 they differ   2 refused   3 one does not answer
              4 a setting is wrong   64 usage
            """)

    @Argument(help: ArgumentHelp("The one node.", valueName: "host:port"))
    var first: String

    @Argument(help: ArgumentHelp("The other.", valueName: "host:port"))
    var second: String

    @Flag(help: "Print JSON, one object per difference, with both instances.")
    var json = false

    private static let compared = [
        "region", "version", "addrs", "metadata", "status", "dirty_timestamp",
    ]

    func carryOut() throws(CommandFailure) {
        let (left, right) = (
            try held(first, "the first argument"), try held(second, "the second argument")
        )
        var differences = 0
        let keys = Set(left.keys).union(right.keys).sorted { $0.lexicographicallyPrecedes($1) }
        for key in keys {
            let (one, other) = (left[key], right[key])
            let fields = DiffCommand.compared.filter { field in
                one.map { DiffCommand.value(field, $0) }
                    != other.map { DiffCommand.value(field, $0) }
            }
            if one != nil, other != nil, fields.isEmpty { continue }
            differences += 1
            if json {
                let members = [("first", one), ("second", other)].map {
                    JSONTree.Member(name: $0, value: $1 ?? .null)
                }
                try CommandOutput.write(line: JSONTree.object(members).json)
            } else {
                try CommandOutput.write(
                    line: Message.shown(
                        DiffCommand.line(
                            key.joined(separator: " "), one, other, fields)))
            }
        }
        if differences > 0 { throw .nothing("") }
    }

    /// Nodes of the reference write null for what is empty.
    private static func value(_ field: String, _ instance: JSONTree) -> JSONTree {
        switch (field, instance[field]) {
        case ("metadata", .null): .object([])
        case ("addrs", .null): .list([])
        case (_, let value): value
        }
    }

    private static func line(
        _ name: String, _ one: JSONTree?, _ other: JSONTree?, _ fields: [String]
    ) -> String {
        guard let one else { return "+ \(name)" }
        guard let other else { return "- \(name)" }
        let details = fields.map { "\($0) \(one[$0].json) \(other[$0].json)" }
        return "~ \(name): \(details.joined(separator: ", "))"
    }

    private func held(
        _ node: String, _ argument: String
    ) throws(CommandFailure) -> [[String]: JSONTree] {
        let nodes = try ServerOptions.addresses(node, of: argument)
        let all = try HeldInstances(try NodeCaller(nodes)).all
        return Dictionary(all.map { (HeldInstances.key(of: $0), $0) }) { $1 }
    }
}
