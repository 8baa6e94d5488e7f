internal import ArgumentParser
internal import DiscoveryWire

/// Pairs on the command line: `--meta key=value`.
struct Pair: ExpressibleByArgument {
    let key: String
    let value: String

    init?(argument: String) {
        guard let sign = argument.firstIndex(of: "="), sign > argument.startIndex else {
            return nil
        }
        key = String(argument[..<sign])
        value = String(argument[argument.index(after: sign)...])
    }

    /// As the registry takes metadata.
    static func json(_ pairs: [Pair]) -> String {
        let members = Dictionary(pairs.map { ($0.key, $0.value) }) { $1 }
        return JSONTree.object(
            members.sorted { $0.key < $1.key }.map {
                JSONTree.Member(name: $0.key, value: .text($0.value))
            }
        ).json
    }
}

enum StatusArgument: String, ExpressibleByArgument, CaseIterable {
    case up, waiting

    var value: String { self == .up ? "1" : "2" }
}

/// `discovery register`: once, for scripts.
struct RegisterCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "register",
        abstract: "Register an instance, once.",
        discussion: """
            It lives for 90 s and has to be registered again, or renewed, before. A program that \
            is to be registered for as long as it runs is started by discovery run.

            EXAMPLE
              $ discovery register --appid demo.hello --env dev --zone sh001 --hostname host-1 \\
                  --addr http://10.0.0.1:8080 --meta weight=20

            \(CommandFailure.exitCodes)
            """)

    @OptionGroup var instance: InstanceOptions

    @Option(
        help: ArgumentHelp(
            "Address with its scheme; repeat it for each.", valueName: "http://host:port"))
    var addr: [String]

    @Option(help: "up takes traffic, waiting does not.")
    var status = StatusArgument.up

    @Option(help: ArgumentHelp("Version of the program.", valueName: "text"))
    var version = ""

    @Option(help: ArgumentHelp("Metadata; repeat it for each.", valueName: "key=value"))
    var meta: [Pair] = []

    @OptionGroup var server: ServerOptions

    func carryOut() throws(CommandFailure) {
        var fields = try instance.fields()
        fields += [
            ("status", status.value), ("version", version), ("metadata", Pair.json(meta)),
        ]
        fields += addr.map { ("addrs", $0) }
        let answer = try server.makeCaller().post(.register, fields).checked("")
        if server.json { try server.show(answer.tree) }
    }
}

/// `discovery set`: status or metadata of what is registered.
struct SetCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "set",
        abstract: "Change the status or the metadata of an instance.",
        discussion: """
            Metadata is laid over what is there.

            EXAMPLE
              $ discovery set --appid demo.hello --env dev --zone sh001 --hostname host-1 \\
                  --status waiting
              $ discovery set --appid demo.hello --env dev --zone sh001 --hostname host-1 \\
                  --meta weight=5

            \(CommandFailure.exitCodes)
            """)

    @OptionGroup var instance: InstanceOptions

    @Option(help: "up takes traffic, waiting does not.")
    var status: StatusArgument?

    @Option(help: ArgumentHelp("Metadata; repeat it for each.", valueName: "key=value"))
    var meta: [Pair] = []

    @OptionGroup var server: ServerOptions

    func validate() throws {
        if status == nil, meta.isEmpty { throw ValidationError("--status or --meta is needed") }
    }

    func carryOut() throws(CommandFailure) {
        var fields = try instance.fields()
        if let status { fields.append(("status", status.value)) }
        if !meta.isEmpty { fields.append(("metadata", Pair.json(meta))) }
        let answer = try server.makeCaller().post(.set, fields).checked("no such instance")
        if server.json { try server.show(answer.tree) }
    }
}

/// `discovery cancel`: takes an instance out.
struct CancelCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel",
        abstract: "Take an instance out of the registry.",
        discussion: """
            A provider that is still running registers again with its next renewal: set its status \
            to waiting instead.

            EXAMPLE
              $ discovery cancel --appid demo.hello --env dev --zone sh001 --hostname host-1

            \(CommandFailure.exitCodes)
            """)

    @OptionGroup var instance: InstanceOptions

    @OptionGroup var server: ServerOptions

    func carryOut() throws(CommandFailure) {
        let answer = try server.makeCaller().post(.cancel, try instance.fields())
            .checked("no such instance")
        if server.json { try server.show(answer.tree) }
    }
}
