import DiscoveryHTTP
import Glibc
import Synchronization

/// A host to call: every connection is served by a script, in a thread of its own.
final class ScriptedHost: Sendable {
    let port: UInt16
    private let acceptor: Acceptor
    private let thread = Mutex<Thread?>(nil)

    /// `script` gets the connections with their position; they are closed behind it.
    init(_ script: @escaping @Sendable (TestSocket, _ index: Int) -> Void) {
        let (listener, port) = Self.listen(backlog: 128)
        let acceptor = Acceptor(listener, script)
        self.port = port
        self.acceptor = acceptor
        thread.withLock { $0 = Thread { acceptor.run() } }
    }

    /// Answers every request with `text`.
    static func answering(_ text: String) -> ScriptedHost {
        ScriptedHost { socket, _ in
            while socket.receiveRequest() != nil { socket.send(text) }
        }
    }

    static func listen(backlog: Int32) -> (descriptor: Int32, port: UInt16) {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = unsafe withUnsafeMutableBytes(of: &address) { bytes -> Int32 in
            guard let start = unsafe bytes.assumingMemoryBound(to: sockaddr.self).baseAddress else {
                return -1
            }
            if unsafe bind(listener, start, size) != 0 { return -1 }
            return unsafe getsockname(listener, start, &size)
        }
        precondition(status == 0 && Glibc.listen(listener, backlog) == 0, "no listener: \(errno)")
        return (listener, address.sin_port.bigEndian)
    }

    var acceptedCount: Int { acceptor.acceptedCount }

    /// Until no connection is open.
    func waitUntilLeft() { acceptor.waitUntilLeft() }

    /// Ends all connections and refuses new ones.
    func stop() {
        guard let thread = thread.withLock({ $0.take() }) else { return }
        acceptor.stop()
        thread.join()
        acceptor.closeListener()
    }

    deinit { stop() }

    /// A call to this host that has ten seconds.
    func call(
        _ id: UInt64, _ target: String = "/", host: String = "127.0.0.1",
        within milliseconds: Int = 10_000, replyBytesMax: Int = 1 << 20
    ) -> OutgoingCall {
        OutgoingCall(
            id: id, host: host, port: port, method: .get, target: target,
            timeoutMilliseconds: milliseconds, replyBytesMax: replyBytesMax)
    }
}

/// What the threads of a scripted host share; apart from it, so that they do not keep it alive.
private final class Acceptor: Sendable {
    private struct State {
        var acceptedCount = 0
        var open: Set<Int32> = []
        var isOver = false
    }

    private let listener: Int32
    private let script: @Sendable (TestSocket, _ index: Int) -> Void
    private let state = Mutex(State())

    init(_ listener: Int32, _ script: @escaping @Sendable (TestSocket, _ index: Int) -> Void) {
        self.listener = listener
        self.script = script
    }

    var acceptedCount: Int { state.withLock { $0.acceptedCount } }

    func waitUntilLeft() {
        while state.withLock({ !$0.open.isEmpty }) { sched_yield() }
    }

    /// Returns when stopped and all scripts have ended.
    func run() {
        var threads: [Thread] = []
        while true {
            let descriptor = accept(listener, nil, nil)
            if descriptor < 0 { break }
            let index: Int? = state.withLock { state in
                if state.isOver { return nil }
                state.open.insert(descriptor)
                state.acceptedCount += 1
                return state.acceptedCount - 1
            }
            guard let index else {
                close(descriptor)
                break
            }
            threads.append(Thread { self.serve(descriptor, index) })
        }
        for thread in threads { thread.join() }
    }

    private func serve(_ descriptor: Int32, _ index: Int) {
        let socket = TestSocket(accepted: descriptor)
        script(socket, index)
        state.withLock { state in
            _ = state.open.remove(descriptor)
            socket.close()
        }
    }

    func stop() {
        state.withLock { state in
            state.isOver = true
            for descriptor in state.open { shutdown(descriptor, Int32(SHUT_RDWR)) }
        }
        shutdown(listener, Int32(SHUT_RDWR))
    }

    /// Behind `run`.
    func closeListener() { close(listener) }
}

extension TestSocket {
    /// One request with its body, as text; nil at the end of the stream.
    func receiveRequest() -> String? {
        guard let request = receiveReply() else { return nil }
        let lines = [request.statusLine] + request.headers.map { "\($0.name): \($0.value)" }
        return lines.joined(separator: "\n") + "\n\n" + request.body
    }
}
