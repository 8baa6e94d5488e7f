internal import Glibc

/// An IPv4 or IPv6 address with a port.
struct SocketAddress: Sendable {
    let host: String
    let port: UInt16
    private var storage = sockaddr_storage()
    private var length: socklen_t

    init(host: String, port: UInt16) throws(LoopError) {
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
            throw .badAddress(host: host)
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

    /// Whether another socket listens here. With SO_REUSEPORT a second server could otherwise bind
    /// the same port without a word and take half of the connections.
    func checkFree() throws(LoopError) {
        let descriptor = socket(
            Int32(storage.ss_family), Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
        if descriptor < 0 { throw failure(errno) }
        defer { close(descriptor) }
        var on: Int32 = 1
        unsafe setsockopt(
            descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
        let status = unsafe withPointer { unsafe bind(descriptor, $0, $1) }
        if status != 0 { throw failure(errno) }
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
