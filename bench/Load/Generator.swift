import BenchSupport
import Glibc
import Histogram

/// Which request numbers a run sends: `first ..< first + count`, walked in steps of `stride`, again
/// and again. A stride that is no divisor touches them all in an order no cache likes.
struct Numbers {
    /// A prime larger than the caches of neighbouring instances, and no divisor of round counts.
    static let scattered = 7_919

    var first = 0
    var count: Int
    var stride = 1

    func number(_ sequence: Int) -> Int {
        first + (sequence &* stride) % count
    }
}

/// When a closed-loop run is over.
enum Limit {
    case requests(Int)
    case seconds(Double)
}

/// What one run measured. Only right answers: a wrong one ends the run.
struct Outcome {
    var answers = 0
    var seconds = 0.0
    /// Nanoseconds per request.
    var latency = Histogram<UInt64>(
        highestTrackableValue: 60_000_000_000, numberOfSignificantValueDigits: .three)
    /// The largest and the smallest body seen.
    var bodyBytes = 0...0
    /// CPU time the server used, all its threads, user and system, in nanoseconds.
    var serverNanoseconds: Int64 = 0
    /// Share of its core the generator itself used. Near 1 it is the bottleneck, not the server.
    var generatorShare = 0.0

    var rate: Double { seconds > 0 ? Double(answers) / seconds : 0 }
    /// Nanoseconds of the server's CPU per answer: what a busy neighbour disturbs least.
    var cost: Double { Double(serverNanoseconds) / Double(max(1, answers)) }
}

/// Sends requests over connections to one server: closed-loop (the next when the last is answered)
/// or open-loop (at a fixed rate, whatever the server does).
struct Generator {
    /// No answer at all for so long means that there will be none.
    static let stallNanosecondsMax: Int64 = 10_000_000_000
    /// An open-loop run that takes so many times its length cannot keep the rate.
    static let lateFactorMax = 3.0

    let servers: [Server]
    let connections: Connections
    let numbers: Numbers
    var expectedCode = 0

    /// Connections are shared out evenly among the servers.
    init(_ servers: Server..., connections count: Int, _ numbers: Numbers) throws {
        try self.init(servers, connections: count, numbers)
    }

    /// For a server that another process has started: its CPU time is not measured.
    init(_ connections: Connections, _ numbers: Numbers) {
        servers = []
        self.connections = connections
        self.numbers = numbers
    }

    init(_ servers: [Server], connections count: Int, _ numbers: Numbers) throws {
        self.servers = servers
        self.numbers = numbers
        connections = try Connections()
        for server in servers {
            try connections.open(max(1, count / servers.count), port: server.port)
        }
    }

    /// As many requests as the server can answer with one under way per connection.
    func closedLoop(_ request: RequestTemplate, until limit: Limit) throws -> Outcome {
        var request = request
        var run = Run(servers, connections.count, expectedCode)
        let start = now()
        let (requestsMax, end) = bounds(limit, from: start)
        var sent = 0
        for connection in 0..<min(connections.count, requestsMax) {
            run.sentAt[connection] = now()
            try connections.send(&request, numbers.number(sent), on: connection)
            sent += 1
        }
        while run.answers < sent {
            let received = try connections.receive(waitingMilliseconds: 100) { connection, answer in
                let time = now()
                try run.take(answer, from: connection, at: time)
                guard sent < requestsMax, time < end else { return }
                run.sentAt[connection] = time
                try connections.send(&request, numbers.number(sent), on: connection)
                sent += 1
            }
            try run.checkStall(received)
        }
        return run.outcome(since: start)
    }

    /// `rate` requests per second for `seconds`. Latency counts from when a request was due, so
    /// a stall of the server shows in every request it delayed, sent or not.
    func openLoop(_ request: RequestTemplate, rate: Double, seconds: Double) throws -> Outcome {
        var request = request
        var run = Run(servers, connections.count, expectedCode)
        var free = Array(0..<connections.count)
        let interval = nanosecondsPerSecond / rate
        let total = max(1, Int(rate * seconds))
        let start = now()
        let giveUp =
            start + Int64(seconds * Self.lateFactorMax * nanosecondsPerSecond)
            + Self.stallNanosecondsMax
        var sent = 0
        while run.answers < total {
            let time = now()
            guard time < giveUp else {
                throw BenchError("the server does not keep up with \(Int(rate)) requests/s")
            }
            while sent < total, let connection = free.last {
                let due = start + Int64(Double(sent) * interval)
                guard due <= time else { break }
                free.removeLast()
                run.sentAt[connection] = due
                try connections.send(&request, numbers.number(sent), on: connection)
                sent += 1
            }
            // Spins while the next request is due soon: the generator owns its core.
            let nextDue = start + Int64(Double(sent) * interval)
            let idle = sent == total || free.isEmpty || nextDue - time > 2_000_000
            let received = try connections.receive(waitingMilliseconds: idle ? 1 : 0) {
                try run.take($1, from: $0, at: now())
                free.append($0)
            }
            if sent > run.answers { try run.checkStall(received) }
        }
        return run.outcome(since: start)
    }

    private func bounds(_ limit: Limit, from start: Int64) -> (requests: Int, end: Int64) {
        switch limit {
        case .requests(let count): (count, .max)
        case .seconds(let seconds): (.max, start + Int64(seconds * nanosecondsPerSecond))
        }
    }
}

/// The books of one run.
private struct Run {
    /// When the request under way on each connection was sent, or due.
    var sentAt: [Int64]
    private(set) var answers = 0
    private var latency = Outcome().latency
    private var bodyBytesMin = Int.max
    private var bodyBytesMax = 0
    private let expectedCode: Int
    private let servers: [Server]
    private let serverAtStart: Int64
    private let cpuAtStart = bench_cpu_nanoseconds(getpid())
    private var lastAnswerAt = now()

    init(_ servers: [Server], _ connections: Int, _ expectedCode: Int) {
        self.servers = servers
        serverAtStart = Self.cpu(servers)
        sentAt = [Int64](repeating: 0, count: connections)
        self.expectedCode = expectedCode
    }

    mutating func take(_ answer: Answer, from connection: Int, at time: Int64) throws {
        guard answer.status == 200, answer.code == expectedCode else {
            let code = answer.code.map(String.init) ?? "none"
            throw BenchError(
                "answer \(answers + 1): HTTP \(answer.status), code \(code);"
                    + " expected 200, code \(expectedCode)")
        }
        answers += 1
        latency.record(UInt64(max(0, time - sentAt[connection])))
        bodyBytesMin = min(bodyBytesMin, answer.bodyBytes)
        bodyBytesMax = max(bodyBytesMax, answer.bodyBytes)
    }

    mutating func checkStall(_ received: Int) throws {
        let time = now()
        if received > 0 {
            lastAnswerAt = time
        } else if time - lastAnswerAt > Generator.stallNanosecondsMax {
            throw BenchError("no answer for 10 s, \(answers) until then")
        }
    }

    private static func cpu(_ servers: [Server]) -> Int64 {
        servers.reduce(0) { $0 + $1.cpuNanoseconds() }
    }

    func outcome(since start: Int64) -> Outcome {
        let nanoseconds = now() - start
        var outcome = Outcome()
        outcome.answers = answers
        outcome.seconds = Double(nanoseconds) / nanosecondsPerSecond
        outcome.latency = latency
        outcome.bodyBytes = min(bodyBytesMin, bodyBytesMax)...bodyBytesMax
        outcome.serverNanoseconds = Self.cpu(servers) - serverAtStart
        outcome.generatorShare =
            Double(bench_cpu_nanoseconds(getpid()) - cpuAtStart) / Double(max(1, nanoseconds))
        return outcome
    }
}
