import Glibc
import Histogram

/// Measures how long a change takes to show at every node, while others write.
///
/// Probe N asks all nodes with a long poll for app N, which nobody has yet, then registers it at
/// one of them, each node in turn. It has come when the last node has answered its poll.
struct Probes {
    /// One probe at a time; this pause lets its polls arrive before the change.
    private static let armedNanoseconds: Int64 = 5_000_000
    private static let writersPerNode = 8
    private static let stallNanosecondsMax: Int64 = 10_000_000_000

    /// Where the one probe under way stands.
    private enum Phase {
        case armed(fireAt: Int64)
        case fired(at: Int64)
    }

    private let connections: Connections
    private let nodeCount: Int
    /// Connections of the writers that have no request under way; used in turn.
    private var idle: [Int] = []
    private var phase = Phase.armed(fireAt: 0)
    private var probe = 0
    /// Polls, and the register, of this probe that are still unanswered.
    private var missing = 0
    /// When the last poll so far was answered.
    private var seenAt: Int64 = 0
    private(set) var writes = 0
    private var histogram = Outcome().latency

    private var poll = Fleet(app: "probe", host: "host", perApp: 1).polls(since: 0)
    private var change = Fleet(app: "probe", host: "host", perApp: 1).register()
    private var write = Probes.churn.register()

    /// What the writers write.
    static let churn = Fleet(app: "churn", host: "host", perApp: 20)

    /// Connections 0..<n hold the polls, n..<2n send the changes, the rest writes.
    init(_ nodes: [Server]) throws {
        nodeCount = nodes.count
        connections = try Connections()
        for node in nodes { try connections.open(1, port: node.port) }
        for node in nodes { try connections.open(1, port: node.port) }
        for _ in 0..<Self.writersPerNode {
            for node in nodes { try connections.open(1, port: node.port) }
        }
        idle = Array((2 * nodeCount)..<connections.count)
    }

    /// The latencies of all probes that came within `seconds`.
    mutating func run(seconds: Double, writesPerSecond: Double) throws -> Histogram<UInt64> {
        let start = now()
        let end = start + Int64(seconds * nanosecondsPerSecond)
        try arm()
        while true {
            let time = now()
            if time >= end { return histogram }
            let due = Int(Double(time - start) / nanosecondsPerSecond * writesPerSecond)
            while writes < due, !idle.isEmpty {
                let connection = idle.removeFirst()
                try connections.send(&write, writes, on: connection)
                writes += 1
            }
            try advance(time)
            try receive()
        }
    }

    private mutating func arm() throws {
        for connection in 0..<nodeCount {
            try connections.send(&poll, probe, on: connection)
        }
        missing = nodeCount
        phase = .armed(fireAt: now() + Self.armedNanoseconds)
    }

    /// Sends the change when its polls have had time to arrive; goes on when all have answered.
    private mutating func advance(_ time: Int64) throws {
        switch phase {
        case .armed(let fireAt):
            guard time >= fireAt else { return }
            guard missing == nodeCount else { throw BenchError("a poll came before its change") }
            phase = .fired(at: now())
            missing += 1
            try connections.send(&change, probe, on: nodeCount + probe % nodeCount)
        case .fired(let firedAt):
            if missing == 0 {
                histogram.record(UInt64(max(0, seenAt - firedAt)))
                probe += 1
                try arm()
            } else if time - firedAt > Self.stallNanosecondsMax {
                throw BenchError("probe \(probe) did not show at every node within 10 s")
            }
        }
    }

    private mutating func receive() throws {
        var answered: [Int] = []
        _ = try connections.receive(waitingMilliseconds: 0) { connection, answer in
            guard answer.status == 200, answer.code == 0 else {
                throw BenchError("HTTP \(answer.status), code \(answer.code ?? -1) in a cluster")
            }
            answered.append(connection)
        }
        for connection in answered {
            if connection >= 2 * nodeCount {
                idle.append(connection)
                continue
            }
            missing -= 1
            if connection < nodeCount { seenAt = now() }
        }
    }
}
