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
            (infra.discovery) are left out.

            EXAMPLE
              $ discovery export --server 10.0.0.1:7171 > registry.ndjson

            \(CommandFailure.exitCodes)
            """)

    @Option(help: ArgumentHelp("Only this environment. Default: all.", valueName: "name"))
    var env: String?

    @Option(
        help: ArgumentHelp(
            "Node to ask; several, comma-joined. Default: DISCOVERY_SERVER, else 127.0.0.1:7171.",
            valueName: "host:port"))
    var server: String?

    func carryOut() throws(CommandFailure) {
        let caller = try NodeCaller(try ServerOptions.nodes(server))
        for held in try HeldInstances(caller).all where env == nil || held["env"].text == env {
            StandardStream.output.write(line: held.json)
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

    /// Names an instance: what a line of `diff` begins with.
    static func name(of instance: JSONTree) -> String {
        ["env", "appid", "zone", "hostname"].map { instance[$0].text }.joined(separator: " ")
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

    func carryOut() throws(CommandFailure) {
        let text: String
        do throws(TextFileError) {
            text = try TextFile.read(file == "-" ? "/dev/stdin" : file, bytesMax: 1 << 30)
        } catch {
            throw .broken("\(file): cannot be read: \(error)")
        }
        var instances: [JSONTree] = []
        for (index, line) in text.split(separator: "\n").enumerated() {
            do throws(Rejection) {
                instances.append(try JSONTree.read(line.utf8.span, "it"))
            } catch {
                throw .broken("\(file): line \(index + 1): \(error.message)")
            }
            guard instances.last?["addrs"].items.isEmpty == false else {
                throw .broken("\(file): line \(index + 1): it is no instance with addrs")
            }
        }
        let caller = try server.makeCaller()
        var done = 0
        for instance in instances {
            _ = try caller.post(.register, Self.fields(instance)).checked("")
            done += 1
        }
        StandardStream.output.write(
            line: server.json ? #"{"registered":\#(done)}"# : "registered \(done) instances")
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
              0 they hold the same   1 they differ   3 one does not answer   64 usage
            """)

    @Argument(help: ArgumentHelp("The one node.", valueName: "host:port"))
    var first: String

    @Argument(help: ArgumentHelp("The other.", valueName: "host:port"))
    var second: String

    private static let compared = [
        "region", "version", "addrs", "metadata", "status", "dirty_timestamp",
    ]

    func carryOut() throws(CommandFailure) {
        let (left, right) = (try held(first), try held(second))
        var differences = 0
        for name in Set(left.keys).union(right.keys).sorted() {
            switch (left[name], right[name]) {
            case (let one?, let other?):
                let fields = DiffCommand.compared.filter { one[$0] != other[$0] }
                if fields.isEmpty { continue }
                let details = fields.map { "\($0) \(one[$0].json) \(other[$0].json)" }
                StandardStream.output.write(
                    line: "~ \(name): \(details.joined(separator: ", "))")
            case (_?, nil): StandardStream.output.write(line: "- \(name)")
            case (nil, _): StandardStream.output.write(line: "+ \(name)")
            }
            differences += 1
        }
        if differences > 0 { throw .nothing("") }
    }

    private func held(_ node: String) throws(CommandFailure) -> [String: JSONTree] {
        let all = try HeldInstances(try NodeCaller(try ServerOptions.nodes(node))).all
        return Dictionary(all.map { (HeldInstances.name(of: $0), $0) }) { $1 }
    }
}
