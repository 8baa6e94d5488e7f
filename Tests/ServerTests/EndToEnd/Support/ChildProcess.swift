import Foundation

/// A program in a process of its own. It is ended, by its id, and reaped when nobody holds this any
/// more, whatever became of the test.
final class ChildProcess {
    enum Ending: Equatable {
        case exited(Int32)
        case killed(signal: Int32)
        /// It still ran when the time was over.
        case none
    }

    let id: pid_t
    let output: OutputReader
    let errors: OutputReader
    private(set) var ending = Ending.none

    /// `program` with `arguments` behind its name and nothing in its environment but `environment`,
    /// and what a sanitizer was told. `input`: path of what it reads.
    init(
        _ program: String, _ arguments: [String], environment: [String: String] = [:],
        input: String = "/dev/null"
    ) throws {
        let (outputEnd, outputStart) = try Self.makePipe()
        let (errorsEnd, errorsStart) = try Self.makePipe()
        defer {
            close(outputStart)
            close(errorsStart)
        }
        output = OutputReader(outputEnd)
        errors = OutputReader(errorsEnd)
        id = try Self.spawn(
            program, [program] + arguments,
            environment.merging(Self.sanitizerOptions) { mine, _ in mine }.map { "\($0)=\($1)" },
            input: input, output: outputStart, errors: errorsStart)
    }

    private static let sanitizerOptions = ProcessInfo.processInfo.environment.filter {
        ["TSAN_OPTIONS", "ASAN_OPTIONS"].contains($0.key)
    }

    deinit {
        if ending == .none {
            send(SIGKILL)
            reap()
        }
    }

    /// The binary that was built together with these tests: it lies next to them.
    static func discovery() throws -> String {
        let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        return URL(fileURLWithPath: tests).deletingLastPathComponent()
            .appendingPathComponent("discovery").path
    }

    /// Only ever sent to a child that is not reaped yet, so never to a stranger.
    func send(_ signal: Int32) {
        if ending == .none { kill(id, signal) }
    }

    /// How it ended; `.none` when it did not within the time.
    func waitForEnd(within seconds: Double) -> Ending {
        // Its outputs close when it ends, for nobody else holds them.
        if ending == .none, errors.waitForEnd(within: seconds), output.waitForEnd(within: seconds) {
            reap()
        }
        return ending
    }

    private func reap() {
        var status: Int32 = 0
        var result: pid_t
        repeat { result = unsafe waitpid(id, &status, 0) } while result < 0 && errno == EINTR
        let signal = status & 0x7f
        ending = signal == 0 ? .exited(status >> 8 & 0xff) : .killed(signal: signal)
    }

    private static func makePipe() throws -> (end: Int32, start: Int32) {
        var ends: [Int32] = [-1, -1]
        // Sockets, because Glibc's pipe2 is not visible to Swift: closed in other children from the
        // first moment on, so that each output ends with its own child.
        let type = Int32(SOCK_STREAM.rawValue) | O_CLOEXEC
        guard unsafe socketpair(AF_UNIX, type, 0, &ends) == 0 else {
            throw Failure("no pipe: errno \(errno)")
        }
        return (ends[0], ends[1])
    }

    private static func spawn(
        _ program: String, _ arguments: [String], _ environment: [String], input: String,
        output: Int32, errors: Int32
    ) throws -> pid_t {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_addopen(&actions, 0, input, O_RDWR | O_NOCTTY, 0)
        unsafe posix_spawn_file_actions_adddup2(&actions, output, 1)
        unsafe posix_spawn_file_actions_adddup2(&actions, errors, 2)
        // What the test runner left open would count against the child's limit.
        for descriptor: Int32 in 3..<64 where fcntl(descriptor, F_GETFD) == 0 {
            unsafe posix_spawn_file_actions_addclose(&actions, descriptor)
        }
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        // Signals as a shell would leave them, whatever the test runner blocks or ignores.
        var none = sigset_t()
        unsafe sigemptyset(&none)
        unsafe posix_spawnattr_setsigmask(&attributes, &none)
        var standard = sigset_t()
        unsafe sigemptyset(&standard)
        for number in [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGPIPE, SIGCHLD] {
            unsafe sigaddset(&standard, number)
        }
        unsafe posix_spawnattr_setsigdefault(&attributes, &standard)
        unsafe posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        var words = unsafe arguments.map { unsafe strdup($0) } + [nil]
        var variables = unsafe environment.map { unsafe strdup($0) } + [nil]
        defer {
            unsafe words.forEach { unsafe free($0) }
            unsafe variables.forEach { unsafe free($0) }
        }
        var id: pid_t = 0
        let code = unsafe posix_spawn(&id, program, &actions, &attributes, &words, &variables)
        guard code == 0 else { throw Failure("\(program) does not start: errno \(code)") }
        return id
    }
}

/// Why a test cannot go on.
struct Failure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// Whether `condition` becomes true within the time. It is asked again and again, so it should look
/// at something that another process changes.
func eventually(within seconds: Double = 10, _ condition: () throws -> Bool) rethrows -> Bool {
    let end = DispatchTime.now() + seconds
    while true {
        if try condition() { return true }
        if DispatchTime.now() > end { return false }
        // Leaves the processor to whom we wait for.
        _ = poll(nil, 0, 2)
    }
}

/// Seconds that `action` takes.
func seconds(_ action: () throws -> Void) rethrows -> Double {
    let start = DispatchTime.now().uptimeNanoseconds
    try action()
    return Double(DispatchTime.now().uptimeNanoseconds - start) / 1e9
}
