import Glibc

/// What the defaults take from the machine. A value, so that tests can make one up.
struct Machine: Sendable, Equatable {
    /// Cores this process may run on.
    var cores: Int
    /// Files the process may have open once `raiseOpenFilesLimit` has been called.
    var filesMax: Int
    var hostName: String
    /// Numeric addresses that are up and not loopback, IPv4 first, in the system's order.
    var addresses: [String]

    /// Linux allows no process more than this unless `fs.nr_open` is raised.
    static let filesMaxCap = 1_048_576
    private static let hostNameBytesMax = 256
    private static let addressBytesMax = 256

    /// The machine this runs on.
    static func current() -> Machine {
        var limit = rlimit()
        let known = unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0
        let files = known ? min(limit.rlim_max, rlim_t(filesMaxCap)) : 1024
        return Machine(
            cores: max(Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))), 1), filesMax: Int(files),
            hostName: currentHostName(), addresses: currentAddresses())
    }

    /// Lets the process open as many files as it may: shells start programs with 1024, and every
    /// held poll is an open connection. Returns how many it can open now.
    static func raiseOpenFilesLimit() -> Int {
        var limit = rlimit()
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        guard unsafe getrlimit(resource, &limit) == 0 else { return 0 }
        let wanted = min(limit.rlim_max, rlim_t(filesMaxCap))
        if limit.rlim_cur < wanted {
            var raised = limit
            raised.rlim_cur = wanted
            if unsafe setrlimit(resource, &raised) == 0 { limit = raised }
        }
        return Int(min(limit.rlim_cur, rlim_t(filesMaxCap)))
    }

    private static func currentHostName() -> String {
        var bytes = [CChar](repeating: 0, count: hostNameBytesMax)
        guard unsafe gethostname(&bytes, bytes.count - 1) == 0 else { return "" }
        return string(bytes)
    }

    private static func currentAddresses() -> [String] {
        var first: UnsafeMutablePointer<ifaddrs>?
        guard unsafe getifaddrs(&first) == 0 else { return [] }
        defer { unsafe freeifaddrs(first) }
        var four: [String] = []
        var six: [String] = []
        var next = unsafe first
        while let interface = unsafe next {
            unsafe next = interface.pointee.ifa_next
            let flags = unsafe interface.pointee.ifa_flags
            guard flags & UInt32(IFF_UP) != 0,
                flags & UInt32(IFF_LOOPBACK) == 0,
                let address = unsafe interface.pointee.ifa_addr
            else { continue }
            switch Int32(unsafe address.pointee.sa_family) {
            case AF_INET: four += unsafe numeric(address, MemoryLayout<sockaddr_in>.size)
            case AF_INET6: six += unsafe numeric(address, MemoryLayout<sockaddr_in6>.size)
            default: continue
            }
        }
        return four + six
    }

    /// The address in digits; none for one that works on a single link only.
    private static func numeric(_ address: UnsafeMutablePointer<sockaddr>, _ size: Int) -> [String]
    {
        var bytes = [CChar](repeating: 0, count: addressBytesMax)
        let code = unsafe getnameinfo(
            address, socklen_t(size), &bytes, socklen_t(bytes.count), nil, 0, NI_NUMERICHOST)
        let text = string(bytes)
        return code == 0 && !text.utf8.contains(UInt8(ascii: "%")) ? [text] : []
    }

    /// The bytes before the first zero.
    private static func string(_ bytes: [CChar]) -> String {
        let text = bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        return String(decoding: text, as: UTF8.self)
    }
}

extension ConfigurationEnvironment {
    /// The variables this process was started with.
    static func current() -> ConfigurationEnvironment {
        var variables: [String: String] = [:]
        for (variable, _, _) in keys {
            guard let value = unsafe getenv(variable) else { continue }
            variables[variable] = unsafe String(cString: value)
        }
        return ConfigurationEnvironment(variables)
    }
}
