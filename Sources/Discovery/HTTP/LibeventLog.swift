internal import CLibevent
internal import Glibc
internal import Synchronization

/// Where libevent's own words go, and those of a loop about its sockets. Process-wide: libevent has
/// one log.
package enum LibeventLog {
    package enum Severity: Sendable {
        case debug
        case message
        case warning
        case error
        /// libevent is about to give up; the process aborts behind it.
        case fatal
    }

    /// The library in use, `2.1.12-stable` say.
    package static var version: String { unsafe String(cString: event_get_version()) }

    private static let sink = Mutex<(@Sendable (Severity, String) -> Void)?>(nil)

    /// Sends libevent's warnings and errors to `sink`, on whichever thread they arise. Call it
    /// before the first loop starts.
    package static func redirect(to sink: @escaping @Sendable (Severity, String) -> Void) {
        self.sink.withLock { $0 = sink }
        unsafe event_set_log_callback(logged)
        event_set_fatal_callback(died)
    }

    static func write(_ severity: Severity, _ text: String) {
        let sink = sink.withLock { $0 }
        sink?(severity, text)
    }
}

private func logged(_ severity: Int32, _ text: UnsafePointer<CChar>?) {
    guard let text = unsafe text else { return }
    let translated: LibeventLog.Severity =
        switch severity {
        case EVENT_LOG_DEBUG: .debug
        case EVENT_LOG_MSG: .message
        case EVENT_LOG_WARN: .warning
        default: .error
        }
    LibeventLog.write(translated, unsafe String(cString: text))
}

/// libevent would call exit(code) behind this; an abort leaves a core instead.
private func died(_ code: Int32) {
    LibeventLog.write(.fatal, "libevent gave up with code \(code)")
    abort()
}
