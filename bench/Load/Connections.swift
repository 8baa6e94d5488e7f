import BenchSupport
import Glibc

/// Keep-alive connections under one epoll. One request under way on each at a time.
///
/// Reading and parsing allocate nothing: one buffer for all, and a parser per connection that only
/// keeps bytes when an answer's head arrives in pieces.
///
/// `@safe`: the buffer never leaves this class and every access to it is bounded by its length.
@safe final class Connections {
    /// Takes a whole answer of the largest scenario in one read.
    private static let bufferBytes = 262_144
    private static let readyMax = 256
    private static let connectTimeoutMilliseconds: Int32 = 10_000
    /// Half of evhttp's listen backlog (128): a dropped SYN would come again after a whole second.
    static let connectBatch = 64

    private let epoll: Int32
    private var descriptors: [Int32] = []
    private var parsers: [AnswerParser] = []
    private var ready = [Int32](repeating: 0, count: readyMax)
    /// Owned: allocated in `init`, freed in `deinit`, never handed out.
    private let buffer: UnsafeMutableBufferPointer<UInt8>

    init() throws {
        epoll = bench_epoll()
        unsafe buffer = .allocate(capacity: Self.bufferBytes)
        unsafe buffer.initialize(repeating: 0)
        guard epoll >= 0 else { throw BenchError("no epoll: errno \(-epoll)") }
    }

    deinit {
        for descriptor in descriptors { close(descriptor) }
        close(epoll)
        unsafe buffer.deallocate()
    }

    var count: Int { descriptors.count }

    /// Adds connections to a server.
    func open(_ added: Int, port: UInt16) throws {
        for _ in 0..<added {
            let descriptor = bench_connect(port, 1, Self.connectTimeoutMilliseconds)
            guard descriptor >= 0 else {
                throw BenchError("cannot connect to port \(port): errno \(-descriptor)")
            }
            descriptors.append(descriptor)
            parsers.append(AnswerParser())
            let failure = bench_watch(epoll, descriptor, Int32(descriptors.count - 1))
            guard failure == 0 else { throw BenchError("cannot watch: errno \(-failure)") }
        }
    }

    /// Hangs up all of them, as a client that goes away does.
    func hangUp() {
        for descriptor in descriptors { close(descriptor) }
        descriptors = []
        parsers = []
    }

    /// Resets all of them: leaves nothing behind in the kernel.
    func reset() {
        for descriptor in descriptors { bench_reset(descriptor) }
        descriptors = []
        parsers = []
    }

    func send(_ template: inout RequestTemplate, _ index: Int, on connection: Int) throws {
        guard template.send(index, to: descriptors[connection]) else {
            throw BenchError("a request could not be written: errno \(errno)")
        }
    }

    /// Waits for answers, hands each with its connection's number to `take`, and returns how many
    /// there were. 0 milliseconds: only what is there already.
    func receive(
        waitingMilliseconds: Int32, _ take: (Int, Answer) throws -> Void
    ) throws -> Int {
        let count = unsafe bench_wait(epoll, &ready, Int32(Self.readyMax), waitingMilliseconds)
        guard count >= 0 else { throw BenchError("epoll: errno \(-count)") }
        var answers = 0
        for position in 0..<Int(count) {
            let connection = Int(ready[position])
            guard let answer = try read(connection) else { continue }
            answers += 1
            try take(connection, answer)
        }
        return answers
    }

    private func read(_ connection: Int) throws -> Answer? {
        let descriptor = descriptors[connection]
        let count = unsafe Glibc.read(descriptor, buffer.baseAddress, Self.bufferBytes)
        guard count > 0 else {
            if count < 0, errno == EAGAIN || errno == EINTR { return nil }
            throw BenchError(
                count == 0
                    ? "the server closed a connection" : "a connection failed: errno \(errno)")
        }
        return try unsafe parsers[connection].feed(
            UnsafeBufferPointer(rebasing: buffer[..<count]).span)
    }
}
