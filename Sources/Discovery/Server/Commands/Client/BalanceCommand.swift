internal import ArgumentParser
internal import DiscoveryWire

/// `discovery balance APPID`: whom a caller in a zone uses, and how much.
struct BalanceCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "balance",
        abstract: "Show whom a caller in a zone uses, and for how many of its requests.",
        discussion: """
            By the scheduler file of the app if it has a rule for the zone, else the instances of \
            the zone, else all.

            EXAMPLE
              $ discovery balance demo.hello --env dev --zone sh001

            \(CommandFailure.exitCodes)
            """)

    @Argument(help: ArgumentHelp("Name of the app.", valueName: "appid"))
    var app: String

    @OptionGroup var env: EnvOptions

    @Option(help: ArgumentHelp("Zone of the caller. Default: ZONE.", valueName: "name"))
    var zone: String?

    @OptionGroup var server: ServerOptions

    func carryOut() throws(CommandFailure) {
        let zone = try Environment.required(zone, "--zone", "ZONE")
        let answer = try server.makeCaller().get(
            .balance, [("env", try env.required()), ("appid", app), ("zone", zone)]
        ).checked("no instances of \(app)")
        if server.json { return try server.show(answer.data) }
        var table = TextTable("ZONE", "HOSTNAME", "WEIGHT", "SHARE", "ADDRS")
        let total = max(1, answer.data["total_weight"].integer)
        for row in answer.data["instances"].items {
            table.add(
                row["zone"].text, row["hostname"].text, "\(row["weight"].integer)",
                Self.percent(row["weight"].integer, of: total),
                row["addrs"].items.map(\.text).joined(separator: " "))
        }
        try table.show()
    }

    /// With one digit behind the point.
    static func percent(_ part: Int64, of whole: Int64) -> String {
        // Whatever it was that answered.
        let total = Int128(max(1, whole))
        let tenths = (Int128(part) * 1000 + total / 2) / total
        return "\(tenths / 10).\(abs(tenths % 10)) %"
    }
}
