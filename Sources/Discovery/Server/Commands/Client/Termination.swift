internal import Dispatch
import Glibc
internal import Synchronization

/// Ends a program by SIGTERM, SIGINT or SIGHUP, but never in the middle of a piece of work; and
/// ends it at all where it is the first process of a container, to which they do nothing.
enum Termination {
    private static let working = Mutex(())

    /// Before any other thread starts.
    static func begin() {
        var signals = Signals.set([SIGTERM, SIGINT, SIGHUP].filter { !Signals.isIgnored($0) })
        unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
        let waited = signals
        DispatchQueue(label: "discovery.termination").async { wait(for: waited) }
    }

    /// Whatever is not to be left half done. Short.
    static func undisturbed<Result>(_ work: () -> Result) -> Result {
        working.withLock { _ in work() }
    }

    private static func wait(for signals: sigset_t) {
        var signals = signals
        var number: Int32 = 0
        guard unsafe sigwait(&signals, &number) == 0 else { return }
        working.withLock { _ in
            // As if nobody had waited for it: whoever started this program sees which it was.
            signal(number, SIG_DFL)
            unsafe pthread_sigmask(SIG_UNBLOCK, &signals, nil)
            raise(number)
            _exit(128 + number)
        }
    }
}

/// Sets of signals.
enum Signals {
    static func set(_ numbers: [Int32]) -> sigset_t {
        var set = sigset_t()
        unsafe sigemptyset(&set)
        for number in numbers { unsafe sigaddset(&set, number) }
        return set
    }

    /// Whether whoever started this program wants it ignored, as `nohup` does, and a shell for what
    /// it starts in the background.
    static func isIgnored(_ number: Int32) -> Bool {
        var action = sigaction()
        guard unsafe sigaction(number, nil, &action) == 0 else { return false }
        let handler = unsafe unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self)
        return handler == Signals.ignoring
    }

    /// `SIG_IGN` as a number.
    private static let ignoring = 1
}
