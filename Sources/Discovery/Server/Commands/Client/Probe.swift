import Glibc

/// Tries connections. Resolving a name may take its time; connecting has a limit.
enum Probe {
    /// Whether any address of the host takes a connection.
    static func accepts(_ place: Endpoint, withinMilliseconds limit: Int) -> Bool {
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        guard unsafe getaddrinfo(place.host, "\(place.port)", &hints, &found) == 0 else {
            return false
        }
        defer { unsafe freeaddrinfo(found) }
        var next = unsafe found
        while let entry = unsafe next {
            let kind =
                unsafe entry.pointee.ai_socktype
                | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
            let descriptor = unsafe socket(entry.pointee.ai_family, kind, 0)
            if descriptor >= 0 {
                defer { close(descriptor) }
                let code = unsafe connect(
                    descriptor, entry.pointee.ai_addr, entry.pointee.ai_addrlen)
                if code == 0 || (errno == EINPROGRESS && isOpen(descriptor, limit)) {
                    if !isItself(descriptor) { return true }
                }
            }
            unsafe next = entry.pointee.ai_next
        }
        return false
    }

    private static func isOpen(_ descriptor: Int32, _ limit: Int) -> Bool {
        var wanted = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        guard unsafe poll(&wanted, 1, Int32(clamping: limit)) == 1 else { return false }
        var failure: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        let code = unsafe getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &failure, &length)
        return code == 0 && failure == 0
    }

    /// A connection to a port of the range that outgoing ones are taken from may meet itself.
    private static func isItself(_ descriptor: Int32) -> Bool {
        func port(_ ask: (Int32, UnsafeMutablePointer<sockaddr>, inout socklen_t) -> Int32) -> Int {
            var address = sockaddr_storage()
            var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
            let code = unsafe withUnsafeMutablePointer(to: &address) { storage in
                unsafe storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                    unsafe ask(descriptor, pointer, &length)
                }
            }
            guard code == 0 else { return -1 }
            // Family, then the port, in both families.
            return unsafe withUnsafeBytes(of: &address) { bytes in
                unsafe Int(bytes[2]) << 8 | Int(bytes[3])
            }
        }
        let own = unsafe port { unsafe getsockname($0, $1, &$2) }
        let other = unsafe port { unsafe getpeername($0, $1, &$2) }
        return own == other
    }
}
