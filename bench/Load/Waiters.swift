import Glibc
import Histogram

/// Many requests that hang on one server, each on its own connection.
struct Waiters {
    /// Parking a batch takes milliseconds; so long means that it will not happen.
    private static let parkNanosecondsMax: Int64 = 10_000_000_000

    let connections: Connections
    let count: Int
    private let port: UInt16

    /// Opens them in batches small enough for any listen backlog. `parked` tells how many the
    /// server holds; each batch waits until all so far are.
    init(
        _ server: Server, count: Int, _ request: RequestTemplate, parked: () throws -> Int
    ) throws {
        self.count = count
        port = server.port
        connections = try Connections()
        var request = request
        while connections.count < count {
            let first = connections.count
            try connections.open(min(Connections.connectBatch, count - first), port: port)
            for index in first..<connections.count {
                try connections.send(&request, index, on: index)
            }
            let open = connections.count
            try Self.wait("\(open) parked at \(server.name)") { try parked() == open }
        }
    }

    /// Asks every millisecond, at most 10 s.
    static func wait(_ what: String, until holds: () throws -> Bool) throws {
        let start = now()
        while try !holds() {
            guard now() - start < parkNanosecondsMax else {
                throw BenchError("waited 10 s in vain for: \(what)")
            }
            usleep(1_000)
        }
    }

    /// What one wake took, in nanoseconds from just before the request that caused it.
    struct Wake {
        var first = 0.0
        var last = 0.0
        var bodyBytes = 0...0
        var latency = Outcome().latency
    }

    /// Sends `trigger` on a connection of its own and takes the answer of every waiter.
    func wake(_ trigger: RequestTemplate, _ index: Int) throws -> Wake {
        var trigger = trigger
        var wake = Wake()
        var lengths: ClosedRange<Int>?
        var woken = 0
        var triggerAnswered = false
        try connections.open(1, port: port)
        let start = now()
        try connections.send(&trigger, index, on: count)
        while woken < count || !triggerAnswered {
            _ = try connections.receive(waitingMilliseconds: 10) { connection, answer in
                guard answer.status == 200, answer.code == 0 else {
                    throw BenchError("waiter answered \(answer.status), code \(answer.code ?? -1)")
                }
                guard connection < count else {
                    triggerAnswered = true
                    return
                }
                let time = now() - start
                if woken == 0 { wake.first = Double(time) }
                wake.last = Double(time)
                wake.latency.record(UInt64(time))
                woken += 1
                let length = answer.bodyBytes
                lengths =
                    min(
                        length, lengths?.lowerBound ?? length)...max(
                        length, lengths?.upperBound ?? length)
            }
            guard now() - start < Self.parkNanosecondsMax else {
                throw BenchError("\(woken) of \(count) waiters answered after 10 s")
            }
        }
        wake.bodyBytes = lengths ?? 0...0
        return wake
    }

    /// Watches for `seconds`; any answer is wrong. CPU nanoseconds the server used meanwhile.
    func idle(_ server: Server, seconds: Double) throws -> Int64 {
        let cpu = server.cpuNanoseconds()
        let end = now() + Int64(seconds * nanosecondsPerSecond)
        while now() < end {
            let left = max(1, (end - now()) / 1_000_000)
            _ = try connections.receive(waitingMilliseconds: Int32(left)) { _, answer in
                throw BenchError("a parked poll was answered: code \(answer.code ?? -1)")
            }
        }
        return server.cpuNanoseconds() - cpu
    }
}

/// What a server holds, by its own account.
enum Gauge {
    static func pollers(_ control: Control) throws -> Int {
        try sum(of: "discovery_pollers", control)
    }

    /// The sum of all series of `name` on the node's admin page that have this label.
    static func sum(
        of name: String, with label: String = "", _ control: Control
    ) throws -> Int {
        let reply = try control.exchange(
            RequestTemplate("GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"))
        guard reply.status == 200 else { throw BenchError("/metrics answered \(reply.status)") }
        var sum: Int?
        for line in reply.body.split(separator: UInt8(ascii: "\n")) {
            guard line.starts(with: Array(name.utf8)) else { continue }
            let next = line.dropFirst(name.utf8.count).first
            guard next == UInt8(ascii: " ") || next == UInt8(ascii: "{"),
                label.isEmpty || Array(line).firstPosition(of: label) != nil,
                let value = line.split(separator: UInt8(ascii: " ")).last,
                let number = Double(String(decoding: value, as: UTF8.self))
            else { continue }
            sum = (sum ?? 0) + Int(number)
        }
        guard let sum else { throw BenchError("/metrics has no \(name)") }
        return sum
    }

    /// How many requests a yardstick started with --hold keeps.
    static func held(_ control: Control) throws -> Int {
        let reply = try control.succeed(
            RequestTemplate("GET /held HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"))
        return reply.body.number(after: "\"held\":") ?? 0
    }
}
