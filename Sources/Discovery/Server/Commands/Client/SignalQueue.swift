import Glibc

/// The signals of this process, one by one, in the thread that asks for them. Made before any
/// other thread is.
struct SignalQueue {
    struct Signal {
        let number: Int32
        /// Ctrl-C and the like: everybody in the terminal's foreground has it already.
        let isFromTerminal: Bool
    }

    private let set: sigset_t

    init() {
        // Somebody may have started this program with it ignored: then no child could be waited
        // for.
        signal(SIGCHLD, SIG_DFL)
        let numbers = [SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2]
        var signals = Signals.set(numbers.filter { !Signals.isIgnored($0) } + [SIGCHLD])
        unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
        set = signals
    }

    /// Waits for one. `end`: until when, monotonic nanoseconds; nil if none came before. Nil
    /// without `end` only when the wait was interrupted.
    func next(before end: UInt64?) -> Signal? {
        var signals = set
        var information = unsafe siginfo_t()
        var number: Int32
        if let end {
            repeat {
                let now = Clocks.monotonic
                let left = end > now ? end - now : 0
                var time = timespec(
                    tv_sec: Int(left / 1_000_000_000), tv_nsec: Int(left % 1_000_000_000))
                number = unsafe sigtimedwait(&signals, &information, &time)
            } while number < 0 && errno == EINTR
        } else {
            number = unsafe sigwaitinfo(&signals, &information)
        }
        if number < 0 { return nil }
        let code = unsafe information.si_code
        return Signal(number: number, isFromTerminal: code == SignalQueue.sentByKernel)
    }

    /// `SI_KERNEL`, which is no constant to Swift.
    private static let sentByKernel: Int32 = 0x80
}
