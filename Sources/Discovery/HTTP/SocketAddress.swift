internal import Glibc

/// An IPv4 or IPv6 address with a port.
struct SocketAddress: Sendable {
    let host: String
    let port: UInt16
    private var storage = sockaddr_storage()
    private var length: socklen_t

    init(host: String, port: UInt16) throws(LoopError) {
        guard let address = SocketAddress(literal: host, port: port) else {
            throw .badAddress(host: host)
        }
        self = address
    }

    /// nil when `host` is no IPv4 or IPv6 literal.
    init?(literal host: String, port: UInt16) {
        self.host = host
        self.port = port
        var address4 = sockaddr_in()
        var address6 = sockaddr_in6()
        if unsafe inet_pton(AF_INET, host, &address4.sin_addr) == 1 {
            address4.sin_family = sa_family_t(AF_INET)
            address4.sin_port = port.bigEndian
            length = socklen_t(MemoryLayout<sockaddr_in>.size)
            unsafe withUnsafeMutableBytes(of: &storage) {
                unsafe $0.storeBytes(of: address4, as: sockaddr_in.self)
            }
        } else if unsafe inet_pton(AF_INET6, host, &address6.sin6_addr) == 1 {
            address6.sin6_family = sa_family_t(AF_INET6)
            address6.sin6_port = port.bigEndian
            length = socklen_t(MemoryLayout<sockaddr_in6>.size)
            unsafe withUnsafeMutableBytes(of: &storage) {
                unsafe $0.storeBytes(of: address6, as: sockaddr_in6.self)
            }
        } else {
            return nil
        }
    }

    func withPointer<Value>(_ read: (UnsafePointer<sockaddr>, socklen_t) -> Value) -> Value {
        unsafe withUnsafeBytes(of: storage) { bytes in
            guard let start = bytes.baseAddress else { preconditionFailure("no address bytes") }
            return unsafe read(start.assumingMemoryBound(to: sockaddr.self), length)
        }
    }

    /// The port a socket is bound to; nil when the system will not say.
    static func port(of descriptor: Int32) -> UInt16? {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let status = unsafe withUnsafeMutableBytes(of: &storage) { bytes -> Int32 in
            guard let start = bytes.baseAddress else { return -1 }
            return unsafe getsockname(
                descriptor, start.assumingMemoryBound(to: sockaddr.self), &length)
        }
        if status != 0 { return nil }
        // Both families keep the port in the same place, right behind the family.
        return unsafe withUnsafeBytes(of: storage) { bytes in
            unsafe UInt16(
                bigEndian: bytes.load(
                    fromByteOffset: MemoryLayout<sa_family_t>.size, as: UInt16.self))
        }
    }

    /// A socket bound here that does not listen yet.
    ///
    /// SO_REUSEADDR lets it pass the remains of earlier connections, but on Linux it would also let
    /// two sockets be bound that do not listen yet. So it is taken back: until `Listener.open`, a
    /// second server finds the port taken, if it looks with `checkFree`.
    func bind(sharesPort: Bool) throws(LoopError) -> Int32 {
        let descriptor = openSocket()
        if descriptor < 0 { throw failure(errno) }
        Self.setOption(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1)
        // Accepted sockets inherit it. Replies are written whole: waiting for an acknowledgement
        // of the one before would only delay the next of several pipelined ones.
        Self.setOption(descriptor, SOL_TCP, TCP_NODELAY, 1)
        Self.setOption(descriptor, SOL_SOCKET, SO_REUSEADDR, 1)
        if sharesPort { Self.setOption(descriptor, SOL_SOCKET, SO_REUSEPORT, 1) }
        let status = unsafe withPointer { unsafe Glibc.bind(descriptor, $0, $1) }
        if status != 0 {
            let failure = failure(errno)
            close(descriptor)
            throw failure
        }
        Self.setOption(descriptor, SOL_SOCKET, SO_REUSEADDR, 0)
        return descriptor
    }

    /// Whether another socket is bound here. With SO_REUSEPORT a second server could otherwise bind
    /// the same port without a word and take half of the connections, and with SO_REUSEADDR one
    /// that waits to listen would hear of it only then.
    func checkFree() throws(LoopError) {
        let strict = openSocket()
        if strict < 0 { throw failure(errno) }
        let status = unsafe withPointer { unsafe Glibc.bind(strict, $0, $1) }
        close(strict)
        if status == 0 { return }
        // It may be no more than remains of connections. They do not keep one from listening;
        // another socket does, whether it listens or has taken back its SO_REUSEADDR.
        let lax = openSocket()
        if lax < 0 { throw failure(errno) }
        defer { close(lax) }
        Self.setOption(lax, SOL_SOCKET, SO_REUSEADDR, 1)
        guard unsafe withPointer({ unsafe Glibc.bind(lax, $0, $1) }) == 0, listen(lax, 1) == 0
        else {
            throw failure(errno)
        }
    }

    /// A socket for this address, not blocking; below 0, errno says why not.
    func openSocket() -> Int32 {
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | O_CLOEXEC
        return socket(Int32(storage.ss_family), type, 0)
    }

    static func setOption(_ descriptor: Int32, _ level: Int32, _ name: Int32, _ value: Int32) {
        var value = value
        let size = socklen_t(MemoryLayout<Int32>.size)
        let status = unsafe setsockopt(descriptor, level, name, &value, size)
        assert(status == 0, "setsockopt \(name) failed: errno \(errno)")
    }

    func failure(_ code: Int32) -> LoopError {
        .bindFailed(host: host, port: port, code: code, reason: Self.text(ofError: code))
    }

    /// The system's words for an errno.
    static func text(ofError code: Int32) -> String {
        guard let text = unsafe strerror(code) else { return "unknown error" }
        return unsafe String(cString: text)
    }
}
