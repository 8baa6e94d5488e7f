import Glibc

/// A blocking client socket on loopback. Every wait has a limit, so that a failing test ends.
final class TestSocket {
    static let waitMilliseconds: Int32 = 10_000

    let descriptor: Int32
    private var isOpen = true

    /// Takes over an accepted socket.
    init(accepted descriptor: Int32) { self.descriptor = descriptor }

    init(port: UInt16, ipv6: Bool = false, receiveBufferBytes: Int32? = nil) {
        let family = ipv6 ? AF_INET6 : AF_INET
        descriptor = socket(family, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
        precondition(descriptor >= 0, "socket failed: errno \(errno)")
        if var bytes = receiveBufferBytes {
            unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &bytes, 4)
        }
        var on: Int32 = 1
        unsafe setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, 4)
        let status: Int32
        if ipv6 {
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = port.bigEndian
            address.sin6_addr = in6addr_loopback
            status = unsafe withUnsafeBytes(of: &address) { bytes in
                unsafe connect(
                    descriptor, bytes.assumingMemoryBound(to: sockaddr.self).baseAddress,
                    socklen_t(bytes.count))
            }
        } else {
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            status = unsafe withUnsafeBytes(of: &address) { bytes in
                unsafe connect(
                    descriptor, bytes.assumingMemoryBound(to: sockaddr.self).baseAddress,
                    socklen_t(bytes.count))
            }
        }
        precondition(status == 0, "connect to port \(port) failed: errno \(errno)")
    }

    deinit { close() }

    /// The error of connecting to that port of 127.0.0.1; 0 when it is open.
    static func connectError(port: UInt16) -> Int32 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
        defer { Glibc.close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let status = unsafe withUnsafeBytes(of: &address) { bytes in
            unsafe connect(
                descriptor, bytes.assumingMemoryBound(to: sockaddr.self).baseAddress,
                socklen_t(bytes.count))
        }
        return status == 0 ? 0 : errno
    }

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

    func closeSending() { shutdown(descriptor, Int32(SHUT_WR)) }

    func send(_ text: String) { send(Array(text.utf8)) }

    /// False when the peer has closed.
    @discardableResult
    func send(_ bytes: [UInt8]) -> Bool {
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

    /// nil at the end of the stream or after an error; fails the wait after `waitMilliseconds`.
    func receiveSome(atMost count: Int = 65_536, within milliseconds: Int32 = waitMilliseconds)
        -> [UInt8]?
    {
        guard isReadable(within: milliseconds) else { return nil }
        var bytes = [UInt8](repeating: 0, count: count)
        let received = unsafe bytes.withUnsafeMutableBytes {
            unsafe recv(descriptor, $0.baseAddress, $0.count, 0)
        }
        return received > 0 ? Array(bytes.prefix(received)) : nil
    }

    /// True when there is something to read, the end of the stream included.
    func isReadable(within milliseconds: Int32) -> Bool {
        var descriptors = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return unsafe poll(&descriptors, 1, milliseconds) > 0
    }

    /// Everything up to the end of the stream.
    func receiveAll() -> String {
        var bytes: [UInt8] = pending
        pending = []
        while let more = receiveSome() { bytes += more }
        return String(decoding: bytes, as: UTF8.self)
    }

    private var pending: [UInt8] = []

    /// One reply, by its Content-Length; what follows it is kept for the next call.
    func receiveReply(toHead: Bool = false) -> Reply? {
        while true {
            if let (reply, count) = Reply.parse(pending, toHead: toHead) {
                pending.removeFirst(count)
                return reply
            }
            guard let more = receiveSome() else { return nil }
            pending += more
        }
    }
}

struct Reply {
    var statusLine: String
    var headers: [(name: String, value: String)]
    var body: String

    var status: Int { Int(statusLine.split(separator: " ").dropFirst().first ?? "") ?? 0 }

    func header(_ name: String) -> String? {
        headers.first { $0.name.lowercased() == name.lowercased() }?.value
    }

    func headerCount(_ name: String) -> Int {
        headers.count { $0.name.lowercased() == name.lowercased() }
    }

    static func parse(_ bytes: [UInt8], toHead: Bool) -> (Reply, Int)? {
        var end = 0
        while end + 4 <= bytes.count, bytes[end..<end + 4] != [13, 10, 13, 10] { end += 1 }
        if end + 4 > bytes.count { return nil }
        let head = String(decoding: bytes[..<end], as: UTF8.self)
        var lines = head.split(separator: "\r\n").map(String.init)
        var reply = Reply(statusLine: lines.removeFirst(), headers: [], body: "")
        for line in lines {
            let parts = line.split(separator: ":", maxSplits: 1)
            let value = parts.count > 1 ? parts[1].drop { $0 == " " } : ""
            reply.headers.append((String(parts[0]), String(value)))
        }
        if reply.status == 100 { return (reply, end + 4) }
        let length = toHead ? 0 : Int(reply.header("content-length") ?? "") ?? 0
        if bytes.count < end + 4 + length { return nil }
        reply.body = String(decoding: bytes[(end + 4)..<(end + 4 + length)], as: UTF8.self)
        return (reply, end + 4 + length)
    }
}
