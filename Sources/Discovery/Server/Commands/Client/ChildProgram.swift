import Glibc

/// A program that this one starts. The caller's thread.
struct ChildProgram {
    let id: pid_t

    /// Looks for the program in `PATH`. It gets no signal blocked, whatever this program blocks.
    init(_ arguments: [String]) throws(CommandFailure) {
        // Ignored, as somebody may have started this program, no child could be waited for.
        signal(SIGCHLD, SIG_DFL)
        guard let name = arguments.first else { throw .broken("no program is named") }
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { _ = unsafe posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        unsafe sigemptyset(&none)
        unsafe posix_spawnattr_setsigmask(&attributes, &none)
        var standard = sigset_t()
        unsafe sigemptyset(&standard)
        unsafe sigaddset(&standard, SIGPIPE)
        unsafe posix_spawnattr_setsigdefault(&attributes, &standard)
        unsafe posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        var words = unsafe arguments.map { unsafe strdup($0) }
        unsafe words.append(nil)
        defer { unsafe words.forEach { unsafe free($0) } }
        var id: pid_t = 0
        let code = unsafe posix_spawnp(&id, name, nil, &attributes, words, environ)
        guard code == 0 else {
            errno = code
            throw .broken("\(name): cannot be started: \(TextFileError.lastOfSystem)")
        }
        self.id = id
    }

    /// The exit code of this program once it has ended, as a shell would say it; nil while it runs.
    /// Takes orphans in passing, which the first process of a container inherits. Once after the
    /// end.
    func reap() -> Int32? {
        while true {
            var status: Int32 = 0
            let found = unsafe waitpid(-1, &status, WNOHANG)
            if found == id { return ChildProgram.code(of: status) }
            if found > 0 || (found < 0 && errno == EINTR) { continue }
            // Nobody there: somebody else has taken it.
            return found == 0 ? nil : ChildProgram.lost
        }
    }

    func waitForEnding() -> Int32 {
        var status: Int32 = 0
        var found: pid_t
        repeat { found = unsafe waitpid(id, &status, 0) } while found < 0 && errno == EINTR
        return found == id ? ChildProgram.code(of: status) : ChildProgram.lost
    }

    /// Of a program whose end nobody has seen.
    private static let lost: Int32 = 255

    private static func code(of status: Int32) -> Int32 {
        let signal = status & 0x7F
        return signal == 0 ? status >> 8 & 0xFF : 128 + signal
    }

    /// Runs a line of the shell to its end, and takes orphans in passing. -1 if it could not be
    /// started.
    static func shell(_ line: String) -> Int32 {
        do throws(CommandFailure) {
            let code = try ChildProgram(["/bin/sh", "-c", line]).waitForEnding()
            while waitpid(-1, nil, WNOHANG) > 0 {}
            return code
        } catch {
            return -1
        }
    }
}
