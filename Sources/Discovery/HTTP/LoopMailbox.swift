internal import CLibevent
internal import Glibc
internal import Synchronization

/// The one door through which other threads reach a loop.
///
/// Any thread may post; only the loop drains. Posting to a mailbox that already holds something
/// makes no system call, so a burst costs one wake-up.
final class LoopMailbox: Sendable {
    /// Everything posted since the last drain.
    struct Contents: Sendable {
        var replies: [AddressedReply] = []
        var messages: [any Sendable] = []
        var names: [ResolvedName] = []
        var wakes = false
        /// Told whether the listeners listen.
        var openings: [@Sendable (Bool) -> Void] = []
        var pausesAccepting = false
        var stops = false

        mutating func empty() {
            replies.removeAll(keepingCapacity: true)
            messages.removeAll(keepingCapacity: true)
            names.removeAll()
            wakes = false
            openings.removeAll()
            pausesAccepting = false
            stops = false
        }

        var isEmpty: Bool {
            replies.isEmpty && messages.isEmpty && names.isEmpty && !wakes && openings.isEmpty
                && !pausesAccepting && !stops
        }
    }

    /// Readable while something may be waiting.
    let wakeDescriptor: Int32
    private let contents = Mutex(Contents())

    init() {
        wakeDescriptor = eventfd(0, Int32(EFD_NONBLOCK) | Int32(EFD_CLOEXEC))
        precondition(wakeDescriptor >= 0, "eventfd failed: errno \(errno)")
    }

    deinit { close(wakeDescriptor) }

    func post(_ change: (inout Contents) -> Void) {
        let mustWake = contents.withLock { contents in
            let wasEmpty = contents.isEmpty
            change(&contents)
            return wasEmpty && !contents.isEmpty
        }
        if mustWake { eventfd_write(wakeDescriptor, 1) }
    }

    /// Loop thread only, and always before `drain`: a post between the two then wakes us again.
    func acknowledgeWake() {
        var count: eventfd_t = 0
        _ = unsafe eventfd_read(wakeDescriptor, &count)
    }

    /// Loop thread only. Swaps what has been posted for `emptied`, so that storage is reused.
    func drain(into emptied: inout Contents) {
        assert(emptied.isEmpty, "what was drained before has not been dealt with")
        contents.withLock { contents in
            if !contents.isEmpty { swap(&emptied, &contents) }
        }
    }
}
