internal import CLibevent
internal import Glibc
internal import Synchronization

/// A number of loops, each in a thread of its own, that share their listening ports.
package struct LoopGroup: Sendable {
    /// By index of the loop.
    package let handles: [LoopHandle]
    /// By position of the listener: the port, also where 0 was configured.
    package let ports: [UInt16]
    private let threads: [pthread_t]

    /// Makes the client of a loop, inside the loop's thread. `siblings` are all handles of the
    /// group, that of the loop itself included.
    package typealias ClientFactory =
        @Sendable (_ loop: EventLoop, _ siblings: [LoopHandle]) -> any LoopClient

    /// Starts `count` loops (1...255) and returns when all of them listen. When one cannot, those
    /// before it are stopped again and its error is thrown.
    package static func start(
        count: Int, _ configuration: LoopConfiguration, makeClient: @escaping ClientFactory
    ) throws(LoopError) -> LoopGroup {
        precondition((1...Ticket.loopMax).contains(count), "1...255 loops, got \(count)")
        // Writing to a connection the client has closed is an error like others, not a signal.
        signal(SIGPIPE, SIG_IGN)
        LibeventMemory.install()
        let handles = (0..<count).map { LoopHandle(index: $0) }
        var ports = configuration.listeners.map(\.port)
        var threads: [pthread_t] = []
        for index in 0..<count {
            let plan = LoopPlan(
                index: index, count: count, configuration: configuration, ports: ports,
                handles: handles, makeClient: makeClient)
            do throws(LoopError) {
                let (thread, bound) = try plan.startThread()
                threads.append(thread)
                ports = bound
            } catch {
                let started = LoopGroup(handles: handles, ports: ports, threads: threads)
                started.stop()
                started.join()
                throw error
            }
        }
        return LoopGroup(handles: handles, ports: ports, threads: threads)
    }

    /// Asks all loops to end; see `LoopHandle.stop`.
    package func stop() { for handle in handles { handle.stop() } }

    /// Waits for all threads to end. Once, and not from a loop's thread.
    package func join() { for thread in threads { pthread_join(thread, nil) } }
}

/// What one loop's thread is started with.
private final class LoopPlan: Sendable {
    let index: Int
    let count: Int
    let configuration: LoopConfiguration
    let ports: [UInt16]
    let handles: [LoopHandle]
    let makeClient: LoopGroup.ClientFactory
    private let outcome = Mutex<Result<[UInt16], LoopError>?>(nil)
    /// Becomes readable when `outcome` is set.
    private let outcomeDescriptor: Int32

    init(
        index: Int, count: Int, configuration: LoopConfiguration, ports: [UInt16],
        handles: [LoopHandle], makeClient: @escaping LoopGroup.ClientFactory
    ) {
        self.index = index
        self.count = count
        self.configuration = configuration
        self.ports = ports
        self.handles = handles
        self.makeClient = makeClient
        outcomeDescriptor = eventfd(0, Int32(EFD_CLOEXEC))
        precondition(outcomeDescriptor >= 0, "eventfd failed: errno \(errno)")
    }

    deinit { close(outcomeDescriptor) }

    /// Returns once the loop listens, with the ports its listeners got.
    func startThread() throws(LoopError) -> (pthread_t, [UInt16]) {
        var thread = pthread_t()
        // The thread takes over this retain.
        let retained = unsafe Unmanaged.passRetained(self)
        let code = unsafe pthread_create(&thread, nil, loopThread, retained.toOpaque())
        if code != 0 {
            unsafe retained.release()
            throw .noThread(code: code, reason: SocketAddress.text(ofError: code))
        }
        var count: eventfd_t = 0
        while unsafe eventfd_read(outcomeDescriptor, &count) != 0 {
            precondition(errno == EINTR, "eventfd_read failed: errno \(errno)")
        }
        switch outcome.withLock({ $0 }) {
        case .success(let bound): return (thread, bound)
        case .failure(let error):
            pthread_join(thread, nil)
            throw error
        case nil: preconditionFailure("a loop's thread said nothing")
        }
    }

    private func report(_ result: Result<[UInt16], LoopError>) {
        outcome.withLock { $0 = result }
        eventfd_write(outcomeDescriptor, 1)
    }

    /// The whole life of a loop, in its thread.
    func run() {
        nameThread()
        do throws(LoopError) {
            let loop = try EventLoop(
                index: index, limits: configuration.limits, handle: handles[index])
            EventLoop.current = loop
            defer { EventLoop.current = nil }
            do throws(LoopError) {
                try loop.start()
                let bound = try listen(loop)
                let client = makeClient(loop, handles)
                report(.success(bound))
                loop.run(client)
            } catch {
                loop.shutDown()
                throw error
            }
        } catch {
            report(.failure(error))
        }
    }

    /// For `top` and `perf`. Glibc's pthread_setname_np is not visible to Swift.
    private func nameThread() {
        let file = unsafe open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
        if file < 0 { return }
        let name = Array("loop-\(index)".utf8)
        _ = unsafe name.withUnsafeBytes { unsafe write(file, $0.baseAddress, $0.count) }
        close(file)
    }

    private func listen(_ loop: EventLoop) throws(LoopError) -> [UInt16] {
        var bound = ports
        for (position, listener) in configuration.listeners.enumerated() {
            let isShared = listener.sharedByLoops && count > 1
            if index > 0, !isShared { continue }
            let address = try SocketAddress(host: listener.host, port: ports[position])
            if index == 0, isShared || listener.opensLater, address.port != 0 {
                try address.checkFree()
            }
            let opened = try Listener(
                loop, position: position, at: address, shared: isShared,
                reserved: listener.isReserved, backlog: configuration.backlog)
            loop.listeners.append(opened)
            if !listener.opensLater { try opened.open() }
            bound[position] = opened.port
        }
        return bound
    }
}

private func loopThread(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let context = unsafe context else { preconditionFailure("a loop's thread without plan") }
    unsafe Unmanaged<LoopPlan>.fromOpaque(context).takeRetainedValue().run()
    return nil
}

extension EventLoop {
    /// Where a thread keeps its loop.
    private static let key: pthread_key_t = {
        var key = pthread_key_t()
        let code = unsafe pthread_key_create(&key, nil)
        precondition(code == 0, "pthread_key_create failed: errno \(code)")
        return key
    }()

    /// The loop of this thread. Unretained is sound: `LoopPlan.run` clears it before the loop goes.
    static var current: EventLoop? {
        get {
            guard let context = unsafe pthread_getspecific(key) else { return nil }
            return unsafe Unmanaged<EventLoop>.fromOpaque(context).takeUnretainedValue()
        }
        set {
            let context = unsafe newValue.map { unsafe Unmanaged.passUnretained($0).toOpaque() }
            unsafe pthread_setspecific(key, context)
        }
    }
}
