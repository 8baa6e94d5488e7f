internal import ArgumentParser
import Glibc

/// `discovery top`: what the nodes of a cluster are doing right now.
struct TopCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "top",
        abstract: "Show what nodes are doing: a live view.",
        discussion: """
            From the metrics of each node, which it serves on its admin address: on loopback, \
            unless [admin] listen says otherwise. Rates are those of the last interval. Ctrl-C \
            ends it.

            EXAMPLE
              $ discovery top
              $ discovery top --admin 10.0.0.1:7172,10.0.0.2:7172 --interval 5
              $ discovery top --once

            EXIT CODES
              0 shown once   3 no node answers   4 a setting is wrong   64 usage
            """)

    @Option(
        help: ArgumentHelp(
            """
            Admin addresses, comma-joined. Default: DISCOVERY_ADMIN, else 127.0.0.1:7172. (The \
            registry's own addresses, DISCOVERY_SERVER, are not looked at.)
            """, valueName: "host:port"))
    var admin: String?

    @Option(help: ArgumentHelp("Seconds between two looks.", valueName: "seconds"))
    var interval = 2

    @Flag(help: "Look twice, a second apart, print, and end.")
    var once = false

    func validate() throws {
        guard (1...3600).contains(interval) else {
            throw ValidationError("--interval: allowed is a whole number from 1 to 3600")
        }
    }

    /// Clears the terminal and goes to its first line.
    private static let clear = "\u{1B}[H\u{1B}[2J"

    func carryOut() throws(CommandFailure) {
        let addresses = try ServerOptions.addresses(
            admin ?? Environment["DISCOVERY_ADMIN"] ?? "127.0.0.1:7172",
            of: "--admin or DISCOVERY_ADMIN")
        let caller = try NodeCaller([])
        // In a pipe or a file one look follows the other.
        let isLive = !once && isatty(STDOUT_FILENO) == 1
        var before = look(addresses, caller)
        while true {
            sleep(UInt32(once ? 1 : interval))
            let now = look(addresses, caller)
            let text = TopView(before: before, now: now).lines.joined(separator: "\n")
            try CommandOutput.write(line: isLive ? TopCommand.clear + text : text)
            if once {
                if now.allSatisfy({ $0.samples == nil }) {
                    throw .unreachable(now.map(\.failure).joined(separator: "\n"))
                }
                return
            }
            before = now
        }
    }

    private func look(_ addresses: [Endpoint], _ caller: NodeCaller) -> [TopView.Look] {
        addresses.map { address in
            do throws(CommandFailure) {
                let page = try caller.page("/metrics", at: address)
                return TopView.Look(
                    address: "\(address)", at: Clocks.monotonic, samples: MetricSamples(page),
                    failure: "")
            } catch {
                return TopView.Look(
                    address: "\(address)", at: Clocks.monotonic, samples: nil, failure: "\(error)")
            }
        }
    }
}

/// Two looks at some nodes, as text.
struct TopView {
    struct Look {
        let address: String
        /// Monotonic nanoseconds.
        let at: UInt64
        /// Nil if the node did not answer; `failure` says why.
        let samples: MetricSamples?
        let failure: String
    }

    let before: [Look]
    let now: [Look]

    var lines: [String] {
        var nodes = TextTable(
            "NODE", "ZONE", "APPS", "UP", "WAITING", "LATE", "POLLERS", "CONNS", "REQ/S", "RENEW/S",
            "WRITE/S", "WAKE/S", "CPU", "MEM", "STATE")
        var peers = TextTable(
            "NODE", "PEER", "ZONE", "KIND", "REACHED", "QUEUE", "LAG", "DIVERGENT")
        var failures: [String] = []
        var peerCount = 0
        for (old, new) in zip(before, now) {
            guard let samples = new.samples else {
                failures.append(new.failure)
                continue
            }
            let rate = Rate(old, new)
            nodes.add(
                new.address, samples.values(of: "zone", in: "discovery_build_info").first ?? "?",
                count(samples.sum("discovery_apps_known")),
                count(samples.sum("discovery_instances", ["status": "up"])),
                count(samples.sum("discovery_instances", ["status": "waiting"])),
                count(samples.sum("discovery_instances_overdue")),
                count(samples.sum("discovery_pollers")),
                count(samples.sum("discovery_connections")),
                rate("discovery_requests_total"),
                rate("discovery_writes_total", ["kind": "renew"]),
                rate("discovery_writes_total", without: ["kind": "renew"]),
                rate("discovery_poll_wake_total", ["reason": "change"]),
                rate.percent("process_cpu_milliseconds_total"),
                memory(samples.sum("process_resident_memory_bytes")), state(samples))
            for peer in samples.values(of: "peer", in: "discovery_peer_up") {
                peerCount += 1
                peers.add(
                    new.address, peer, label("zone", of: peer, samples),
                    label("kind", of: peer, samples),
                    samples.sum("discovery_peer_up", ["peer": peer]) == 1 ? "yes" : "no",
                    count(samples.sum("discovery_peer_queue", ["peer": peer])),
                    count(samples.sum("discovery_peer_lag_milliseconds", ["peer": peer])) + " ms",
                    count(samples.sum("discovery_peer_divergent", ["peer": peer])))
            }
        }
        return nodes.lines + (peerCount > 0 ? [""] + peers.lines : [])
            + (failures.isEmpty ? [] : [""] + failures)
    }

    private func label(_ name: String, of peer: String, _ samples: MetricSamples) -> String {
        let sample = samples.all.first {
            $0.name == "discovery_peer_up" && $0.labels["peer"] == peer
        }
        return sample?.labels[name] ?? "?"
    }

    private func state(_ samples: MetricSamples) -> String {
        let states = samples.values(of: "state", in: "discovery_protected").filter {
            samples.sum("discovery_protected", ["state": $0]) > 0
        }
        return states.isEmpty ? "serves" : states.joined(separator: ",")
    }

    private func count(_ value: Double) -> String { "\(Int64(exactly: value.rounded()) ?? 0)" }

    private func memory(_ bytes: Double) -> String { count(bytes / 1_048_576) + " MB" }
}

/// How fast counters of one node have grown between two looks.
private struct Rate {
    private let old: TopView.Look
    private let new: TopView.Look
    private let seconds: Double

    init(_ old: TopView.Look, _ new: TopView.Look) {
        self.old = old
        self.new = new
        seconds = max(0.001, Double(new.at &- old.at) / 1e9)
    }

    /// `without`: all but those with these labels.
    func callAsFunction(
        _ name: String, _ labels: [String: String] = [:], without: [String: String]? = nil
    ) -> String {
        guard let grown = growth(name, labels, without) else { return "-" }
        return "\(Int64(exactly: (grown / seconds).rounded()) ?? 0)"
    }

    /// Of milliseconds of the processor.
    func percent(_ name: String) -> String {
        guard let grown = growth(name, [:], nil) else { return "-" }
        return "\(Int64(exactly: (grown / seconds / 10).rounded()) ?? 0) %"
    }

    /// Nil if there was no answer before, or the node has started again.
    private func growth(
        _ name: String, _ labels: [String: String], _ without: [String: String]?
    ) -> Double? {
        guard let before = old.samples, let now = new.samples else { return nil }
        var grown = now.sum(name, labels) - before.sum(name, labels)
        if let without { grown -= now.sum(name, without) - before.sum(name, without) }
        return grown >= 0 ? grown : nil
    }
}
