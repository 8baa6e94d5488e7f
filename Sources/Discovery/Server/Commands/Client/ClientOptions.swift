internal import ArgumentParser
internal import DiscoveryWire
import Glibc

/// Where the registry is, and what is printed.
struct ServerOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            """
            Node to ask; several, comma-joined: the first that answers. Default: DISCOVERY_SERVER, \
            else 127.0.0.1:7171.
            """, valueName: "host:port"))
    var server: String?

    @Flag(help: "Print JSON instead of a table.")
    var json = false

    func makeCaller() throws(CommandFailure) -> NodeCaller {
        try NodeCaller(try ServerOptions.nodes(server))
    }

    /// The nodes to ask; `server` is what `--server` says.
    static func nodes(_ server: String?) throws(CommandFailure) -> [Endpoint] {
        let text = server ?? Environment["DISCOVERY_SERVER"] ?? "127.0.0.1:7171"
        return try addresses(text, of: "--server or DISCOVERY_SERVER")
    }

    /// Comma-joined addresses; `option` is what gave them.
    static func addresses(
        _ text: String, of option: String
    ) throws(CommandFailure) -> [Endpoint] {
        var nodes: [Endpoint] = []
        for item in text.split(separator: ",") {
            guard let node = Endpoint(String(item)), !node.isWildcard, node.port > 0 else {
                throw .broken("\(option): found \"\(item)\", allowed is \(Rule.address)")
            }
            nodes.append(node)
        }
        guard !nodes.isEmpty else {
            throw .broken("\(option): found nothing, allowed is \(Rule.address)")
        }
        return nodes
    }

    func show(_ tree: JSONTree) throws(CommandFailure) {
        try CommandOutput.write(line: tree.json)
    }
}

/// The environment an app is in.
struct EnvOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Deployment environment: dev, uat, prod. Default: DEPLOY_ENV.", valueName: "name"))
    var env: String?

    func required() throws(CommandFailure) -> String {
        try Environment.required(env, "--env", "DEPLOY_ENV")
    }
}

/// Names one instance.
struct InstanceOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Name of the app.", valueName: "name"))
    var appid: String

    @OptionGroup var env: EnvOptions

    @Option(help: ArgumentHelp("Zone of the instance. Default: ZONE.", valueName: "name"))
    var zone: String?

    @Option(
        name: .customLong("hostname"),
        help: ArgumentHelp(
            "Name of the instance. Default: HOSTNAME, else the machine's.", valueName: "name"))
    var host: String?

    /// As parameters of a request.
    func fields() throws(CommandFailure) -> [(String, String)] {
        let host = self.host ?? Environment["HOSTNAME"] ?? Machine.current().hostName
        return [
            ("zone", try Environment.required(zone, "--zone", "ZONE")),
            ("env", try env.required()), ("appid", appid), ("hostname", host),
        ]
    }
}

enum Environment {
    /// Nil if it is not set, or empty.
    static subscript(_ name: String) -> String? {
        guard let value = unsafe getenv(name) else { return nil }
        let text = unsafe String(cString: value)
        return text.isEmpty ? nil : text
    }

    static func required(
        _ given: String?, _ flag: String, _ variable: String
    ) throws(CommandFailure) -> String {
        guard let value = given ?? Environment[variable] else {
            throw .broken("\(flag) is needed, or \(variable) in the environment")
        }
        return value
    }
}

extension NodeCaller.Answer {
    /// Throws what the registry has against it. -404 is nothing there: `what` says what.
    func checked(_ what: String) throws(CommandFailure) -> NodeCaller.Answer {
        switch code {
        case 0: return self
        case -404: throw .nothing(what)
        default: throw .refused(code: code, message: message)
        }
    }
}
