import Foundation

/// One connection to a node, blocking. Every wait has a limit, so that a failing test ends.
final class HTTPClient {
    private let descriptor: Int32
    private var received: [UInt8] = []
    private var isOpen = true

    static let waitSeconds = 10.0

    init(port: UInt16) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
        guard descriptor >= 0 else { throw Failure("no socket: errno \(errno)") }
        var on: Int32 = 1
        unsafe setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, 4)
        // A node that does not read must not hold a test up.
        var limit = timeval(tv_sec: 10, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let status = unsafe withUnsafeBytes(of: &address) { bytes in
            unsafe Glibc.connect(
                descriptor, bytes.assumingMemoryBound(to: sockaddr.self).baseAddress,
                socklen_t(bytes.count))
        }
        guard status == 0 else {
            let code = errno
            close()
            throw Failure("no connection to port \(port): errno \(code)")
        }
    }

    deinit { close() }

    func close() {
        if isOpen { Glibc.close(descriptor) }
        isOpen = false
    }

    /// Closes with a reset instead of an orderly end.
    func reset() {
        var option = linger(l_onoff: 1, l_linger: 0)
        let size = socklen_t(MemoryLayout<linger>.size)
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, size)
        close()
    }

    func endSending() { shutdown(descriptor, Int32(SHUT_WR)) }

    func send(_ text: String) throws { try send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) throws {
        guard sendAll(bytes) else { throw Failure("the node has closed: errno \(errno)") }
    }

    /// False when the node closed before it got everything.
    func sendAll(_ bytes: [UInt8]) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = unsafe bytes[sent...].withUnsafeBytes {
                unsafe Glibc.send(
                    descriptor, $0.baseAddress, $0.count, Int32(truncatingIfNeeded: MSG_NOSIGNAL))
            }
            if count <= 0 { return false }
            sent += count
        }
        return true
    }

    func exchange(_ request: String, toHead: Bool = false) throws -> HTTPReply {
        try send(request)
        return try reply(toHead: toHead)
    }

    /// The next reply, by its Content-Length; what follows it is kept.
    func reply(within seconds: Double = waitSeconds, toHead: Bool = false) throws -> HTTPReply {
        let end = DispatchTime.now() + seconds
        while true {
            if let (reply, count) = try HTTPReply.parse(received, toHead: toHead) {
                received.removeFirst(count)
                return reply
            }
            guard try receive(until: end) else {
                throw Failure("closed instead of a reply, after \(received.count) bytes")
            }
        }
    }

    /// Whether nothing comes for so long.
    func isSilent(for seconds: Double) -> Bool {
        received.isEmpty && !isReadable(milliseconds: Int32(seconds * 1000))
    }

    /// Everything up to the end of the stream. A reset counts as an end.
    func remainder(within seconds: Double = waitSeconds) throws -> String {
        let end = DispatchTime.now() + seconds
        while try receive(until: end) {}
        defer { received = [] }
        return String(decoding: received, as: UTF8.self)
    }

    /// False at the end of the stream.
    private func receive(until end: DispatchTime) throws -> Bool {
        let now = DispatchTime.now().uptimeNanoseconds
        let left = end.uptimeNanoseconds > now ? end.uptimeNanoseconds - now : 0
        guard isReadable(milliseconds: Int32(clamping: left / 1_000_000)) else {
            throw Failure("nothing came in time, after \(received.count) bytes")
        }
        var piece = [UInt8](repeating: 0, count: 65_536)
        let count = unsafe recv(descriptor, &piece, piece.count, 0)
        if count <= 0 { return false }
        received += piece[..<count]
        return true
    }

    private func isReadable(milliseconds: Int32) -> Bool {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return unsafe poll(&entry, 1, milliseconds) > 0
    }
}

/// Requests as text.
enum HTTPRequest {
    static func get(_ target: String, _ headers: [String] = []) -> String {
        head("GET", target, headers) + "\r\n"
    }

    static func post(
        _ target: String, _ body: String,
        _ headers: [String] = ["Content-Type: application/x-www-form-urlencoded"]
    ) -> String {
        head("POST", target, headers) + "Content-Length: \(body.utf8.count)\r\n\r\n" + body
    }

    static func head(_ method: String, _ target: String, _ headers: [String]) -> String {
        "\(method) \(target) HTTP/1.1\r\nHost: node\r\n"
            + headers.map { "\($0)\r\n" }.joined()
    }
}

/// What a node answered.
struct HTTPReply: Equatable {
    /// The status line and the headers, as they came.
    var head: String
    var body: [UInt8]

    var text: String { String(decoding: body, as: UTF8.self) }

    var status: Int {
        let words = head.prefix { $0 != "\r\n" }.split(separator: " ")
        return words.count > 1 ? Int(words[1]) ?? 0 : 0
    }

    /// The names of the headers in their order.
    var headerNames: [String] {
        head.split(separator: "\r\n").dropFirst().map { String($0.prefix { $0 != ":" }) }
    }

    func header(_ name: String) -> String? {
        for line in head.split(separator: "\r\n").dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            if parts[0].lowercased() == name.lowercased() {
                return parts.count > 1 ? String(parts[1].drop { $0 == " " }) : ""
            }
        }
        return nil
    }

    /// With every timestamp, 19 digits, as T.
    var textWithoutTimes: String {
        text.replacing(/[0-9]{19}/, with: "T")
    }

    /// The body as JSON; throws where it is none.
    var json: JSON { get throws { try JSON(body) } }

    /// `code` of the body.
    var code: Int { get throws { try json["code"].int } }

    var message: String { get throws { try json["message"].string } }

    static func parse(_ bytes: [UInt8], toHead: Bool) throws -> (HTTPReply, Int)? {
        var end = 0
        while end + 4 <= bytes.count, bytes[end..<end + 4] != [13, 10, 13, 10] { end += 1 }
        if end + 4 > bytes.count { return nil }
        var reply = HTTPReply(head: String(decoding: bytes[..<end], as: UTF8.self), body: [])
        if reply.status == 100 { return (reply, end + 4) }
        guard let length = Int(reply.header("Content-Length") ?? "") else {
            throw Failure("a reply without length:\n\(reply.head)")
        }
        let start = end + 4
        if toHead { return (reply, start) }
        if bytes.count < start + length { return nil }
        reply.body = Array(bytes[start..<start + length])
        return (reply, start + length)
    }
}
