import Foundation

/// What the test's own servers need of sockets.
enum LoopbackSocket {
    /// Binds to a port that is free, and returns it.
    static func bind(_ descriptor: Int32) throws -> UInt16 {
        var address = Self.address(port: 0)
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = unsafe withUnsafeMutableBytes(of: &address) { bytes in
            guard let pointer = unsafe bytes.assumingMemoryBound(to: sockaddr.self).baseAddress,
                unsafe Glibc.bind(descriptor, pointer, size) == 0
            else { return Int32(-1) }
            return unsafe getsockname(descriptor, pointer, &size)
        }
        guard status == 0 else { throw Failure("no free port: errno \(errno)") }
        return UInt16(bigEndian: address.sin_port)
    }

    /// A socket that never blocks and listens.
    static func listen() throws -> (descriptor: Int32, port: UInt16) {
        let descriptor = make()
        let port = try bind(descriptor)
        guard Glibc.listen(descriptor, 128) == 0 else { throw Failure("no listener: \(errno)") }
        return (descriptor, port)
    }

    /// A socket that never blocks and is connected, or about to be.
    static func connect(port: UInt16) -> Int32 {
        let descriptor = make()
        var address = Self.address(port: port)
        _ = unsafe withUnsafeBytes(of: &address) { bytes in
            unsafe Glibc.connect(
                descriptor, bytes.assumingMemoryBound(to: sockaddr.self).baseAddress,
                socklen_t(bytes.count))
        }
        return descriptor
    }

    /// Negative if nobody waits.
    static func accept(_ listener: Int32) -> Int32 {
        let descriptor = Glibc.accept(listener, nil, nil)
        if descriptor >= 0 { prepare(descriptor) }
        return descriptor
    }

    /// Closes with a reset instead of an orderly end.
    static func reset(_ descriptor: Int32) {
        var option = linger(l_onoff: 1, l_linger: 0)
        let size = socklen_t(MemoryLayout<linger>.size)
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, size)
        close(descriptor)
    }

    private static func make() -> Int32 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        prepare(descriptor)
        return descriptor
    }

    private static func prepare(_ descriptor: Int32) {
        _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        var on: Int32 = 1
        unsafe setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, 4)
    }

    private static func address(port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }
}
