import DiscoveryHTTP
import Glibc
import Synchronization
import Testing

/// A group of loops with a scripted client, stopped when it goes.
final class TestServer: Sendable {
    let group: LoopGroup
    let events: EventLog
    private let hasJoined = Mutex(false)

    init(
        loops: Int = 1, listeners: [ListenerConfiguration]? = nil, logsAll: Bool = false,
        _ limits: HTTPLimits = HTTPLimits()
    ) throws {
        let events = EventLog()
        self.events = events
        let configuration = LoopConfiguration(
            listeners: listeners ?? [ListenerConfiguration(host: "127.0.0.1", port: 0)],
            limits: limits)
        group = try LoopGroup.start(count: loops, configuration) { loop, siblings in
            ScriptedClient(loop, siblings, events, logsAll: logsAll)
        }
    }

    deinit { stop() }

    /// Stops the loops and waits for their ends; once is enough.
    func stop() {
        let mustJoin = hasJoined.withLock { hasJoined in
            defer { hasJoined = true }
            return !hasJoined
        }
        if !mustJoin { return }
        group.stop()
        group.join()
    }

    var port: UInt16 { group.ports[0] }

    func connect(receiveBufferBytes: Int32? = nil) -> TestSocket {
        TestSocket(port: port, receiveBufferBytes: receiveBufferBytes)
    }

    /// Sends `bytes` on a connection of its own and returns all that comes back until it is closed.
    func exchange(_ bytes: String) -> String {
        let socket = connect()
        socket.send(bytes)
        return socket.receiveAll()
    }

    /// The statistics of the first loop once they satisfy `condition`, or the last ones seen.
    func statistics(where condition: (LoopStatistics) -> Bool) -> LoopStatistics {
        let end = milliseconds() + Int(TestSocket.waitMilliseconds)
        while true {
            let statistics = group.handles[0].statistics()
            if condition(statistics) || milliseconds() > end { return statistics }
            // The loop publishes at most every 100 ms: waiting on nothing readable is a pause.
            poll(nil, 0, 5)
        }
    }

    /// Has the first loop make the calls, within one turn.
    func call(_ calls: OutgoingCall...) { group.handles[0].post(message: calls) }

    func post(_ ticket: Ticket, _ text: String) {
        let reply = AddressedReply(
            ticket: ticket, head: ScriptedClient.okHead, body: SharedBody(Array(text.utf8)))
        group.handles[ticket.loop].post([reply])
    }
}

func milliseconds() -> Int {
    var time = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return time.tv_sec * 1000 + time.tv_nsec / 1_000_000
}

enum Event: Sendable, Equatable {
    case received(Ticket, String)
    case left(Ticket)
    case message(String)
    /// Id, status, X-Test and body.
    case answered(UInt64, Int, String, String)
    case failed(UInt64, CallFailure)
    case hungUp(port: UInt16)
}

/// What the loops' clients have seen, for the thread of the test to wait on.
final class EventLog: Sendable {
    private let events = Mutex<[Event]>([])
    /// A pipe with one byte per event: the way to wait with a limit.
    private let readEnd: Int32
    private let writeEnd: Int32

    init() {
        var ends: [Int32] = [-1, -1]
        let status = unsafe pipe(&ends)
        precondition(status == 0, "pipe failed: errno \(errno)")
        readEnd = ends[0]
        writeEnd = ends[1]
    }

    deinit {
        close(readEnd)
        close(writeEnd)
    }

    func add(_ event: Event) {
        events.withLock { $0.append(event) }
        var byte: UInt8 = 1
        _ = unsafe write(writeEnd, &byte, 1)
    }

    /// The oldest event not taken yet; nil after ten seconds without one.
    func next() -> Event? {
        var descriptors = pollfd(fd: readEnd, events: Int16(POLLIN), revents: 0)
        guard unsafe poll(&descriptors, 1, TestSocket.waitMilliseconds) > 0 else { return nil }
        var byte: UInt8 = 0
        _ = unsafe read(readEnd, &byte, 1)
        return events.withLock { $0.isEmpty ? nil : $0.removeFirst() }
    }

    func nextTicket() -> Ticket? {
        if case .received(let ticket, _) = next() { ticket } else { nil }
    }
}

/// Answers by path: `/park…` never, `/now…` from within `received`, `/big` with a shared body,
/// everything else at the end of the turn by describing the request.
final class ScriptedClient: LoopClient {
    static let okHead = ReplyHead(
        status: 200, reason: "OK", contentType: "text/plain", headers: [("X-Test", "yes")])
    static let closingHead = ReplyHead(
        status: 200, reason: "OK", contentType: "text/plain", closes: true)

    private let loop: EventLoop
    private let siblings: [LoopHandle]
    private let events: EventLog
    private var due: [(ticket: Ticket, text: String)] = []
    private var crossing: [AddressedReply] = []
    private var big: SharedBody?
    private var alarm: (ticket: Ticket, start: UInt64, end: UInt64)?

    /// Also requests that are answered at once go to `events`.
    private let logsAll: Bool

    init(
        _ loop: EventLoop, _ siblings: [LoopHandle], _ events: EventLog, logsAll: Bool = false
    ) {
        self.logsAll = logsAll
        self.loop = loop
        self.siblings = siblings
        self.events = events
    }

    func received(_ request: borrowing Request) {
        let ticket = request.ticket
        let text = describe(request)
        let path = request.withTarget { path, _ in text8(path) }
        if path.hasPrefix("/park") {
            events.add(.received(ticket, text))
        } else if path.hasPrefix("/now") {
            loop.reply(ticket, Self.okHead, text.utf8.span)
        } else if path.hasPrefix("/closing") {
            loop.reply(ticket, Self.closingHead, text.utf8.span)
        } else if path.hasPrefix("/mailbox") {
            crossing.append(
                AddressedReply(
                    ticket: ticket, head: Self.okHead, body: SharedBody(Array(text.utf8))))
        } else if path.hasPrefix("/big") {
            let body = big ?? SharedBody([UInt8](repeating: 0x62, count: 8 << 20))
            big = body
            loop.reply(ticket, Self.okHead, body)
        } else if path == "/timer" {
            let now = loop.monotonicNanoseconds
            alarm = (ticket, now, now + 50_000_000)
            loop.setDeadline(monotonicNanoseconds: now + 50_000_000)
        } else if path == "/listener" {
            due.append((ticket, "listener \(request.listener)"))
        } else if path == "/address" {
            due.append((ticket, request.remoteAddress()))
        } else {
            if logsAll { events.add(.received(ticket, text)) }
            due.append((ticket, text))
        }
    }

    func clientLeft(_ ticket: Ticket) { events.add(.left(ticket)) }

    func replies(_ reply: borrowing AddressedReply) {}

    func answered(_ reply: borrowing CallReply) {
        let mark = reply.withHeader("X-Test") { value in if let value { text8(value) } else { "-" }
        }
        let body = reply.withBody { text8($0) }
        let call = (id: reply.id, status: reply.status)
        events.add(.answered(call.id, call.status, mark, body))
    }

    func callFailed(_ id: UInt64, _ failure: CallFailure) { events.add(.failed(id, failure)) }

    func hostHungUp(_ host: String, port: UInt16) { events.add(.hungUp(port: port)) }

    func receivedMessage(_ message: any Sendable) {
        if let calls = message as? [OutgoingCall] {
            for call in calls { loop.call(call) }
            if calls.count > 1 { events.add(.message("called")) }
            return
        }
        events.add(.message(message as? String ?? "not a text"))
    }

    func turnEnded(_ loop: EventLoop) {
        for (ticket, text) in due { loop.reply(ticket, Self.okHead, text.utf8.span) }
        due.removeAll(keepingCapacity: true)
        if !crossing.isEmpty { siblings[loop.index].post(crossing) }
        crossing.removeAll()
        if let (ticket, start, end) = alarm, loop.monotonicNanoseconds >= end {
            let elapsed = (loop.monotonicNanoseconds - start) / 1_000_000
            loop.reply(ticket, Self.okHead, "\(elapsed)".utf8.span)
            alarm = nil
        }
    }

    /// Method, target, X-Mark header and body, so that a test can see what arrived.
    private func describe(_ request: borrowing Request) -> String {
        let target = request.withTarget { path, query in "\(text8(path))|\(text8(query))" }
        let mark = request.withHeader("X-Mark") { value in
            if let value { text8(value) } else { "-" }
        }
        let body = request.withBody { text8($0) }
        return "\(request.method) \(target) \(mark) \(body)"
    }
}

/// Bytes as text, one character each.
func text8(_ bytes: Span<UInt8>) -> String {
    var text = ""
    for index in 0..<bytes.count { text.unicodeScalars.append(Unicode.Scalar(bytes[index])) }
    return text
}
