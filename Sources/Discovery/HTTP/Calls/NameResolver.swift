internal import Glibc
internal import Synchronization

/// The answer to a name a loop has asked for.
struct ResolvedName: Sendable {
    struct Failure: Error, Equatable {
        let reason: String
    }

    let host: String
    let outcome: Result<[String], Failure>
}

/// Resolves names with getaddrinfo, which blocks, on threads that live only while there are names
/// to resolve.
///
/// Process-wide: any loop may ask, and gets its answer through its mailbox. A thread in the middle
/// of a slow look-up outlives a loop that stops; its answer is then dropped with the mailbox.
/// Not evdns: it knows neither /etc/hosts nor nsswitch in full, and its parser has a record.
final class NameResolver: Sendable {
    static let shared = NameResolver()

    private struct Job {
        let host: String
        let handle: LoopHandle
    }

    private struct State {
        var jobs: [Job] = []
        var threadCount = 0
    }

    private let state = Mutex(State())

    /// Names waiting for a thread. A cluster has fewer names than that.
    private static let jobsMax = 256
    /// So that one name server that does not answer delays few others.
    private static let threadsMax = 4
    /// Addresses of one name that are tried.
    private static let addressesMax = 8

    /// False when too many names are waiting, or no thread can be had.
    func resolve(_ host: String, for handle: LoopHandle) -> Bool {
        let (isTaken, needsThread) = state.withLock { state in
            if state.jobs.count >= Self.jobsMax { return (false, false) }
            state.jobs.append(Job(host: host, handle: handle))
            let needsThread = state.threadCount < Self.threadsMax
            if needsThread { state.threadCount += 1 }
            return (true, needsThread)
        }
        if !needsThread || startThread() { return isTaken }
        return state.withLock { state in
            state.threadCount -= 1
            // Others will get to it.
            if state.threadCount > 0 { return true }
            state.jobs.removeAll { $0.host == host && $0.handle === handle }
            return false
        }
    }

    private func startThread() -> Bool {
        var thread = pthread_t()
        // The thread takes over this retain.
        let retained = unsafe Unmanaged.passRetained(self)
        let code = unsafe pthread_create(&thread, nil, resolverThread, retained.toOpaque())
        if code != 0 {
            unsafe retained.release()
            return false
        }
        pthread_detach(thread)
        return true
    }

    fileprivate func run() {
        while let job = nextJob() {
            let name = ResolvedName(host: job.host, outcome: Self.look(up: job.host))
            job.handle.mailbox.post { $0.names.append(name) }
        }
    }

    private func nextJob() -> Job? {
        state.withLock { state in
            if state.jobs.isEmpty {
                state.threadCount -= 1
                return nil
            }
            return state.jobs.removeFirst()
        }
    }

    /// Blocks.
    static func look(up host: String) -> Result<[String], ResolvedName.Failure> {
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var first: UnsafeMutablePointer<addrinfo>?
        let code = unsafe getaddrinfo(host, nil, &hints, &first)
        if code != 0 {
            let reason = unsafe gai_strerror(code).map { unsafe String(cString: $0) }
            return .failure(ResolvedName.Failure(reason: reason ?? "error \(code)"))
        }
        defer { unsafe freeaddrinfo(first) }
        var literals: [String] = []
        var next = unsafe first
        while let info = unsafe next, literals.count < addressesMax {
            if let literal = unsafe literal(of: info.pointee) { literals.append(literal) }
            unsafe next = info.pointee.ai_next
        }
        if literals.isEmpty {
            return .failure(ResolvedName.Failure(reason: "it has no address"))
        }
        return .success(literals)
    }

    private static func literal(of info: addrinfo) -> String? {
        var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        let status = unsafe getnameinfo(
            info.ai_addr, info.ai_addrlen, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST)
        if status != 0 { return nil }
        return String(
            decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

private func resolverThread(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let context = unsafe context else { preconditionFailure("a thread without resolver") }
    unsafe Unmanaged<NameResolver>.fromOpaque(context).takeRetainedValue().run()
    return nil
}
